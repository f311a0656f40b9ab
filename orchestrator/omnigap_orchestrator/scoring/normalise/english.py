"""Normalises English, so that texts with the same content become equal, however they are written or transcribed.

The steps: fold case and diacritics, tokenise, convert numbers, units and dates, unify spellings, and drop articles.
"""

from __future__ import annotations

import re
import unicodedata

from omnigap_orchestrator.scoring.normalise import numbers
from omnigap_orchestrator.scoring.normalise.numbers import BREAK, listed
from omnigap_orchestrator.scoring.normalise.quantities import convert_dates, convert_units, has_date

# Roman numerals after a word of at least two letters: "Louis XIV" -> 14. Single letters are unchanged ("vitamin C",
# "I"), since they are usually letters.
_ROMANS = {
    roman: value
    for value, roman in enumerate(
        listed("I II III IV V VI VII VIII IX X XI XII XIII XIV XV XVI XVII XVIII XIX XX XXI XXII XXIII XXIV XXV"), 1
    )
}
_ROMAN = re.compile(rf"(?<=[^\W\d_][^\W\d_] )(?:{'|'.join(r for r in sorted(_ROMANS, key=len)[::-1] if len(r) > 1)})\b")
_MAX_PASSES = 12


def normalise_english(text: str, *, day_first: bool = False) -> str:
    """Lower-case words and digits separated by single spaces, with unified numbers, dates, units and spelling.

    The function is idempotent.

    Args:
        day_first: whether 4/7/1969 is 4 July (else April 7).
    """
    # Roman numerals are recognised by their case, so they are converted before folding.
    text = _ROMAN.sub(lambda match: str(_ROMANS[match[0]]), text)
    # The output of one rule can be input of an earlier one, so passes repeat until nothing changes. This also makes the
    # function idempotent. The limit only guards against a cycle.
    for _ in range(_MAX_PASSES):
        before, text = text, _once(text, day_first)
        if text == before:
            break
    return text


def _once(text: str, day_first: bool) -> str:
    tokens = _tokenise(_fold(text))
    # Most answers are a few plain words: the checks skip the slow steps for them.
    if any(token in numbers.STARTS or not token.isalpha() for token in tokens):
        tokens = convert_units(numbers.convert(tokens))
    if has_date(tokens):
        tokens = convert_dates(tokens, day_first=day_first)
    words = _words([token for token in tokens if token != BREAK])
    # A final "a" is kept, since it is the letter in "option a".
    kept = [
        word
        for i, word in enumerate(words)
        if word not in _ARTICLES or (word == "a" and (i + 1 == len(words) or (i and words[i - 1] in _LETTERED)))
    ]
    # An answer that consists of articles only must not become empty.
    return " ".join(kept or words)


# Characters that NFKD does not decompose to ASCII.
_ASCII_FOLDS = str.maketrans(
    {
        "’": "'",
        "‘": "'",
        "ʼ": "'",
        "`": "'",
        "´": "'",
        "−": "-",
        "‐": "-",
        "‑": "-",
        "ß": "ss",
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ı": "i",
        "⁄": "/",
    }
)

# 6'2 is two numbers.
_FEET = re.compile(r"(?<=\d)'(?=\d)")

# NFKC turns 2½ into 21/2: a space keeps the whole number apart.
_VULGAR = re.compile(r"(?<=\d)(?=[¼½¾⅐-⅞])")

_CONTRACTIONS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\bwon'?t\b", "will not"),
        (r"\bcan(?:'?t|not)\b", "can not"),
        (r"\bshan't\b", "shall not"),
        (r"\bain't\b", "is not"),
        (r"\b(do|does|did|is|are|was|were|has|have|had|could|would|should|must|need|might)n'?t\b", r"\1 not"),
        (r"\blet's\b", "let us"),
        (r"\b(i)'m\b", r"\1 am"),
        (r"\b(it|he|she|that|this|there|here|what|who|where|when|how|why)'s\b", r"\1 is"),
        (r"'re\b", " are"),
        (r"'ve\b", " have"),
        (r"'ll\b", " will"),
        (r"'d\b", " would"),
        (r"\bo'clock\b", "oclock"),
    )
)

# Contractions without apostrophe, as some ASR models write them. "Its", "hell" and "were" are words and are left out.
_BARE_CONTRACTION = re.compile(
    r"\b(?:wont|cant|cannot|(?:do|does|did|is|are|was|were|has|have|had|could|would|should|must|might)nt)\b"
)


