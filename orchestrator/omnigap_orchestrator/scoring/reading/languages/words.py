"""Words that decide what an answer asserts, in the languages other than English: tables of regular expressions.

Every table maps a primary language tag to fragments without capturing groups, for lower-case text. They match with and
without diacritics, and an apostrophe or a space in an elision, so that they fit raw and normalised text alike.
"""

from __future__ import annotations

Fragments = tuple[str, ...]
Table = dict[str, Fragments]


def _parts(written: str) -> Fragments:
    return tuple(written.split("; "))


NOT_BEFORE: Table = {
    "de": _parts("nicht; kein(?:e[rsmn]?)?; weder; niemals; nie; statt; anstatt; anstelle von; au(?:ß|ss)er"),
    "fr": _parts("pas; ni; jamais; plut[oô]t que; au lieu de; sauf; hormis; non"),
    "es": _parts("no; ni; nunca; jam[aá]s; tampoco; en vez de; en lugar de; excepto; salvo"),
    "it": _parts("non; n[eé]; mai; invece di; anzich[eé]; piuttosto che; tranne; eccetto"),
    "pt": _parts("n[aã]o; nem; nunca; jamais; em vez de; ao inv[eé]s de; exceto; salvo"),
    "zh": _parts("不是; 并非; 不会是; 不可能是; 而非; 除了; 绝不是; 没有; 别选; 不选"),
    "ja": (),
    "ko": (),
}
"""Words directly before what they deny: "nicht Paris"."""

FILLERS: Table = {
    "de": _parts(
        "ist; war; sind; waren; es; das; der; die; den; dem; in; aus; von; nach; um; wirklich; etwa; im; am; stadt"
    ),
    "fr": _parts("c; ce; est; etait; le; la; les; l; de; du; d; a; en; un; une; vraiment; ville; dans"),
    "es": _parts("es; era; fue; son; sea; la; el; los; las; en; de; del; a; que; un; una; realmente; ciudad"),
    "it": _parts("e; era; sono; sia; la; il; lo; l; i; gli; in; di; del; a; un; una; davvero; citta"),
    "pt": _parts("e; era; foi; sao; seja; a; o; os; as; em; de; do; da; no; na; que; um; uma; realmente; cidade"),
    "zh": _parts("在; 是"),
    "ja": (),
    "ko": (),
}
"""Words that may stand between a denial and what it denies, as they are in normalised text."""

NOT_AFTER: Table = {
    "de": _parts(
        "(?:ist|war|sind|w[aä]re|stimmt|stimmte) (?:es )?(?:(?:hier|also|aber|ja) )?nicht(?! nur); "
        "(?:ist|sind|war|waren|w[aä]re) (?:die |eine )?(?:falsch|inkorrekt|unrichtig|kein)"
    ),
    "fr": _parts(
        "n['’ ](?:est|[eé]tait|[eé]taient|a) (?:pas(?! seulement| que)|jamais|plus); "
        "(?:est|serait|sont) (?:faux|fausses?|incorrecte?s?)"
    ),
    "es": _parts(
        "(?:no|nunca) (?:es|era|fue|son|ser[ií]a|ha sido)(?! s[oó]lo| solamente); "
        "(?:es|son|est[aá]n?|ser[ií]a) (?:incorrect[oa]s?|fals[oa]s?|mal|equivocad[oa]s?)"
    ),
    "it": _parts(
        "non (?:[eè]|era|sono|sarebbe|[eè] mai stat[oa])(?! solo| soltanto); "
        "(?:[eè]|sono|sarebbe) (?:sbagliat[oaei]|fals[oaei]|errat[oaei]|scorrett[oaei])"
    ),
    "pt": _parts(
        "(?:n[aã]o|nunca) (?:[eé]|era|foi|seria)(?! apenas| s[oó]| somente); "
        "(?:[eé]|s[aã]o|est[aá]|est[aã]o|seria) (?:errad[oa]s?|incorret[oa]s?|fals[oa]s?)"
    ),
    "zh": _parts(
        "(?:也|并|就|可|都|选项)?(?:不是|不对|不正确|并非|不可能|是错|是不对|是不正确|错误|错了|是假)(?!唯一)"
    ),
    "ja": _parts(
        "(?:という(?:わけ|こと))?(?:では?|じゃ)(?:なく|ない|あり|無)(?!て良); "
        "(?:は|が|も)(?:違|ちが|間違|まちが|誤|不正解|正しくな|答えでは|正解では); "
        "より(?:も|は|、)?(?!前|後); 以外; の代わり"
    ),
    "ko": _parts(
        " ?(?:아니(?!면)|아닌|아닙|아닐|아녜|아닌데|말고|말곤|대신|제외|빼고|이외|외에|틀[린렸리]|"
        "오답|잘못|일 리|라고는? (?:할|볼) 수 없|(?:할|볼) 수 없|라는 (?:것은|건) (?:아니|틀)); "
        r" (?:\S+[이가은는도] )(?:아니(?!면)|아닙|아닌|아닐)"
    ),
}
"""Words directly after what they deny: "Paris ist es nicht"."""

