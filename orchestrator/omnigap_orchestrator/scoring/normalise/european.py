"""Normalises German, French, Spanish, Italian and Portuguese: numbers, dates and letters in the form of English text.

"einundzwanzig" -> 21, "3.500.000" -> 3500000, "trois virgule cinq" -> 3.5, "le 14 juillet 1789" -> "le july 14 1789".
The names of months and the decimal sign come from CLDR (babel), number words from text2num.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from omnigap_orchestrator.scoring.normalise.quantities import MONTHS

LANGUAGES = ("de", "fr", "es", "it", "pt")
_MAX_PASSES = 6


@dataclass(frozen=True)
class _Rules:
    """What a language has beside its locale data; patterns match lower-case text with its diacritics.

    Attributes:
        spellings: other spellings of number words than those which text2num reads.
        first: the first day of a month, which is an ordinal there.
        preposition: words between day, month and year.
        half: "and a half" after a number.
        minus: words for a minus sign.
        percent: words for "percent".
        zero: words for zero.
        folds: letters that are written differently without their diacritic; all other diacritics are dropped.
        kept: letters whose diacritic makes another letter.
    """

    first: str
    preposition: str
    half: str
    minus: str
    percent: str
    zero: str
    spellings: tuple[tuple[str, str], ...] = ()
    folds: tuple[tuple[str, str], ...] = ()
    kept: str = ""


_RULES = {
    "de": _Rules(
        first=r"erste[rn]?",
        preposition=r"(?:des jahres|im jahre?)",
        half=r"(?:und )?(?:einhalb|ein halb(?:e[rs]?)?|eine halbe)",
        minus=r"minus",
        percent=r"prozent",
        zero=r"null",
        spellings=(
            (r"\bmio\b\.?", "millionen"),
            (r"\bmrd\b\.?", "milliarden"),
            (r"fuenf", "fünf"),
            (r"zwoelf", "zwölf"),
            (r"\bzwo\b", "zwei"),
            # "vierhunderteinstausend", as 401000 is also written.
            (r"hunderteinstausend", "hunderteintausend"),
            (r"(?<=[a-zäöüß])einhalb\b", " einhalb"),
            (r"\banderthalb\b", "1,5"),
            # The article is part of the numeral: "eine Million".
            (r"\bein(?:e|er|en)? (?=(?:million|milliarde|billion)\b)", ""),
        ),
        folds=(("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")),
    ),
    "fr": _Rules(
        first=r"premier",
        preposition=r"(?:de|en)",
        half=r"et demie?",
        minus=r"moins",
        percent=r"pour ?cent",
        zero=r"z[ée]ro",
        folds=(("œ", "oe"), ("æ", "ae")),
    ),
    "es": _Rules(
        first=r"primero",
        preposition=r"(?:del? año|del?)",
        half=r"y medi[oa]",
        minus=r"menos",
        percent=r"por ?ciento",
        zero=r"cero",
        spellings=(
            (r"\bveintidos\b", "veintidós"),
            (r"\bveintitres\b", "veintitrés"),
            (r"\bveintiseis\b", "veintiséis"),
            (r"\bdieciseis\b", "dieciséis"),
            (r"\bun millon\b", "un millón"),
        ),
        kept="ñ",
    ),
    "it": _Rules(
        first=r"primo",
        preposition=r"(?:del|di)",
        half=r"e mezz[oa]",
        minus=r"meno",
        percent=r"per ?cento",
        zero=r"zero",
        spellings=((r"(?<=\d )mila\b", "mille"), (r"cent(?=ott|un[oaid])", "cento")),
    ),
    "pt": _Rules(
        first=r"primeiro",
        preposition=r"(?:do ano de|de|do)",
        half=r"e mei[oa]",
        minus=r"menos",
        percent=r"por ?cento",
        zero=r"zero",
        spellings=(
            (r"(?<=\d) ponto (?=\d)", "."),
            (r"\bponto (?=(?:zero|um|dois|três|quatro|cinco|seis|sete|oito|nove)\b)", "vírgula "),
        ),
    ),
}


@cache
def _symbols(tag: str) -> tuple[str, dict[str, int]]:
    """The decimal sign of a locale, and its names of months -> 1 to 12, in lower case and without a final point."""
    # Here and not at the top: English and Korean runs start without babel.
    from babel import Locale, UnknownLocaleError

    try:
        locale = Locale.parse(tag.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        locale = Locale.parse(tag.partition("-")[0])
    names = {
        name.lower().rstrip("."): month
        for context in ("format", "stand-alone")
        for width in ("wide", "abbreviated")
        for month, name in locale.months[context][width].items()
    }
    return locale.number_symbols["latn"]["decimal"], names


@dataclass(frozen=True)
class _Dates:
    """The patterns of one locale's dates."""

    day_first: re.Pattern[str]
    month_year: re.Pattern[str]
    month: re.Pattern[str]
    names: dict[str, int]