def _fold(text: str) -> str:
    """Lower case, ASCII apostrophes and hyphens, no diacritics, contractions written out."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _VULGAR.sub(" ", text)).lower().translate(_ASCII_FOLDS)
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
        text = unicodedata.normalize("NFC", text).translate(_ASCII_FOLDS)
    text = _FEET.sub(" ", text.lower())
    if "'" in text or _BARE_CONTRACTION.search(text):
        for pattern, replacement in _CONTRACTIONS:
            text = pattern.sub(replacement, text)
        text = text.replace("'", "")
    return text


_SYMBOLS = {
    "%": "percent",
    "&": "and",
    "+": "plus",
    "=": "equals",
    "×": "times",
    "÷": "divided by",
    "#": "number",
    "°": "degree",
    "¢": "cent",
    "$": "$",
    "€": "€",
    "£": "£",
    "¥": "¥",
    "₩": "₩",
}

_TOKEN = re.compile(
    r"""
    (?P<iso>(?<![\w.-])\d{4}-\d{2}-\d{2}(?![\w-]))
  | (?P<slashed>(?<![\w/])\d{1,2}/\d{1,2}/\d{4}(?![\w/]))
  | (?P<hour>(?<![\w:])\d{1,2}):(?P<minute>\d{2})(?![\w:])
  | (?P<fraction>(?<![\w/])\d{1,6}/\d{1,6}(?![\w/]))
  | (?P<sign>(?<![\w.)-])-)?
    (?P<number>(?<!\w)(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|(?<!\.)\.\d+))
    (?:(?P<suffix>[^\W\d_]*)(?!\w))
  | (?P<initial>(?<!\w)[^\W\d_]\.(?!\w\w))
  | (?P<word>\w+)
  | (?P<joint>(?<=\w)-(?=[^\W\d_])|(?<=[^\W\d_])-(?=\w))
  | (?P<symbol>[%&+=×÷#°¢$€£¥₩])
  | (?P<space>\s+)
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ORDINAL_SUFFIXES = frozenset(("st", "nd", "rd", "th"))
_PLAIN = re.compile(r"[a-z ]*")


def _tokenise(text: str) -> list[str]:
    """Tokens of folded text (lower case, no apostrophes), with `BREAK` in place of punctuation.

    Dates in digits become `iso:Y-M-D` or `slash:A/B/Y`, which `convert_dates` reads.
    """
    if _PLAIN.fullmatch(text):
        return text.split()
    tokens: list[str] = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "word":
            tokens.extend(part for part in match[0].split("_") if part)
        elif kind in ("space", "joint"):
            continue
        elif kind == "initial":
            tokens.append(match[0][0])
        elif kind == "suffix":
            tokens.extend(_number_token(match))
        elif kind == "minute":
            tokens.extend(_clock(match["hour"], match["minute"]))
        elif kind == "iso":
            tokens.append(f"iso:{match[0]}")
        elif kind == "slashed":
            tokens.append(f"slash:{match[0]}")
        elif kind == "fraction":
            tokens.append(match[0])
        elif kind == "symbol":
            tokens.extend(_SYMBOLS[match[0]].split())
        elif tokens and tokens[-1] != BREAK:
            tokens.append(BREAK)
    return tokens


def _number_token(match: re.Match[str]) -> list[str]:
    number, suffix = _plain_number(match["number"]), match["suffix"]
    if suffix in _ORDINAL_SUFFIXES and len(number) == 1 and number[0].isdigit():
        return [numbers.ordinal(int(number[0]))]
    if match["sign"]:
        # With a sign, leading zeros do not mean separate digits: -05 is -5.
        number = ["-" + match["number"].replace(",", "").lstrip("0")] if len(number) > 1 else [f"-{number[0]}"]
        number = ["0"] if number[0] in ("-", "-0") else number
    if not suffix:
        return number
    if suffix == "s" and number[0].isdigit():
        return [f"{number[0]}s"] if len(number) == 1 else [*number, suffix]
    return [*number, suffix]


def _plain_number(text: str) -> list[str]:
    """Canonical tokens of a number in digits: no separators, no trailing zeros; 007 is split into digits."""
    digits = text.replace(",", "")
    if "." in digits:
        whole, part = digits.split(".")
        part = part.rstrip("0")
        whole = whole.lstrip("0") or "0"
        return [f"{whole}.{part}" if part else whole]
    if len(digits) > 1 and digits[0] == "0":
        return list(digits)
    return [digits]


def _clock(hour: str, minute: str) -> list[str]:
    """A time as spoken: 9:15 -> 9 15, 5:00 -> 5 oclock; 10:15 -> 1015, since "ten fifteen" is read like a year."""
    hour = hour.lstrip("0") or "0"
    if minute == "00":
        return [hour, "oclock"]
    if 10 <= int(hour) <= 20:
        return [hour + minute]
    return [hour, *_plain_number(minute)]


_ARTICLES = frozenset(("a", "an", "the"))

_LETTERED = frozenset(
    listed("vitamin hepatitis grade type group plan letter option choice answer team section part class")
)
"""Words after which "a" is a letter and not an article: "vitamin A" must not become "vitamin"."""


def _words(tokens: list[str]) -> list[str]:
    """Unifies abbreviations and spellings, and joins single letters: j r r tolkien -> jrr tolkien."""
    result: list[str] = []
    i = 0
    while i < len(tokens):
        token = tokens[i]
        if len(token) == 1 and token.isalpha():
            end = i
            while end < len(tokens) and len(tokens[end]) == 1 and tokens[end].isalpha():
                end += 1
            result += _joined(tokens[i:end])
            i = end
            continue
        # "St" before a word is Saint: St. Paul. At the end it may be a street.
        if token == "st" and i + 1 < len(tokens) and tokens[i + 1].isalpha():
            token = "saint"
        result.append(_WORDS.get(token, token))
        i += 1
    return result


def _joined(letters: list[str]) -> list[str]:
    """Joins a run of single letters, except an article before it and a pronoun "I" after it."""
    head: list[str] = []
    tail: list[str] = []
    if len(letters) == 2 and letters[0] == "a":
        head, letters = letters[:1], letters[1:]
    if len(letters) > 1 and letters[-1] == "i":
        letters, tail = letters[:-1], letters[-1:]
    return [*head, "".join(letters), *tail]


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

# Abbreviations and spoken forms in one spelling: Mt. Everest, Dr. Watson, WWII.
_WORDS = {
    "mt": "mount",
    "mr": "mister",
    "mrs": "missus",
    "dr": "doctor",
    "jr": "junior",
    "sr": "senior",
    "prof": "professor",
    "vs": "versus",
    "ok": "okay",
    "wwi": "world war 1",
    "wwii": "world war 2",
    "ww1": "world war 1",
    "ww2": "world war 2",
} | AMERICAN