OR: Table = {
    "de": _parts("oder(?! besser); beziehungsweise; bzw"),
    "fr": _parts("ou(?! plut[oô]t| encore mieux)(?: bien| encore| peut [eê]tre)?"),
    "es": _parts("[ou](?! mejor| sea)(?: tal vez| quiz[aá]s?| bien)?"),
    "it": _parts("o(?! meglio)(?: forse)?; oppure"),
    "pt": _parts("ou(?! melhor| seja)(?: talvez)?"),
    "zh": _parts("或者是?; 或是; 还是; 還是; 抑或; 要么; 或"),
    "ja": _parts(
        r"または; 又は; あるいは; 或いは; もしくは; 若しくは; それとも; か(?!もしれ|も知れ|な|ら|と思|$|\s*\|)"
    ),
    "ko": _parts("또는; 혹은; 아니면; 내지; 이든"),
}
"""Words between alternatives that an answer leaves open."""

AND: Table = {
    "de": _parts("und; sowie"),
    "fr": _parts("et"),
    "es": _parts("y; e"),
    "it": _parts("e; ed"),
    "pt": _parts("e"),
    "zh": _parts("和; 与; 以及; 跟; 及"),
    "ja": _parts("と; および; 及び; や"),
    "ko": _parts("와; 과; 하고; 랑; 이랑; 및; 그리고"),
}

BOUND_BEFORE: Table = {
    "de": _parts(
        "mindestens; wenigstens; zumindest; h[oö]e?chstens; maximal; minimal; mehr als; weniger als; [uü]e?ber; unter"
    ),
    "fr": _parts("au moins; au plus; plus de; moins de; au minimum; au maximum; minimum; maximum"),
    "es": _parts(
        "al menos; por lo menos; como m[ií]nimo; como m[aá]ximo; a lo sumo; m[aá]s de; menos de; cuando menos"
    ),
    "it": _parts("almeno; al massimo; al minimo; come minimo; pi[uù] di; meno di; oltre"),
    "pt": _parts("pelo menos; ao menos; no m[ií]nimo; no m[aá]ximo; mais de; menos de; mais do que; menos do que"),
    "zh": _parts("至少; 最少; 最多; 至多; 不少于; 不多于; 不到; 超过; 多于; 少于; 大于; 小于"),
    "ja": _parts("少なくとも; 最低でも; 最低; 多くても; 多くとも; 最大; 最大で"),
    "ko": _parts("최소; 최소한; 적어도; 최대; 최대한; 많아야; 기껏해야; 못해도"),
}
"""Words that make a number a bound: "at least 2"."""

BOUND_AFTER: Table = {
    "de": _parts("oder mehr; oder weniger; und mehr"),
    "fr": _parts("ou plus; ou moins; et plus"),
    "es": _parts("o m[aá]s; o menos"),
    "it": _parts("o pi[uù]; o meno"),
    "pt": _parts("ou mais; ou menos"),
    "zh": _parts("以上; 以下; 以内; 多"),
    "ja": _parts("以上; 以下; 未満; 以内; を超え; より多; より少"),
    "ko": _parts("이상; 이하; 미만; 초과; 넘; 안팎"),
}

RANGE: Table = {
    "de": _parts("bis; bis zu"),
    "fr": _parts("[aà]"),
    "es": _parts("a; hasta"),
    "it": _parts("a; ai"),
    "pt": _parts("a; at[eé]"),
    "zh": _parts("到; 至; ~"),
    "ja": _parts("から; ないし; ~"),
    "ko": _parts("에서; 내지; 부터; ~"),
}
"""Words between the two ends of a range."""

