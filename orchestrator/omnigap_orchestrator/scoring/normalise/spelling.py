"""British spellings of English words and their American forms, which the normaliser uses."""

from __future__ import annotations

from omnigap_orchestrator.scoring.normalise.numbers import listed

# British spellings become American, built from stems and endings: colour -> color, centres -> centers. Stems are listed
# one by one because general suffix rules would break other words: "four", "ogre", "wise".
_OUR = listed(
    "arb ard arm behavi cand clam col dem dishon disfav discol enam endeav ferv flav fav glam harb hon hum lab",
    "misdeme multicol neighb od parl ranc rig rum sav savi splend succ tum unfav val vap vig watercol",
)

_RE = listed(
    "cent epicent theat amphitheat lit millilit centilit met centimet millimet kilomet nanomet micromet fib",
    "calib lust meag somb spect scept och sepulch sab",
)

_ISE = listed(
    "agon apolog author bapt capital categor central character civil colon commercial computer critic crystall",
    "custom decentral democrat demoral deput desensit digit dramat econom emphas energ equal euthan fertil",
    "final formal fossil galvan general harmon homogen hospital hypnot ideal immun industrial initial ion",
    "jeopard legal liberal local magnet maxim mechan memor mesmer minim mobil modern monopol national natural",
    "neutral normal optim organ oxid paralog pasteur personal polar popular pressur privat random rational",
    "real recogn reorgan revolution romantic sanit scandal scrutin sensit social special stabil standard",
    "steril subsid summar symbol sympath synchron synthes terror theor traumat trivial unrecogn urban util",
    "vandal vapor visual vocal",
)

_DOUBLED = listed(
    "bevel cancel channel chisel counsel dial duel equal fuel funnel grovel jewel label level libel marshal",
    "marvel medal model panel pedal pencil quarrel refuel revel rival shovel shrivel signal snorkel spiral",
    "swivel total towel travel tunnel unravel",
)
_OGUE = listed("analog catalog dialog epilog monolog prolog travelog")
_YSE = listed("anal paral catal hydrol electrol breathal psychoanal")

_OUR_ENDINGS = [
    "",
    *listed("s ed ing ful fully less able ably ite ites er ers hood hoods ly y ies ist ists al ally ation edly ings"),
]
_ISE_ENDINGS = listed("e es ed ing er ers ation ations able")

_SPELLINGS = """
    acknowledgement acknowledgment | aeon eon | aeroplane airplane | aesthetic esthetic | ageing aging
    aluminium aluminum | amoeba ameba | amoebae amebae | anaemia anemia | anaemic anemic | anaesthesia anesthesia
    anaesthetic anesthetic | anaesthetist anesthetist | archaeologist archeologist | archaeological archeological
    archaeology archeology | artefact artifact | axe ax | caesium cesium | cheque check | chilli chili
    coeliac celiac | cosy cozy | defence defense | diarrhoea diarrhea | doughnut donut | draught draft
    encyclopaedia encyclopedia | enrol enroll | enrolment enrollment | faeces feces | foetal fetal | foetus fetus
    fulfil fulfill | fulfilment fulfillment | gaol jail | grey gray | greyish grayish | gynaecologist gynecologist
    gynaecology gynecology | haemoglobin hemoglobin | haemophilia hemophilia | haemorrhage hemorrhage
    homoeopathy homeopathy | instalment installment | jewellery jewelry | judgement judgment | kerb curb
    leukaemia leukemia | licence license | manoeuvre maneuver | mediaeval medieval | mould mold | mouldy moldy
    moult molt | moustache mustache | mum mom | oedema edema | oesophagus esophagus | oestrogen estrogen
    offence offense | omelette omelet | orthopaedic orthopedic | paediatric pediatric | paediatrician pediatrician
    palaeontologist paleontologist | palaeontology paleontology | plough plow | practise practice
    practised practiced | practising practicing | pretence pretense | programme program | pyjamas pajamas
    sceptic skeptic | sceptical skeptical | scepticism skepticism | skilful skillful | smoulder smolder
    speciality specialty | storey story | storeys stories | sulphate sulfate | sulphide sulfide | sulphur sulfur
    sulphuric sulfuric | tyre tire | whisky whiskey | whiskies whiskeys | wilful willful | woollen woolen
    yoghurt yogurt | saviour savior | demeanour demeanor | travelogue travelog
"""


def _build() -> dict[str, str]:
    table = {f"{stem}our{end}": f"{stem}or{end}" for stem in _OUR for end in _OUR_ENDINGS}
    table |= {f"{stem}re{end}": f"{stem}er{end}" for stem in _RE for end in ("", "s", "d")}
    table |= {f"{stem}is{end}": f"{stem}iz{end}" for stem in _ISE for end in _ISE_ENDINGS}
    table |= {f"{stem}l{end}": stem + end for stem in _DOUBLED for end in ("ed", "ing", "er", "ers", "ings")}
    table |= {f"{stem}ue{end}": stem + end for stem in _OGUE for end in ("", "s", "d")}
    table |= {f"{stem}ys{end}": f"{stem}yz{end}" for stem in _YSE for end in ("e", "es", "ed", "ing", "er", "ers")}
    for pair in _SPELLINGS.replace("\n", "|").split("|"):
        if pair.strip():
            british, american = pair.split()
            table |= {british: american, f"{british}s": f"{american}s"}
    return {british: american for british, american in table.items() if american not in table}


AMERICAN = _build()
"""British spelling -> American spelling. No value is also a key, so one look-up is enough."""
