"""Compares dates by their parts: an answer's date must agree with every part (month, day, year) that the gold names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from omnigap_orchestrator.scoring.metrics import MAX_ANSWER_WORDS, MISS, Match, contains, is_denied
from omnigap_orchestrator.scoring.normalise.quantities import MONTHS

_MONTH = "|".join(MONTHS)
_DATE = re.compile(
    rf"(?<!\S)(?:(?P<month>{_MONTH})(?: (?P<day>\d{{1,2}}))?(?: (?P<year>[1-9]\d{{2,3}}))?"
    r"|(?P<bare>[1-9]\d{2,3}))(?!\S)"
)


@dataclass(frozen=True, slots=True)
class Date:
    """The parts of a date that a text names; None for those it leaves out."""

    month: str | None = None
    day: int | None = None
    year: int | None = None

    def agrees(self, gold: Date) -> bool:
        """Whether every part of the gold is met; further parts are the answer's own affair."""
        return gold.month in (None, self.month) and gold.day in (None, self.day) and gold.year in (None, self.year)

    def covers(self, gold: Date) -> bool:
        """Whether this date names all the parts that the gold names."""
        return all(
            wanted is None or mine is not None
            for wanted, mine in ((gold.month, self.month), (gold.day, self.day), (gold.year, self.year))
        )


def find_dates(text: str) -> Iterator[tuple[Date, int, int]]:
    """The dates of a normalised text with their character spans."""
    for match in _DATE.finditer(text):
        year = match["year"] or match["bare"]
        yield (
            Date(match["month"], int(match["day"]) if match["day"] else None, int(year) if year else None),
            match.start(),
            match.end(),
        )


def date_match(answer: str, golds: Sequence[str], *, question: str = "") -> Match:
    """1 where the first date of the answer that could be meant agrees with a gold; all texts normalised.

    A date that the answer denies is passed over, and one that stands in the question as well where another follows.
    "1968 or 1969" states none. Golds that are no dates in
    digits (Wednesday, December, 44 bc) are looked for as words.
    """
    if answer and answer in golds:
        return Match(1.0, answer)
    words = answer.split(" ")
    text = answer if len(words) <= MAX_ANSWER_WORDS else " ".join(words[:MAX_ANSWER_WORDS])
    dates = [found for found in find_dates(text) if not is_denied(text, found[1], found[2])]
    if any(text[first[2] : second[1]] == " or " for first, second in pairwise(dates)):
        dates = []
    asked = {date for date, _, _ in find_dates(question)} if question else set()
    for gold in golds:
        whole = next(iter(find_dates(gold)), None)
        if whole is None or (whole[1], whole[2]) != (0, len(gold)) or whole[0] == Date(whole[0].month):
            match = contains(answer, (gold,))
            if match.score:
                return match
            continue
        wanted = whole[0]
        candidates = [date for date, _, _ in dates if date.covers(wanted)]
        stated = [date for date in candidates if date not in asked] or candidates[-1:]
        if stated and stated[0].agrees(wanted):
            return Match(1.0, gold)
    return MISS
