"""Quantities in normalised text, and whether two of them are equal: numbers, fractions, percentages, units."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from omnigap_orchestrator.scoring.normalise.numbers import MAX_DIGITS, SCALES
from omnigap_orchestrator.scoring.normalise.powers import decimal
from omnigap_orchestrator.scoring.normalise.quantities import ALIASES, UNITS

_NUMBER = re.compile(r"(?P<number>-?\d+(?:\.\d+)?(?:/\d+)?)(?P<ordinal>st|nd|rd|th)?")
_REPEATING_TOLERANCE = Fraction(1, 200)
"""Tolerance for gold answers such as 1/3, which have no finite decimal form: half a hundredth, so that 0.33 matches."""

# Canonical unit -> dimension and size in the dimension's base unit. Only exact conversions.
_SIZES: dict[str, tuple[str, Fraction]] = {
    unit: (dimension, Fraction(size))
    for dimension, sizes in {
        "length": {"km": "1000", "m": "1", "cm": "0.01", "mm": "0.001", "nm": "0.000000001"},
        "imperial length": {"mile": "63360", "yard": "36", "foot": "12", "inch": "1"},
        "mass": {"tonne": "1000000", "kg": "1000", "g": "1", "mg": "0.001"},
        "imperial mass": {"pound": "16", "ounce": "1"},
        "volume": {"l": "1", "ml": "0.001"},
        "time": {"second": "1", "minute": "60", "hour": "3600", "day": "86400", "week": "604800"},
        "calendar": {"month": "1", "year": "12", "decade": "120", "century": "1200"},
        "data": {"kb": "1", "mb": "1000", "gb": "1000000", "tb": "1000000000"},
        "power": {"w": "1", "kw": "1000"},
        "frequency": {"hz": "1", "khz": "1000", "mhz": "1000000", "ghz": "1000000000"},
        "dollar": {"dollar": "100", "cent": "1"},
    }.items()
    for unit, size in sizes.items()
}
_TEMPERATURES = frozenset(("celsius", "fahrenheit", "kelvin", "degree"))
_CURRENCIES = frozenset(("dollar", "cent", "euro", "pound", "pence", "yen", "won"))


def dimension(unit: str) -> str:
    """The dimension of a canonical unit: two units of one dimension can be compared. Unknown units are their own."""
    if unit in _TEMPERATURES:
        return "temperature"
    if unit in _CURRENCIES:
        return "currency"
    name = _SIZES[unit][0] if unit in _SIZES else unit
    return {"imperial length": "length", "imperial mass": "mass", "calendar": "time"}.get(name, name)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of a normalised text, with its unit.

    Attributes:
        text: canonical digits ("3", "-0.5", "1/3"), without the ending of an ordinal.
        unit: canonical unit, or "".
        start: index of its first word.
        end: index after its last word, the unit included.
        is_ordinal: whether it was written as an ordinal ("3rd").
    """

    text: str
    unit: str
    start: int = 0
    end: int = 0
    is_ordinal: bool = False

    @property
    def value(self) -> Fraction | None:
        """The number; None for a division by zero."""
        upper, _, lower = self.text.partition("/")
        return None if lower and int(lower) == 0 else Fraction(upper) / (int(lower) if lower else 1)

    def __str__(self) -> str:
        return f"{self.text} {self.unit}".rstrip()


def quantities(words: Sequence[str]) -> Iterator[Quantity]:
    """Yields the quantities of normalised words. "1 hour 30 minute" is one quantity: 90 minute."""
    i = 0
    while i < len(words):
        match = _NUMBER.fullmatch(words[i])
        if match is None or len(words[i]) > MAX_DIGITS:
            i += 1
            continue
        end = i + 1
        unit = ""
        if match["ordinal"] is None and end < len(words) and words[end] in UNITS:
            unit, end = words[end], end + 1
        found = Quantity(match["number"], unit, i, end, match["ordinal"] is not None)
        found = _with_smaller_unit(found, words)
        yield found
        i = found.end


