"""Matches of numbers and dates: reads what the answer states and compares it with the gold answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from omnigap_orchestrator.scoring.metrics import MAX_ANSWER_WORDS, NO_MATCH, Match, contains, is_denied
from omnigap_orchestrator.scoring.normalise.quantities import MONTHS, UNITS

# A number, and after it "or" with an alternative, or a word that may be a unit.
_NUMBER = re.compile(r"(?<!\S)(-?\d+(?:\.\d+)?(?:/\d+)?)(?!\S)(?: (?:or (-?\d+(?:\.\d+)?)(?!\S)|(\S+)))?")
_REPEATING_TOLERANCE = Fraction(1, 200)
"""Tolerance for gold answers such as 1/3, which have no finite decimal form: half a hundredth, so that 0.33 matches."""


@dataclass(frozen=True, slots=True)
class NumberMatch:
    """A number read from an answer.

    Attributes:
        score: 1 if it matches a gold number, else 0.
        number: as written in the normalised answer; None if there is none, or if the answer names alternatives.
    """

    score: float
    number: str | None


@dataclass(frozen=True, slots=True)
class _Quantity:
    text: str
    unit: str
    is_open: bool = False

    @property
    def value(self) -> Fraction | None:
        upper, _, lower = self.text.partition("/")
        return None if lower and int(lower) == 0 else Fraction(upper) / (int(lower) if lower else 1)


def _quantities(text: str) -> list[_Quantity]:
    found: list[_Quantity] = []
    at = 0
    while match := _NUMBER.search(text, at):
        unit = match[3] if match[3] in UNITS else ""
        found.append(_Quantity(match[1], unit, match[2] is not None and match[2] != match[1]))
        at = match.end(1)
    return found


def number_match(answer: str, golds: Sequence[str], *, question: str = "", tolerance: float = 0.0) -> NumberMatch:
    """Compares the number that the answer states with the gold numbers; all texts are normalised.

    The stated number is the first one that the question does not contain: "seven plus five is twelve" states 12. If the
    question contains all of them, it is the last one. "Eleven or twelve" states none.

    A whole gold number must be matched exactly, one with decimals to its last digit (3.1416 matches 3.14, 3.1 does
    not), and 1/3 by 0.33. If gold and answer both have a unit, the units must be equal.

    Args:
        tolerance: relative to the gold number; the larger of the two tolerances counts.
    """
    words = answer.split(" ")
    stated = _quantities(answer if len(words) <= MAX_ANSWER_WORDS else " ".join(words[:MAX_ANSWER_WORDS]))
    if not stated:
        return NumberMatch(0.0, None)
    in_question = {quantity.text for quantity in _quantities(question)}
    new = [quantity for quantity in stated if quantity.text not in in_question]
    said = new[0] if new else stated[-1]
    value = said.value
    if said.is_open or value is None:
        return NumberMatch(0.0, None)
    for gold in golds:
        wanted = _quantities(gold)
        if len(wanted) != 1 or (wanted[0].unit and said.unit and wanted[0].unit != said.unit):
            continue
        target = wanted[0].value
        if target is not None and abs(value - target) <= _tolerance(wanted[0].text, target, tolerance):
            return NumberMatch(1.0, said.text)
    return NumberMatch(0.0, said.text)


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


_MONTH = "|".join(MONTHS)
_DATE = re.compile(
    rf"(?<!\S)(?:(?P<month>{_MONTH})(?: (?P<day>\d{{1,2}}))?(?: (?P<year>[1-9]\d{{2,3}}))?"
    r"|(?P<bare>[1-9]\d{2,3}))(?!\S)"
)


@dataclass(frozen=True, slots=True)
class Date:
    """The parts of a date that a text names; missing parts are None."""

    month: str | None = None
    day: int | None = None
    year: int | None = None

    def agrees(self, gold: Date) -> bool:
        """Whether every part that the gold names is equal; further parts of the answer are ignored."""
        return gold.month in (None, self.month) and gold.day in (None, self.day) and gold.year in (None, self.year)

    def covers(self, gold: Date) -> bool:
        """Whether this date names all parts that the gold names."""
        return all(
            wanted is None or mine is not None
            for wanted, mine in ((gold.month, self.month), (gold.day, self.day), (gold.year, self.year))
        )


def find_dates(text: str) -> Iterator[tuple[Date, int, int]]:
    """Yields the dates of a normalised text with their character spans."""
    for match in _DATE.finditer(text):
        year = match["year"] or match["bare"]
        yield (
            Date(match["month"], int(match["day"]) if match["day"] else None, int(year) if year else None),
            match.start(),
            match.end(),
        )


def date_match(answer: str, golds: Sequence[str], *, question: str = "") -> Match:
    """Scores 1 if the first eligible date of the answer agrees with a gold answer; all texts are normalised.

    Denied dates are skipped, and so are dates that the question contains if another date follows. "1968 or 1969" states
    none. Gold answers that are not dates in digits (Wednesday, December, 44 bc) are searched as words.
    """
    if answer and answer in golds:
        return Match(1.0, answer)
    words = answer.split(" ")
    text = answer if len(words) <= MAX_ANSWER_WORDS else " ".join(words[:MAX_ANSWER_WORDS])
    dates = [found for found in find_dates(text) if not is_denied(text, found[1], found[2])]
    if any(text[first[2] : second[1]] == " or " for first, second in pairwise(dates)):
        dates = []
    in_question = {date for date, _, _ in find_dates(question)} if question else set()
    for gold in golds:
        whole = next(iter(find_dates(gold)), None)
        if whole is None or (whole[1], whole[2]) != (0, len(gold)) or whole[0] == Date(whole[0].month):
            match = contains(answer, (gold,))
            if match.score:
                return match
            continue
        wanted = whole[0]
        candidates = [date for date, _, _ in dates if date.covers(wanted)]
        stated = [date for date in candidates if date not in in_question] or candidates[-1:]
        if stated and stated[0].agrees(wanted):
            return Match(1.0, gold)
    return NO_MATCH
