"""Units after a number, and money, get one spelling: "5 kilometres" -> 5 km, "$5" -> 5 dollar."""

from __future__ import annotations

from omnigap_orchestrator.scoring.normalise.numbers import is_number

_NAMES: dict[str, str] = {
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
"""Every spelling of a unit -> its canonical one."""
for _canonical, _others in _NAMES.items():
    for _name in (_canonical, *_others.split()):
        ALIASES[_name] = ALIASES[_name + "s"] = _canonical
# "5 ms" are milliseconds, "5 ls" nothing: one-letter symbols have no plural ("gs", "hs"), and "wons" is no word.
for _symbol in ("m", "g", "l", "h", "w", "v", "j", "n"):
    ALIASES.pop(_symbol + "s", None)

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
"""The canonical units, as they follow a number in normalised text."""


def convert(tokens: list[str]) -> list[str]:
    """Rewrites what stands behind each number; words that follow no number are left alone."""
    result: list[str] = []
    i = 0
    while i < len(tokens):
        token = tokens[i]
        if token == "us" and tokens[i + 1 : i + 2] in (["$"], ["dollar"], ["dollars"]):
            i += 1  # US$5 and "five US dollars" are the same money
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
    """The unit that begins at i, canonical, and the index behind it; nothing and i where there is none."""

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
    # kilometers per hour, km an hour, km/h (whose stroke is a break by now)
    if at(end) in ("per", "an", ",") and at(end + 1) in ALIASES and (at(end) == "per" or at(end + 1) in _TIMES):
        if at(end) == "," and at(end + 1) not in ("h", "s"):
            return unit, end
        per = "second" if at(end + 1) == "s" else ALIASES[at(end + 1)]
        return [*unit, "per", per], end + 2
    return unit, end


_TIMES = frozenset(("h", "hr", "hour", "s", "sec", "second", "minute", "min", "day", "year"))
ALIASES["s"] = "second"


def _cents(tokens: list[str]) -> list[str]:
    """ "5 dollar and 20 cent" -> 5.2 dollar, as "$5.20" becomes."""
    for i, token in enumerate(tokens):
        if token not in ("dollar", "euro") or i == 0 or not tokens[i - 1].isdigit():
            continue
        start = i + 2 if tokens[i + 1 : i + 2] == ["and"] else i + 1
        if tokens[start + 1 : start + 2] == ["cent"] and tokens[start].isdigit() and int(tokens[start]) < 100:
            amount = f"{tokens[i - 1]}.{int(tokens[start]):02d}".rstrip("0").rstrip(".")
            return [*tokens[: i - 1], amount, token, *_cents(tokens[start + 2 :])]
    return tokens
