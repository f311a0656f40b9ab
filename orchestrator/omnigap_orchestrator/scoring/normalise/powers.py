"""Written numbers that are more than digits: powers, scientific notation, separators of thousands, scale suffixes."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

_MAX_EXPONENT = 100
"""Powers beyond it stay as they are written, so that a text cannot ask for a number of a million digits."""

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
# After a digit only: the 2 of m² belongs to a unit.
_RAISED = re.compile(r"(?<=\d)[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_POINTED = re.compile(r"(?<![\w.,])\d{1,3}(?:\.\d{3}){2,}(?![\w.]*\d)")
# Apostrophe, and the spaces that no keyboard types between two words: thin, narrow and non-breaking.
_SPACED = re.compile(r"(?<![\w.,])\d{1,3}(?:['’\u2009\u202f\u00a0]\d{3})+(?!\d)")
# Phone numbers. "100-2000" is a range: seven digits are one only if they cannot be two round numbers.
_PHONE = re.compile(
    r"(?<![\w.-])(?:\(?(\d{3})\)?[-. ](\d{3})[-.](\d{4})|(\d{3})-(?=\d{3}[1-9]|0)(\d{4}))(?![\w-]|\.\d)"
)
_NUMBER = r"(?<![\w.])(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
_SIGNED = r"\(?(?P<exponent>[-+−]?\d{1,3})\)?(?!\w)"
_SCIENTIFIC = re.compile(rf"{_NUMBER}\s*(?:×|x|\*|·|⋅|times)\s*10\s*(?:\^|\*\*)\s*{_SIGNED}", re.IGNORECASE)
_EXPONENTIAL = re.compile(rf"{_NUMBER}e(?P<exponent>[-+]?\d{{1,2}})(?![\w.]*\d)", re.IGNORECASE)
_POWER = re.compile(rf"{_NUMBER}\s*(?:\^|\*\*)\s*{_SIGNED}")
# A capital M is a million and a small one a metre, unless a currency stands before it.
_SUFFIX = re.compile(
    rf"(?P<currency>[$€£¥₩]\s?)?{_NUMBER}"
    r"(?:(?P<attached>M|K|k|(?<=[.,]\d)B|(?<=[.,]\d\d)B)|\s?(?P<word>[Mm]io\.?|[Mm]ln\.?|[Mm]rd\.?|bn|BN|Bn|mn))(?!\w)"
)
_MONEY = re.compile(rf"(?P<currency>[$€£¥₩]\s?){_NUMBER}(?P<suffix>[mMbBkK])(?!\w)")
_SCALES = {
    "m": "million",
    "mn": "million",
    "mio": "million",
    "mln": "million",
    "k": "thousand",
    "b": "billion",
    "bn": "billion",
    "mrd": "billion",
}


def expand_written_numbers(text: str) -> str:
    """Rewrites such numbers in plain digits: 10² -> 100, 3.5e6 -> 3500000, 3'500 -> 3500, 3.5M -> 3.5 million.

    It must see the original text: case decides between "5M" and "5m", and NFKC turns 10² into 102.
    """
    if not any(c.isdigit() for c in text):
        return text
    if not text.isascii():
        text = _RAISED.sub(lambda match: "^" + match[0].translate(_SUPERSCRIPTS), text)
    text = _SPACED.sub(lambda match: re.sub(r"\D", "", match[0]), text)
    text = _POINTED.sub(lambda match: match[0].replace(".", ""), text)
    text = _PHONE.sub(lambda match: "".join(match.groups("")), text)
    text = _SCIENTIFIC.sub(lambda match: _scaled(match), text)
    text = _EXPONENTIAL.sub(lambda match: _scaled(match), text)
    text = _POWER.sub(_raised, text)
    text = _MONEY.sub(lambda match: f"{match['currency']}{match['number']} {_SCALES[match['suffix'].lower()]}", text)
    return _SUFFIX.sub(_with_scale, text)


def _with_scale(match: re.Match[str]) -> str:
    suffix = (match["attached"] or match["word"]).lower().rstrip(".")
    return f"{match['currency'] or ''}{match['number']} {_SCALES[suffix]}"


def _exponent(match: re.Match[str]) -> int:
    return int(match["exponent"].replace("−", "-"))


def _scaled(match: re.Match[str]) -> str:
    return power_of_ten(match["number"], _exponent(match)) or match[0]


def _raised(match: re.Match[str]) -> str:
    base, exponent = Decimal(match["number"].replace(",", "")), _exponent(match)
    if abs(exponent) > _MAX_EXPONENT or (base == 0 and exponent < 1):
        return match[0]
    if exponent < 0 and base != 10:
        return f"1/{_plain(base**-exponent)}" if base == base.to_integral_value() else match[0]
    value = power_of_ten("1", exponent) if base == 10 else _plain(base**exponent)
    return value or match[0]


def power_of_ten(number: str, exponent: int) -> str | None:
    """The digits of number × 10^exponent; None if the exponent is beyond 100."""
    if abs(exponent) > _MAX_EXPONENT:
        return None
    return _plain(Decimal(number.replace(",", "")).scaleb(exponent))


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def convert_powers(tokens: list[str]) -> list[str]:
    """Powers of ten in words, after numbers became digits: "3 times 10 to the 8th (power)" -> 300000000."""
    result: list[str] = []
    i = 0
    while i < len(tokens):
        found = _power_of_ten(tokens, i)
        if found is None:
            result.append(tokens[i])
            i += 1
            continue
        exponent, i = found
        number = "1"
        if len(result) > 1 and result[-1] in ("times", "x") and _is_plain(result[-2]):
            number = result[-2]
            del result[-2:]
        result.append(power_of_ten(number, exponent) or "0")
    return result


def _is_plain(token: str) -> bool:
    return re.fullmatch(r"\d+(?:\.\d+)?", token) is not None


def _power_of_ten(tokens: list[str], i: int) -> tuple[int, int] | None:
    """The exponent and the end of "10 to the 8th", "10 to the power of -9"; None if there is none at i."""
    if tokens[i] != "10" or tokens[i + 1 : i + 2] != ["to"]:
        return None
    at = i + 2
    named = False
    for word in ("the", "power", "of"):
        if tokens[at : at + 1] == [word]:
            at, named = at + 1, named or word in ("the", "power")
    minus = tokens[at : at + 1] in (["minus"], ["negative"])
    at += minus
    match = re.fullmatch(r"(-?\d{1,2})(st|nd|rd|th)?", tokens[at]) if at < len(tokens) else None
    if match is None:
        return None
    # "10 to 8" may be a range: an article, an ordinal or the word "power" tells a power.
    if not (named or match[2]):
        return None
    end = at + 1 + (tokens[at + 1 : at + 2] in (["power"], ["powers"]))
    return (-int(match[1]) if minus else int(match[1])), end


def decimal(value: Fraction) -> str | None:
    """Decimal digits of a value such as 3.5 or 1000; None for values without a finite decimal form, such as 1/3."""
    if value.denominator == 1:
        return str(value.numerator)
    # A fraction has a finite decimal form only if its denominator has no prime factor other than 2 and 5.
    rest = value.denominator
    places = 0
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest //= prime
            count += 1
        places = max(places, count)
    if rest != 1:
        return None
    scaled = abs(value.numerator) * 10**places // value.denominator
    digits = str(scaled).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:].rstrip('0')}".rstrip(".")