CORRECTION: Table = {
    "de": _parts(
        "nein; ach nein; sorry; entschuldigung; verzeihung; korrektur; moment; halt; quatsch; besser gesagt; "
        "oder besser; vielmehr; ich meine"
    ),
    "fr": _parts(
        "pardon; d[eé]sol[eé]e?; correction; attendez; attends; ou plut[oô]t; je veux dire; je me trompe; "
        "je me corrige; oups"
    ),
    "es": _parts(
        "perd[oó]n; lo siento; correcci[oó]n; espera; mejor dicho; o mejor; quiero decir; me equivoqu[eé]; disculpa"
    ),
    "it": _parts("scusa; scusate; scusi; correzione; aspetta; anzi; voglio dire; o meglio; mi sbaglio; mi correggo"),
    "pt": _parts("desculpe; desculpa; corre[cç][aã]o; espera; ou melhor; ali[aá]s; quero dizer; me enganei"),
    "zh": _parts("哦不; 抱歉; 对不起; 更正; 等等; 等一下; 说错了; 我错了; 不对; 不不"),
    "ja": _parts("いや; いいえ; 違います; 違う; 違いました; すみません; 失礼; 失礼しました; 訂正; 待って; 間違え"),
    "ko": _parts(
        "아니; 아니요; 아니오; 아뇨; 아니야; 정정; 정정하면; 잠깐만요?; 죄송합니다; 죄송해요; 미안; "
        "다시 (?:생각|계산|확인|보|세); 아니 다시; 실수"
    ),
}
"""Words that begin a correction of what was said before."""

CORRECTION_ALONE: Table = {
    "de": (),
    "fr": _parts("non; ah non"),
    "es": _parts("no; ay no"),
    "it": _parts("no; ah no"),
    "pt": _parts("n[aã]o; ah n[aã]o"),
    "zh": _parts("不; 不是"),
    "ja": _parts("いえ"),
    "ko": (),
}
"""Corrections only if they are a clause of their own: "París, no, Londres", but not "París, no Londres"."""

FINAL: Table = {
    "de": _parts(
        "(?:die |meine |unsere )?(?:richtige |korrekte |finale |endg[uü]ltige |gesuchte )*(?:antwort|"
        "l[oö]sung|(?:end)?ergebnis|antwortm[oö]glichkeit|option)(?: (?:hier|also|darauf))? (?:ist|"
        r"lautet|betr[aä]gt|w[aä]re)(?: (?:also|daher|somit|folglich|deshalb|demnach))?\s*:?; "
        r"(?:antwort|l[oö]sung|(?:end)?ergebnis|fazit)\s*[:：]; "
        r"(?:richtig|korrekt) (?:ist|w[aä]re)(?: (?:also|daher|somit))?(?: (?:antwort|option))?\s*:?; "
        "ich (?:w[aä]hle|nehme|entscheide mich f[uü]r)"
    ),
    "fr": _parts(
        "(?:la |ma |notre )?(?:bonne |seule )?(?:r[eé]ponse|solution|option)(?: (?:correcte|finale|"
        "exacte|juste))?(?: (?:[aà] (?:la|cette) question))? (?:est|serait)(?: (?:donc|"
        r"alors))?\s*:?; (?:le |mon )?r[eé]sultat(?: final)? est(?: donc)?\s*:?; "
        r"(?:r[eé]ponse|solution|r[eé]sultat)(?: (?:finale?|correcte))?\s*[:：]; "
        "je (?:choisis|s[eé]lectionne|dirais)"
    ),
    "es": _parts(
        "(?:la |mi )?(?:respuesta|soluci[oó]n|opci[oó]n|alternativa)(?: (?:correcta|final|"
        r"adecuada))*(?: a (?:la|esta|tu) pregunta)? (?:es|ser[ií]a)(?: (?:entonces|pues))?\s*:?; "
        r"(?:el )?resultado(?: final)? es\s*:?; "
        r"(?:respuesta|soluci[oó]n|resultado)(?: (?:final|correcta))?\s*[:：]; (?:elijo|escojo|selecciono)"
    ),
    "it": _parts(
        "(?:la |l['’ ])?(?:mia )?(?:risposta|soluzione|opzione)(?: (?:corretta|giusta|finale|"
        r"esatta))*(?: alla domanda)? (?:[eè]|sarebbe)(?: (?:quindi|dunque))?\s*:?; "
        r"(?:il )?risultato(?: finale)? [eè](?: quindi)?\s*:?; "
        r"(?:risposta|soluzione|risultato)(?: (?:finale|corretta))?\s*[:：]; (?:scelgo|seleziono)"
    ),
    "pt": _parts(
        "(?:a )?(?:minha )?(?:resposta|solu[cç][aã]o|op[cç][aã]o|alternativa)(?: (?:correta|certa|"
        r"final))*(?: (?:[aà]|para a) pergunta)? (?:[eé]|seria)(?: (?:ent[aã]o|portanto))?\s*:?; "
        r"(?:o )?resultado(?: final)? [eé]\s*:?; "
        r"(?:resposta|solu[cç][aã]o|resultado|gabarito)(?: (?:final|correta))?\s*[:：]; (?:escolho|seleciono)"
    ),
    "zh": _parts(
        "(?:正确|最终|最后|本题)?的?(?:答案|选项|結果|结果|答)(?:就|应该|应当|應該|应)?(?:是|为|為|"
        r"選|选)\s*[:：]?(?:选项)?; (?:正确|最终|最后)?(?:答案|选项|结果|结论|答)\s*[:：](?:选项|选)?; "
        r"(?:故|所以|因此|应该|应|我)(?:应该|应|会)?(?:选择|选)(?:择|项)?\s*[:：]?; "
        "正确的?(?:选项|答案)?(?:是|为)"
    ),
    "ja": _parts(
        r"(?:最終的な|正しい)?(?:答え|解答|回答|正解|答|正答)(?:は|が)[、\s]*(?:選択肢)?[:：]?; "
        r"(?:最終的な|正しい)?(?:答え|解答|回答|正解|答|結論|正答)\s*[:：]; 正しい(?:選択肢|もの)は[、\s]*"
    ),
    "ko": _parts(
        r"(?<![가-힣])(?:최종 ?)?(?:정답|답변|대답|답|해답|결론)(?:은|는)(?: (?:바로|결국))?\s*[:：]?; "
        r"(?<![가-힣])(?:최종 ?)?(?:정답|답변|대답|답|해답|결론|결과)\s*[:：]"
    ),
}
"""What introduces the explicit final answer: "Die Antwort ist", 答案是. The answer follows the match."""

