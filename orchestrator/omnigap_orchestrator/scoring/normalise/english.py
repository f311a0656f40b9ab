"""Normalises English, so that texts with the same content become equal, however they are written or transcribed.

The steps: fold case and diacritics, tokenise, convert numbers, units and dates, unify spellings, and drop articles.
"""

from __future__ import annotations

import re
import unicodedata

from omnigap_orchestrator.scoring.normalise import numbers
from omnigap_orchestrator.scoring.normalise.clock import clock, convert_clock
from omnigap_orchestrator.scoring.normalise.numbers import BREAK, listed
from omnigap_orchestrator.scoring.normalise.powers import convert_powers, expand_written_numbers
from omnigap_orchestrator.scoring.normalise.quantities import convert_dates, convert_units, has_date
from omnigap_orchestrator.scoring.normalise.spelling import AMERICAN

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
    # Roman numerals and scale suffixes (5M) are recognised by their case, so they are converted before folding.
    text = _ROMAN.sub(lambda match: str(_ROMANS[match[0]]), remove_events(text))
    # The output of one rule can be input of an earlier one, so passes repeat until nothing changes. This also makes the
    # function idempotent. The limit only guards against a cycle.
    for _ in range(_MAX_PASSES):
        before, text = text, _once(text, day_first)
        if text == before:
            break
    return text


def _once(text: str, day_first: bool) -> str:
    tokens = _tokenise(_fold(expand_written_numbers(text)))
    # Most answers are a few plain words: the checks skip the slow steps for them.
    if any(token in numbers.STARTS or not token.isalpha() for token in tokens):
        tokens = convert_units(convert_powers(numbers.convert(convert_clock(tokens))))
    if has_date(tokens):
        tokens = convert_dates(tokens, day_first=day_first)
    words = _words([token for token in tokens if token != BREAK])
    kept = [word for i, word in enumerate(words) if not _is_dropped(words, i)]
    # An answer that consists of articles only must not become empty.
    return " ".join(kept or words)


def _is_dropped(words: list[str], i: int) -> bool:
    """Whether a word is an article or a filler such as "uh"."""
    if words[i] in _FILLERS:
        return not (words[i] == "mm" and i and numbers.is_number(words[i - 1]))  # 5 mm is a length
    # A final "a" is kept, since it is the letter in "option a".
    is_letter = words[i] == "a" and (i + 1 == len(words) or (i > 0 and words[i - 1] in _LETTERED))
    return words[i] in _ARTICLES and not is_letter


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

# Noises that a transcript names in brackets. In round brackets only those that are hardly ever part of an answer.
_EVENTS = listed(
    "laughter laughs laughing laugh noise noises applause inaudible unintelligible crosstalk cough coughs coughing",
    "sigh sighs sighing silence chuckle chuckles chuckling gasp gasps sneeze sneezes clapping cheering breathing",
    "breath blank_audio static unk um uh",
)
_BRACKETED = listed("music beep pause sound sounds background foreign clears speaking")
_EVENT = re.compile(
    rf"[\[<*♪][^\[\]<>*♪\n]{{0,20}}\b(?:{'|'.join([*_EVENTS, *_BRACKETED])})\b[^\[\]<>*♪\n]{{0,20}}[\]>*♪]"
    rf"|\((?:\w+ )?(?:{'|'.join(_EVENTS)})(?: \w+)?\)",
    re.IGNORECASE,
)


def remove_events(text: str) -> str:
    """The text without tags such as [laughter], (coughs) and <unk>, which name what no speaker said."""
    return _EVENT.sub(" ", text) if any(c in "[(<*♪" for c in text) else text


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
        (r"\by'all\b", "you all"),
        (r"\bma'am\b", "madam"),
        (r"'(cause|em|til|bout)\b", r"\1"),
    )
)

# "He's gone" and "he'd gone" are not "he is gone" and "he would gone".
_PERFECT = re.compile(
    r"(?<=[a-z])'(s|d) (?=(?:(?:already|never|just|always|also|not) )?(?:been|gone|got|had|become)\b)"
)

# Spoken forms that a transcript may write out.
_SPOKEN = {
    "gonna": "going to",
    "wanna": "want to",
    "gotta": "got to",
    "gimme": "give me",
    "lemme": "let me",
    "kinda": "kind of",
    "sorta": "sort of",
    "outta": "out of",
    "dunno": "do not know",
    "coulda": "could have",
    "woulda": "would have",
    "shoulda": "should have",
    "imma": "i am going to",
    "cuz": "because",
    "alright": "all right",
}
_SPOKEN_WORD = re.compile(rf"\b(?:{'|'.join(_SPOKEN)})\b")
_FILLERS = frozenset(listed("uh uhh uhm um umm hmm hm mm mmm mhm erm"))

