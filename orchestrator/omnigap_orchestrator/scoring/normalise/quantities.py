"""Converts English dates and units to one form: "4th of July, 1969" -> july 4 1969, "$5" -> 5 dollar."""

from __future__ import annotations

import re

from omnigap_orchestrator.scoring.normalise.numbers import BREAK, is_number, listed

MONTHS = listed("january february march april may june july august september october november december")
_SHORT = {name[:3]: name for name in MONTHS if name != "may"} | {"sept": "september"}
_AMBIGUOUS = frozenset(("may", "march"))
"""Months that are also common words: a number before them is not enough to make a date."""

_DAY = re.compile(r"(?:[1-9]|[12]\d|3[01])(st|nd|rd|th)?")
_YEAR = re.compile(r"[1-9]\d{2,3}")
_MONTH_NAMES = frozenset(MONTHS) | frozenset(_SHORT)


def _day(token: str) -> str | None:
    match = _DAY.fullmatch(token)
    return (token[: -len(match[1])] if match[1] else token) if match else None


def _month(token: str) -> str | None:
    return token if token in MONTHS else _SHORT.get(token)


def _is_year(token: str) -> bool:
    return _YEAR.fullmatch(token) is not None


def has_date(tokens: list[str]) -> bool:
    """Whether any token could belong to a date; if not, `convert_dates` would change nothing."""
    return any(token in _MONTH_NAMES or ":" in token for token in tokens)


def convert_dates(tokens: list[str], *, day_first: bool = False) -> list[str]:
    """Rewrites every date in the tokens.

    Args:
        day_first: whether 4/7/1969, in which both parts could be a month, is 4 July (else April 7).
    """
    result: list[str] = []
    i = 0
    while i < len(tokens):
        written, end = _digits(tokens[i], day_first), i + 1
        if written is None:
            written, end = _date(tokens, i)
        if written is None:
            result.append(tokens[i])
            i += 1
        else:
            result.extend(written)
            i = end
    return result


def _digits(token: str, day_first: bool) -> list[str] | None:
    """A date in digits, as marked by the tokeniser; an impossible date becomes separate numbers."""
    kind, colon, rest = token.partition(":")
    if not colon:
        return None
    parts = rest.replace("/", "-").split("-")
    if kind == "iso":
        year, month, day = parts
    else:
        first, second, year = parts
        month, day = (second, first) if (day_first and int(second) <= 12) or int(first) > 12 else (first, second)
    if 1 <= int(month) <= 12 and 1 <= int(day) <= 31 and int(year) >= 100:
        return [MONTHS[int(month) - 1], str(int(day)), str(int(year))]
    return [str(int(part)) for part in parts]


def _date(tokens: list[str], i: int) -> tuple[list[str] | None, int]:
    """A date in words at i: its canonical tokens and the index after it."""

    def at(k: int) -> str:
        return tokens[k] if k < len(tokens) else ""

    def with_year(month: str, day: str, end: int) -> tuple[list[str], int]:
        for skip in (1, 0):
            if skip and at(end) not in (BREAK, "of"):
                continue
            if _is_year(at(end + skip)):
                return [month, day, at(end + skip)], end + skip + 1
        return [month, day], end

    # 1969 july 4
    if _is_year(at(i)) and (month := _month(at(i + 1))) and (day := _day(at(i + 2))):
        return [month, day, at(i)], i + 3
    # july 4, july the 4th, july 1969
    if month := _month(at(i)):
        start = i + 2 if at(i + 1) == "the" else i + 1
        if day := _day(at(start)):
            return with_year(month, day, start + 1)
        year = i + 2 if at(i + 1) in (BREAK, "of") else i + 1
        if _is_year(at(year)) and (at(i) == month or year == i + 1):
            return [month, at(year)], year + 1
        return None, i
    # 4 july, 4th july, the 4th of july, the 4th day of july
    start = i + 1 if at(i) == "the" else i
    if day := _day(at(start)):
        after = start + 2 if at(start + 1) == "day" and at(start + 2) == "of" else start + 1
        named = after + 1 if at(after) == "of" else after
        if month := _month(at(named)):
            # "the 4 may" needs more evidence than "the 4 july": an "of", an ordinal, a year, or the end of the text.
            sure = named > after or day != at(start) or at(named) not in _AMBIGUOUS or _is_year(at(named + 1))
            if (sure or named + 1 == len(tokens)) and _day(at(named + 1)) is None:
                return with_year(month, day, named + 1)
    return None, i


_UNIT_NAMES: dict[str, str] = {
    # canonical: other spellings, in singular; plurals are added below
    "km": "kilometer kilometre",
    "m": "meter metre",
    "cm": "centimeter centimetre",
    "mm": "millimeter millimetre",
    "nm": "nanometer nanometre",
    "kg": "kilogram kilogramme kilo",
    "g": "gram gramme gm",
    "mg": "milligram milligramme",
    "tonne": "ton",
    "l": "liter litre",
    "ml": "milliliter millilitre",
    "mile": "mi",
    "yard": "yd",
    "inch": "",
    "pound": "lb",
    "ounce": "oz",
    "hour": "hr h",
    "minute": "min",
    "second": "sec",
    "day": "",
    "week": "wk",
    "month": "",
    "year": "yr",
    "century": "",
    "decade": "",
    "percent": "pct",
    "degree": "deg",
    "celsius": "centigrade",
    "fahrenheit": "",
    "kelvin": "",
    "dollar": "usd buck",
    "cent": "",
    "euro": "eur",
    "pence": "",
    "yen": "jpy",
    "won": "krw",
    "hz": "hertz",
    "khz": "kilohertz",
    "mhz": "megahertz",
    "ghz": "gigahertz",
    "w": "watt",
    "kw": "kilowatt",
    "v": "volt",
    "j": "joule",
    "n": "newton",
    "kb": "kilobyte",
    "mb": "megabyte",
    "gb": "gigabyte",
    "tb": "terabyte",
    "acre": "",
    "hectare": "ha",
}
_IRREGULAR = {"foot": "foot", "feet": "foot", "ft": "foot", "inches": "inch", "centuries": "century"}