CONCLUSION: Table = {
    "de": _parts("also; daher; somit; folglich; deshalb; insgesamt; zusammen; ergibt; das sind; das macht"),
    "fr": _parts("donc; ainsi; par cons[eé]quent; au total; en tout; cela fait; [cç]a fait; soit"),
    "es": _parts("por lo tanto; por tanto; entonces; as[ií] que; en total; da; luego; son"),
    "it": _parts("quindi; dunque; pertanto; in totale; in tutto; fa; cio[eè]"),
    "pt": _parts("portanto; logo; ent[aã]o; assim; no total; ao todo; d[aá]"),
    "zh": _parts("所以; 因此; 故; 一共; 总共; 共; 等于; 得; 合计; 总计"),
    "ja": _parts("したがって; 従って; よって; だから; 合計; 全部で; 計; つまり; 結局; なので"),
    "ko": _parts("따라서; 그러므로; 그래서; 결국; 결론적으로; 총; 모두; 합계; 합쳐서; 합하면; 전부; 즉; 그러면"),
}
"""Words before the result of a calculation."""

YES: Table = {
    "en": _parts("yes; yeah; yep; true; correct; right"),
    "de": _parts(
        "ja; jawohl; jep; genau; richtig; stimmt; wahr; korrekt; sicher; nat[uü]e?rlich; das stimmt; das ist richtig"
    ),
    "fr": _parts(
        "oui; ouais; vrai; exact; exactement; correct; effectivement; bien s[uû]r; tout [aà] fait; "
        "c['’ ]est (?:vrai|exact|correct)"
    ),
    "es": _parts(
        "s[ií]; verdadero; cierto; correcto; claro; exacto; as[ií] es; por supuesto; es (?:cierto|correcto|verdad)"
    ),
    "it": _parts("s[iì]; vero; corretto; esatto; certo; giusto; certamente; [eè] (?:vero|corretto)"),
    "pt": _parts("sim; verdadeiro; verdade; certo; correto; exato; claro; [eé] (?:verdade|correto)"),
    "zh": _parts("是的?; 对的?; 對的?; 正确; 没错; 沒錯; 真; 有; 可以; 能; 会; 当然"),
    "ja": _parts("はい; ええ; うん; そうです; そう; 正しいです?; その通りです?; 真; 正解です?; もちろんです?"),
    "ko": _parts(
        "네; 예; 응; 그렇습니다; 그래요; 그렇다; 맞습니다; 맞아요?; 맞다; 맞음; 참; 옳습니다; 옳다; "
        "사실입니다; 물론입니다; 물론이죠; 물론; 당연합니다; 맞는 말입니다; 있습니다"
    ),
}
"""Words for yes, true and right."""