@cache
def _dates(tag: str) -> _Dates:
    rules = _RULES[tag.partition("-")[0]]
    names = _symbols(tag)[1]
    # Spelled without diacritics too: "marz", "fevrier".
    names = {_without_marks(name): month for name, month in names.items()} | names
    names |= {"sept": 9} if "sept" not in names else {}
    any_name = "|".join(sorted((re.escape(name) for name in names), key=len, reverse=True))
    wide = "|".join(sorted((re.escape(name) for name in names if len(name) > 3), key=len, reverse=True))
    between = rf"(?: {rules.preposition})?"
    return _Dates(
        re.compile(
            rf"(?<![\w.,])(?P<day>\d{{1,2}})(?:\.|er)?{between} (?P<month>{any_name})\b\.?"
            rf"(?:,?{between} (?P<year>[1-9]\d{{2,3}})(?![\d.,]*\d))?"
        ),
        re.compile(rf"(?<!\w)(?P<month>{any_name})\b\.?{between} (?P<year>[1-9]\d{{2,3}})(?![\d.,]*\d)"),
        re.compile(rf"(?<!\w)(?P<month>{wide})\b"),
        names,
    )


def normalise_european(text: str, tag: str) -> str:
    """Lower-case words and digits separated by single spaces, with numbers and dates as in normalised English.

    The function is idempotent, but for decimals of three places where the comma is the decimal sign: 1,234 becomes
    1.234, which means 1234 in German.

    Args:
        tag: BCP-47 tag in lower case; its region decides the decimal sign (3.5 in es-MX and de-CH).
    """
    decimal = _symbols(tag)[0]
    # A date or number that one pass makes can be part of another, so passes repeat until nothing changes. Only the
    # first one sees the signs of the locale.
    for _ in range(_MAX_PASSES):
        before, text = text, _once(text, tag, decimal)
        if text == before:
            break
        decimal = "."
    return text


def _once(text: str, tag: str, decimal: str) -> str:
    rules = _RULES[tag.partition("-")[0]]
    # These three mark the characters that are kept below.
    text = text.translate({0: " ", 1: " ", 2: " "})
    # An ordinal sign would become a letter: 1º.
    text = _ORDINAL_SIGN.sub("", text)
    text = unicodedata.normalize("NFKC", text.replace("½", " 1/2")).lower().replace("−", "-").replace("’", "'")
    for pattern, replacement in rules.spellings:
        text = re.sub(pattern, replacement, text)
    # Before number words: dez. is December in Portuguese, sept. September in French.
    text = _named_dates(text, tag, rules, bare=False)
    # Before number words too: "por cento" is no hundred.
    text = re.sub(rf"(?<=\w) {rules.percent}\b", " percent", text)
    text = _words_to_digits(text, tag.partition("-")[0], rules)
    if any(c.isdecimal() for c in text):
        text = _ISO.sub(lambda match: _date(match[4], int(match[3]), match[1]) or match[0], text)
        text = _NUMERIC_DATE.sub(lambda match: _date(match[1], int(match[3]), match[4]) or match[0], text)
        text = _NUMBER.sub(lambda match: plain_number(match[0], decimal), text)
        text = re.sub(rf"(?<![\w.])(\d+) {rules.half}\b", r"\1.5", text)
        text = _MULTIPLE.sub(_product, text)
        text = re.sub(rf"(?<!\w){rules.minus} (?=\d)", "-", text)
    text = _named_dates(text, tag, rules, bare=True)
    text = re.sub(rf"(?<=\d){rules.percent}\b", " percent", text)
    for symbol, word in _SYMBOLS.items():
        text = text.replace(symbol, word)
    # Points, fraction bars and minus signs of numbers are protected while punctuation is removed.
    text = _KEPT.sub(lambda match: {".": "\0", "/": "\1", "-": "\2"}[match[0]], text)
    text = "".join(c if unicodedata.category(c)[0] in "LNM" or c in "\0\1\2" else " " for c in text)
    return _fold(" ".join(text.translate({0: ".", 1: "/", 2: "-"}).split()), rules)