ALIASES: dict[str, str] = dict(_IRREGULAR)
"""Every spelling of a unit -> its canonical name."""
for _canonical, _others in _UNIT_NAMES.items():
    for _name in (_canonical, *_others.split()):
        ALIASES[_name] = ALIASES[_name + "s"] = _canonical
# One-letter symbols have no plural: "5 ms" are milliseconds, and not 5 metres.
for _symbol in ("m", "g", "l", "h", "w", "v", "j", "n"):
    ALIASES.pop(_symbol + "s", None)
ALIASES["s"] = "second"  # after the plurals, so that "ss" is not one

# Units of time that may follow "an" or a slash: "km an hour", "km/h".
_TIMES = frozenset(("h", "hr", "hour", "s", "sec", "second", "minute", "min", "day", "year"))

_COMPOUND = {
    "kmh": ("km", "per", "hour"),
    "kph": ("km", "per", "hour"),
    "mph": ("mile", "per", "hour"),
    "km2": ("square", "km"),
    "m2": ("square", "m"),
    "cm2": ("square", "cm"),
    "m3": ("cubic", "m"),
    "cm3": ("cubic", "cm"),
    "sqm": ("square", "m"),
    "sqkm": ("square", "km"),
}
_SCALES_OF_DEGREES = {"c": "celsius", "f": "fahrenheit", "celsius": "celsius", "centigrade": "celsius"} | {
    "fahrenheit": "fahrenheit",
    "kelvin": "kelvin",
}
_SIGNS = {"$": "dollar", "€": "euro", "£": "pound", "¥": "yen", "₩": "won"}
UNITS = frozenset(ALIASES.values())
"""The canonical units that can follow a number in normalised text."""


def convert_units(tokens: list[str]) -> list[str]:
    """Rewrites the unit after each number. Words that do not follow a number are unchanged."""
    result: list[str] = []
    i = 0
    while i < len(tokens):
        token = tokens[i]
        # US$5 and "five US dollars" are the same amount.
        if token == "us" and tokens[i + 1 : i + 2] in (["$"], ["dollar"], ["dollars"]):
            i += 1
            continue
        if token in _SIGNS:
            if i + 1 < len(tokens) and is_number(tokens[i + 1]):
                result += [tokens[i + 1], _SIGNS[token]]
                i += 2
            elif result and is_number(result[-1]):
                result.append(_SIGNS[token])
                i += 1
            else:
                result.append(_SIGNS[token])
                i += 1
            continue
        if result and (is_number(result[-1]) or "/" in result[-1]):
            unit, i = _unit(tokens, i)
            if unit:
                result += unit
                continue
            token = tokens[i]
        result.append(token)
        i += 1
    return _cents(result)


def _unit(tokens: list[str], i: int) -> tuple[list[str], int]:
    """The canonical unit that begins at i and the index after it; an empty list and i if there is none."""

    def at(k: int) -> str:
        return tokens[k] if k < len(tokens) else ""

    token = at(i)
    if token == "per" and at(i + 1) == "cent":
        return ["percent"], i + 2
    if token in ("degree", "degrees") and at(i + 1) in _SCALES_OF_DEGREES:
        return [_SCALES_OF_DEGREES[at(i + 1)]], i + 2
    if token in _COMPOUND:
        return list(_COMPOUND[token]), i + 1
    if token in ("square", "cubic", "sq") and at(i + 1) in ALIASES:
        return ["cubic" if token == "cubic" else "square", ALIASES[at(i + 1)]], i + 2
    if token not in ALIASES:
        return [], i
    unit, end = [ALIASES[token]], i + 1
    if at(end) == "," and at(end + 1) == "s2":
        return [*unit, "per", "second", "squared"], end + 2
    # "kilometers per hour", "km an hour", "km/h", in which the tokeniser has replaced the slash with a break
    if at(end) in ("per", "a", "an", ",") and at(end + 1) in ALIASES and (at(end) == "per" or at(end + 1) in _TIMES):
        if at(end) == "," and at(end + 1) not in ("h", "s"):
            return unit, end
        per = "second" if at(end + 1) == "s" else ALIASES[at(end + 1)]
        return [*unit, "per", per], end + 2
    return unit, end


def _cents(tokens: list[str]) -> list[str]:
    """ "5 dollar and 20 cent" -> 5.2 dollar, the same as "$5.20"."""
    for i, token in enumerate(tokens):
        if token not in ("dollar", "euro") or i == 0 or not tokens[i - 1].isdigit():
            continue
        start = i + 2 if tokens[i + 1 : i + 2] == ["and"] else i + 1
        if tokens[start + 1 : start + 2] == ["cent"] and tokens[start].isdigit() and int(tokens[start]) < 100:
            amount = f"{tokens[i - 1]}.{int(tokens[start]):02d}".rstrip("0").rstrip(".")
            return [*tokens[: i - 1], amount, token, *_cents(tokens[start + 2 :])]
    return tokens