NO: Table = {
    "en": _parts("no; nope; nah; false; incorrect; wrong"),
    "de": _parts(
        "nein; nee; n[oö]; falsch; unwahr; inkorrekt; stimmt nicht; das stimmt nicht; "
        "das ist (?:falsch|nicht (?:richtig|wahr|korrekt)); nicht (?:richtig|wahr|korrekt); keineswegs; "
        "auf keinen fall"
    ),
    "fr": _parts(
        "non; nan; faux; incorrect; inexact; pas du tout; c['’ ]est faux; ce n['’ ]est pas (?:vrai|exact|correct)"
    ),
    "es": _parts("no; falso; incorrecto; en absoluto; no es (?:cierto|correcto|verdad|as[ií]); es falso"),
    "it": _parts("no; falso; sbagliato; errato; per niente; non [eè] (?:vero|corretto|cos[iì]); [eè] falso"),
    "pt": _parts("n[aã]o; falso; errado; incorreto; de modo algum; n[aã]o [eé] (?:verdade|correto); [eé] falso"),
    "zh": _parts("不是的?; 不对; 不對; 错误?; 錯; 不正确; 不; 否; 假; 没有; 不可以; 不能; 不会; 并不是; 并非"),
    "ja": _parts(
        "いいえ; いえ; いや; 違います; 違う; ちがいます; そうではありません; 正しくありません; 正しくない; "
        "間違いです?; 誤りです?; 偽; 不正解です?"
    ),
    "ko": _parts(
        "아니요?; 아니오; 아뇨; 아닙니다; 아니에요; 아니다; 아님; 그렇지 않습니다; 그렇지 않아요; "
        "틀렸습니다; 틀립니다; 틀리다; 틀림; 틀렸어요; 거짓; 거짓입니다; 맞지 않습니다; 사실이 아닙니다; "
        "전혀 아닙니다; 없습니다"
    ),
}
"""Words for no, false and wrong."""

ORDINALS: Table = {
    "de": _parts("erste[rsn]?; zweite[rsn]?; dritte[rsn]?; vierte[rsn]?; f[uü]e?nfte[rsn]?; sechste[rsn]?"),
    "fr": _parts("premi[eè]re?; deuxi[eè]me|seconde?; troisi[eè]me; quatri[eè]me; cinqui[eè]me; sixi[eè]me"),
    "es": _parts("primer[ao]?; segund[ao]; tercer[ao]?; cuart[ao]; quint[ao]; sext[ao]"),
    "it": _parts("prim[ao]; second[ao]; terz[ao]; quart[ao]; quint[ao]; sest[ao]"),
    "pt": _parts("primeir[ao]; segund[ao]; terceir[ao]; quart[ao]; quint[ao]; sext[ao]"),
    "zh": _parts("第[一1]; 第[二2]; 第[三3]; 第[四4]; 第[五5]; 第[六6]"),
    "ja": _parts(
        "[一1](?:番|つ)目|[一1]番|第[一1]; [二2](?:番|つ)目|[二2]番|第[二2]; "
        "[三3](?:番|つ)目|[三3]番|第[三3]; [四4](?:番|つ)目|[四4]番|第[四4]; "
        "[五5](?:番|つ)目|[五5]番|第[五5]; [六6](?:番|つ)目|[六6]番|第[六6]"
    ),
    "ko": _parts(
        "첫 ?번째|첫째|1 ?번째?|일번|제 ?1; 두 ?번째|둘째|2 ?번째?|이번(?!에|주|달|엔)|제 ?2; "
        "세 ?번째|셋째|3 ?번째?|삼번|제 ?3; 네 ?번째|넷째|4 ?번째?|사번|제 ?4; "
        "다섯 ?번째|다섯째|5 ?번째?|오번|제 ?5; 여섯 ?번째|여섯째|6 ?번째?|육번|제 ?6"
    ),
}
"""Ordinals that name a choice by its place, the first to the sixth."""

OPTION: Table = {
    "de": _parts("option; antwort; antwortm[oö]glichkeit; m[oö]glichkeit; auswahl; variante; aussage"),
    "fr": _parts("option; r[eé]ponse; proposition; choix; possibilit[eé]"),
    "es": _parts("opci[oó]n; respuesta; alternativa; elecci[oó]n"),
    "it": _parts("opzione; risposta; scelta; alternativa"),
    "pt": _parts("op[cç][aã]o; resposta; alternativa; escolha"),
    "zh": _parts("个?选项; 项; 个; 种; 个答案"),
    "ja": _parts("の?選択肢; の?答え; の?もの; "),
    "ko": _parts("보기; 선택지; 선지; 답; 항목; 것; "),
}
"""Nouns for a choice."""


def any_of(table: Table, language: str) -> str:
    """One non-capturing group of a language's fragments; it never matches if there are none."""
    parts = table.get(language, ())
    return f"(?:{'|'.join(sorted(parts, key=len, reverse=True))})" if parts else r"(?!)"