_ORDINAL_SIGN = re.compile(r"(?<=\d)[ºª°](?!\s?[CF]\b)")
_ISO = re.compile(r"(?<![\w.-])(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?![\w-])")
_NUMERIC_DATE = re.compile(r"(?<![\w./-])(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?![\w/-])")
_NUMBER = re.compile(
    r"(?<![\w.,])(?:\d{1,3}(?:[ \u00a0\u202f\u2009'’]\d{3})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,]\d+)+|\d+)(?=[^\d]|$)"
)
# 3,5 Millionen, 2 mille: text2num has made a number of the second word.
_MULTIPLE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?) (1000(?:000){0,3})(?![\d.])")
_GROUPED = re.compile(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*")
_KEPT = re.compile(r"(?<=\d)\.(?=\d)|(?<=\d)/(?=\d)|(?<![^\s(])-(?=\d)")
_SYMBOLS = {"%": " percent ", "€": " euro ", "$": " dollar ", "£": " pound ", "½": " 1/2 "}


def _words_to_digits(text: str, language: str, rules: _Rules) -> str:
    # Here and not at the top: English and Korean runs start without it.
    from text_to_num import alpha2digit

    # With this threshold the words for one, which are also articles, stay unless they are part of a numeral.
    text = alpha2digit(text, language, 1.5)
    return re.sub(rf"\b{rules.zero}\b", "0", text)


def plain_number(written: str, decimal: str) -> str:
    """A number with separators as plain digits with a point: 1.234,56 -> 1234.56, 3,50 -> 3.5.

    A single separator before exactly three digits is the locale's decimal sign, or else separates thousands. With other
    digits after it, it is a decimal sign, since a number that is written with the sign of another locale cannot be
    meant otherwise.
    """
    text = re.sub(r"[\s'’]", "", written)
    last = max(text.rfind("."), text.rfind(","))
    if last < 0:
        return _trimmed(text, "")
    mark = text[last]
    if text.count(mark) > 1:
        if not _GROUPED.fullmatch(text):
            return written
        return _trimmed(text.replace(mark, ""), "")
    other = "." if mark == "," else ","
    whole, part = text[:last].replace(other, ""), text[last + 1 :]
    if other not in text and mark != decimal and _GROUPED.fullmatch(text) and whole.lstrip("0"):
        return _trimmed(whole + part, "")
    return _trimmed(whole, part)


def _product(match: re.Match[str]) -> str:
    product = Fraction(match[1]) * int(match[2])
    before = match.string[: match.start()].split()
    # Not the day and the year of a date.
    if product.denominator != 1 or Fraction(match[1]) >= int(match[2]) or (before and before[-1] in MONTHS):
        return match[0]
    return str(product)


def _trimmed(whole: str, part: str) -> str:
    part = part.rstrip("0")
    # 007 keeps its zeros, as digits that are read one by one.
    whole = (whole.lstrip("0") or "0") if part else whole
    return f"{whole}.{part}" if part else whole


def _date(day: str, month: int, year: str) -> str | None:
    if not (1 <= month <= 12 and 1 <= int(day) <= 31):
        return None
    return f"{MONTHS[month - 1]} {int(day)} {int(year)}"


def _named_dates(text: str, tag: str, rules: _Rules, *, bare: bool) -> str:
    dates = _dates(tag)
    month_first = rf"(?<!\w){rules.first}(?= (?:{rules.preposition} )?(?:{'|'.join(map(re.escape, dates.names))})\b)"
    text = re.sub(month_first, "1", text)

    def written(match: re.Match[str]) -> str:
        parts = match.groupdict()
        day = parts.get("day")
        if day is not None and not 1 <= int(day) <= 31:
            return match[0]
        name = MONTHS[dates.names[match["month"]] - 1]
        return " ".join(part for part in (name, day and str(int(day)), parts.get("year")) if part)

    text = dates.day_first.sub(written, text)
    text = dates.month_year.sub(written, text)
    if not bare:
        return text
    return dates.month.sub(lambda match: MONTHS[dates.names[match[1]] - 1], text)


def _without_marks(text: str) -> str:
    text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", text)


@cache
def _fold_table(rules: _Rules) -> dict[int, str]:
    table = {ord(c): _without_marks(c) for c in map(chr, range(0xC0, 0x250)) if c not in rules.kept}
    return table | {ord(c): written for c, written in rules.folds}


def _fold(text: str, rules: _Rules) -> str:
    """Without the diacritics that the language's users leave out: paris for París, but año is not ano."""
    return text if text.isascii() else text.translate(_fold_table(rules))