def _with_smaller_unit(first: Quantity, words: Sequence[str]) -> Quantity:
    at = first.end + (words[first.end : first.end + 1] == ["and"])
    rest = words[at : at + 2]
    if first.unit not in _SIZES or len(rest) < 2 or rest[1] not in _SIZES or not rest[0].isdigit():
        return first
    (kind, large), (other, small) = _SIZES[first.unit], _SIZES[rest[1]]
    value = first.value
    if kind != other or large <= small or value is None or value < 0:
        return first
    total = decimal(value * large / small + int(rest[0]))
    return first if total is None else Quantity(total, rest[1], first.start, at + 2)


def same_number(value: str, golds: Sequence[str], *, question: str = "", tolerance: float = 0.0) -> bool:
    """Whether a value that was read equals a gold number; all texts are normalised.

    A whole gold number must be matched exactly, one with decimals to its last digit (3.1416 matches 3.14, 3.1 does
    not), and 1/3 by 0.33. Units are converted within a dimension (1500 m is 1.5 km); a unit that only one of the two
    has is ignored. A percentage equals its fraction (50 percent is 0.5).

    Args:
        value: canonical number, and its unit after a space.
        question: tells the unit of gold numbers without one ("in km").
        tolerance: relative to the gold number; the larger of the two tolerances counts.
    """
    said = next(quantities(value.split()), None)
    if said is None:
        return False
    for gold in golds:
        words = gold.split()
        wanted = list(quantities(words))
        if len(wanted) > 1 and all(word.isdigit() for word in words):
            wanted = [Quantity("".join(words), "")]  # 555 0 1 2 3: a number in groups
            if words[0] == "0":
                # A code: its zeros count.
                if said.text == wanted[0].text:
                    return True
                continue
        if len(wanted) == 1 and _equal(said, wanted[0], question, tolerance):
            return True
    return False


def _equal(said: Quantity, wanted: Quantity, question: str, tolerance: float) -> bool:
    value, target = said.value, wanted.value
    if value is None or target is None:
        return False
    allowed = _tolerance(wanted.text, target, tolerance)
    # "In millions": 3.7 and 3.7 million are one answer.
    scale = re.search(r"\bin (thousand|million|billion)s\b", question)
    if scale and abs(value) >= SCALES[scale[1]] and abs(value / SCALES[scale[1]] - target) <= allowed:
        return True
    unit = wanted.unit or (_unit_of(question, said.unit) if said.unit else "")
    if "percent" in (said.unit, wanted.unit):
        if said.unit == wanted.unit:
            return abs(value - target) <= allowed
        if said.unit == "percent" and not wanted.unit:
            as_fraction = abs(value / 100 - target) <= allowed
            return as_fraction or (abs(target) >= 1 and abs(value - target) <= allowed)
        if not said.unit:
            return abs(value - target) <= allowed or abs(value * 100 - target) <= allowed
        return False
    if unit and said.unit and unit != said.unit:
        if _TEMPERATURES.issuperset((unit, said.unit)) and "degree" in (unit, said.unit):
            return abs(value - target) <= allowed
        if unit not in _SIZES or said.unit not in _SIZES or _SIZES[unit][0] != _SIZES[said.unit][0]:
            return False
        if f" {said} " in f" {question} ":
            return False  # "2 hours" does not say how many minutes 2 hours have
        value = value * _SIZES[said.unit][1] / _SIZES[unit][1]
    return abs(value - target) <= allowed


def _unit_of(question: str, like: str) -> str:
    """The unit that the question asks for, if it can be converted to `like`."""
    if like not in _SIZES:
        return ""
    for match in re.finditer(r"\b(?:in|how many|number of) (\w+)", question):
        unit = ALIASES.get(match[1], "")
        if unit in _SIZES and _SIZES[unit][0].split()[-1] == _SIZES[like][0].split()[-1]:
            return unit
    return ""


def _tolerance(text: str, target: Fraction, tolerance: float) -> Fraction:
    """Largest absolute difference from the gold number that still matches."""
    # A float such as 0.05 is not exact in binary: limiting the denominator gives the intended 1/20.
    relative = abs(target) * Fraction(tolerance).limit_denominator(10**9)
    if "." in text:
        # Half a unit of the last digit, minus a small margin, so that 3.145 does not match 3.14.
        unit = Fraction(1, 10 ** len(text.partition(".")[2]))
        return max(relative, unit / 2 - unit / 1000)
    if "/" in text and any(target.denominator % prime == 0 for prime in (3, 7, 11, 13, 17, 19)):
        return max(relative, _REPEATING_TOLERANCE)
    return relative