# Letters with points: U.S., Ph.D., a.m.
_INITIALS = re.compile(r"(?<![\w.])(?:(?:ph|[^\W\d_])\.)+[^\W\d_]\b\.?(?!\w)")
# "No. 5" is number 5. After a full stop or a question mark it is more likely an answer: "8? No. 6."
_NUMBER_SIGN = re.compile(r"(?<![?!.] )\bno\. ?(?=\d)")

# Contractions without apostrophe, as some ASR models write them. "Its", "hell" and "were" are words and are left out.
_BARE_CONTRACTION = re.compile(
    r"\b(?:wont|cant|cannot|(?:do|does|did|is|are|was|were|has|have|had|could|would|should|must|might)nt)\b"
)


def _fold(text: str) -> str:
    """Lower case, ASCII apostrophes and hyphens, no diacritics, contractions written out."""
    if not text.isascii():
        text = text.replace("№", "number ")
        text = unicodedata.normalize("NFKC", _VULGAR.sub(" ", text)).lower().translate(_ASCII_FOLDS)
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
        text = unicodedata.normalize("NFC", text).translate(_ASCII_FOLDS)
    text = _FEET.sub(" ", text.lower())
    if "." in text:
        text = _NUMBER_SIGN.sub("number ", _INITIALS.sub(lambda match: match[0].replace(".", "") + " ", text))
    text = _SPOKEN_WORD.sub(lambda match: _SPOKEN[match[0]], text)
    if "'" in text or _BARE_CONTRACTION.search(text):
        text = _PERFECT.sub(lambda match: {"s": " has ", "d": " had "}[match[1]], text)
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
            tokens.extend(clock(int(match["hour"]), int(match["minute"])))
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
    if suffix in _ORDINAL_SUFFIXES and len(number) == 1 and number[0].isdigit() and numbers.is_number(number[0]):
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
            result += _joined(tokens[i:end], result[-1:], tokens[end : end + 2])
            i = end
        elif token == "ph" and tokens[i + 1 : i + 2] == ["d"]:
            result.append("phd")
            i += 2
        elif token == "oclock" and _is_half_of_day(tokens, i + 1):
            i += 1  # 7:00 pm is 7 pm
        else:
            is_last = i + 1 == len(tokens) or tokens[i + 1] in _AFTER_STREET or not tokens[i + 1].isalpha()
            if token in _STREETS and i and tokens[i - 1].isalpha() and tokens[i - 1] not in _BEFORE_TITLE and is_last:
                token = _STREETS[token]
            elif token == "st" and i + 1 < len(tokens) and tokens[i + 1].isalpha():
                token = "saint"
            elif token == "ft" and not is_last and not (i and tokens[i - 1][-1].isdigit()):
                token = "fort"
            result.append(_WORDS.get(token, token))
            i += 1
    return result


def _is_half_of_day(tokens: list[str], i: int) -> bool:
    return tokens[i : i + 1] in (["am"], ["pm"]) or tokens[i : i + 2] in (["a", "m"], ["p", "m"])


# "St." before a name is Saint, "Dr." Doctor. After a name, at the end or before one of these words, it is an address.
_STREETS = {"st": "street", "dr": "drive", "ave": "avenue", "rd": "road", "ln": "lane"}
_AFTER_STREET = frozenset(listed("in at on near and is was to for of with by or from between corner but where"))
_BEFORE_TITLE = frozenset(listed("the a an my and by of from to with his her our your says said hello hi yes no"))


def _joined(letters: list[str], before: list[str], after: list[str]) -> list[str]:
    """Joins a run of single letters, except an article before it and a pronoun "I" after it.

    Args:
        before: the word before the run, if there is one.
        after: the two words after it: in "a t and t", "a" is no article.
    """
    head: list[str] = []
    tail: list[str] = []
    is_time = letters == ["a", "m"] and bool(before) and (before[0][-1].isdigit() or before[0] == "oclock")
    is_firm = len(after) == 2 and after[0] == "and" and len(after[1]) == 1 and after[1].isalpha()
    if len(letters) == 2 and letters[0] == "a" and not is_time and not is_firm:
        head, letters = letters[:1], letters[1:]
    if len(letters) > 1 and letters[-1] == "i":
        letters, tail = letters[:-1], letters[-1:]
    return [*head, "".join(letters), *tail]


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
    "blvd": "boulevard",
    "ok": "okay",
    "wwi": "world war 1",
    "wwii": "world war 2",
    "ww1": "world war 1",
    "ww2": "world war 2",
} | AMERICAN
