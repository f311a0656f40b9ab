"""Reads the date that an answer states, and compares it with the gold answers part by part."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from omnigap.vocabulary import Flag
from omnigap_orchestrator.scoring.normalise import is_day_first, normalise
from omnigap_orchestrator.scoring.normalise.numbers import listed
from omnigap_orchestrator.scoring.normalise.quantities import MONTHS
from omnigap_orchestrator.scoring.reading.english.clauses import ASIDE, MAIN, MODIFIER, Clause, split_clauses
from omnigap_orchestrator.scoring.reading.english.plain import plain_dates
from omnigap_orchestrator.scoring.reading.english.question import Asked, asked, stem
from omnigap_orchestrator.scoring.reading.found import Found, Passage

_MONTH = "|".join(MONTHS)
_DATE = re.compile(
    rf"(?<!\S)(?:(?P<month>{_MONTH})(?: (?P<day>\d{{1,2}}))?(?: (?P<year>[1-9]\d{{2,3}}))?"
    r"|(?P<bare>[1-9]\d{2,3}))(?!\S)"
)
_RANGE_LINK = re.compile(r" (?:to|until|till|through|and) ")
_NEGATORS = re.compile(r"\b(?:not(?! (?:only|just|until|before))|never|neither|nor)(?: \w+){0,3} ?$")
_DENIED_AFTER = re.compile(r"^ (?:is|was|would be) (?:not(?! only| just)|wrong|incorrect|false)\b")
_OTHER_DAY = re.compile(r" or \d{1,2}(?:st|nd|rd|th)?(?: |$)")
_OTHER_DAY_BEFORE = re.compile(r"(?:^| )\d{1,2}(?:st|nd|rd|th)? or $")
_HEDGE_BEFORE = re.compile(
    r"\b(?:could be|might be|may be|either|before|after|later than|earlier than)(?: in| on| around)? ?$"
)
_DATED = frozenset(listed("in on at by from around during"))
_DISTANCE = re.compile(
    r"\b(?:year|month|week|day|decade|century)s? (?:after|before|since|earlier|later) (?:\w+ ){0,4}$"
)
# The length of a time, and other numbers that only look like years.
_NO_YEAR = frozenset(listed("year day people men km m mile dollar percent hour minute soldier ship vote kg pound"))


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

    def __str__(self) -> str:
        return " ".join(str(part) for part in (self.month, self.day, self.year) if part is not None)


def find_dates(text: str) -> Iterator[tuple[Date, int, int]]:
    """Yields the dates of a normalised text with their character spans."""
    for match in _DATE.finditer(text):
        year = match["year"] or match["bare"]
        after = text[match.end() :].split(" ", 2)[1:2]
        if match["bare"] and after and stem(after[0]) in _NO_YEAR:
            continue
        yield (
            Date(match["month"], int(match["day"]) if match["day"] else None, int(year) if year else None),
            match.start(),
            match.end(),
        )


def whole_date(text: str) -> Date | None:
    """The date that a normalised text is; None if it is more or less than one date, or only a month's name."""
    found = next(find_dates(text), None)
    if found is None or (found[1], found[2]) != (0, len(text)) or found[0] == Date(found[0].month):
        return None
    return found[0]


def date_range(text: str) -> tuple[Date, Date] | None:
    """The two dates of "1939 to 1945" or "july 1914 november 1918"; None if the text is no such range."""
    found = list(find_dates(text))
    if len(found) != 2 or found[0][1] != (5 if text.startswith("from ") else 0) or found[1][2] != len(text):
        return None
    link = text[found[0][2] : found[1][1]]
    return (found[0][0], found[1][0]) if link == " " or _RANGE_LINK.fullmatch(link) else None


@dataclass(slots=True)
class _Candidate:
    date: Date
    clause: Clause
    rank: int
    start: int
    end: int
    is_negated: bool = False
    is_hedged: bool = False


def find_date(passage: Passage, question: str, language: str, *, golds: Sequence[str] = ()) -> Found | None:
    """Reads the date that a passage states.

    "It began in 1939 and ended in 1945." states 1945 where the question asks for the end; "1968 or 1969" states none
    (hedged), and "not 1969" denies one (negated).

    Args:
        question: as asked: the clause that shares its verb holds the answer, and its own dates are no answer.
        golds: normalised gold dates. Only their form is used: a year alone is no answer where a day is asked for.

    Returns:
        The date in normalised words ("july 20 1969", "1945 to 1950" for a range that is asked for); None if the
        passage has no date.
    """

    def normal(text: str) -> str:
        return normalise(text, language)

    text = plain_dates(passage.text, day_first=is_day_first(language))
    clauses = split_clauses(text, normal)
    candidates = _candidates(clauses)
    if not candidates:
        return None
    wanted = asked(normal(question))
    live = [found for found in candidates if not found.is_negated]
    for clause in reversed(clauses):
        later = [found for found in live if found.clause.index >= clause.index] if clause.is_correction else []
        if later:
            live = later
            break
    live = [found for found in live if not found.clause.is_question] or live
    if not live:
        return Found(None, (Flag.NEGATED,))
    shapes = [shape for gold in golds if (shape := whole_date(gold)) is not None]
    ranges = any(date_range(gold) is not None for gold in golds)
    live = _with_year(live)
    given = {date for date, _, _ in find_dates(wanted.text)}
    live = [found for found in live if found.date not in given] or live
    pair = _range(live)
    if pair is not None:
        if ranges:
            return Found(f"{pair[0].date} to {pair[1].date}")
        side = _side(wanted) if "between" not in pair[0].clause.words else None
        return Found(None, (Flag.HEDGED,)) if side is None else Found(str(pair[side].date))
    if ranges and (span := _narrated(live)) is not None:
        return Found(f"{span[0].date} to {span[1].date}")
    chosen = _choose(live, wanted, shapes)
    return Found(None, (Flag.HEDGED,)) if chosen.is_hedged else Found(str(chosen.date))


def _candidates(clauses: list[Clause]) -> list[_Candidate]:
    found: list[_Candidate] = []
    for clause in clauses:
        text = " ".join(clause.words)
        in_clause = []
        for date, start, end in find_dates(text):
            # "In 1969" is no setting of a date but the date.
            rank = MAIN if clause.rank == MODIFIER and clause.words[0] in _DATED else clause.rank
            rank = ASIDE if _DISTANCE.search(text[:start]) else rank
            candidate = _Candidate(date, clause, rank, start, end)
            candidate.is_negated = bool(_NEGATORS.search(text[:start]) or _DENIED_AFTER.match(text[end:]))
            candidate.is_hedged = bool(_HEDGE_BEFORE.search(text[:start]))
            if date.day is not None:
                candidate.is_hedged |= bool(_OTHER_DAY.match(text[end:]) or _OTHER_DAY_BEFORE.search(text[:start]))
            in_clause.append(candidate)
        for first, second in pairwise(in_clause):
            if text[first.end : second.start] == " or " and first.date != second.date:
                first.is_hedged = second.is_hedged = True
        if in_clause and found and clause.words[0] == "or" and found[-1].clause.sentence == clause.sentence:
            found[-1].is_hedged = in_clause[0].is_hedged = True
        found += in_clause
    return found


def _with_year(live: list[_Candidate]) -> list[_Candidate]:
    """Joins a day and a year that one sentence names apart: "in 1969, on July 20"."""
    years = [found for found in live if found.date.month is None]
    days = [found for found in live if found.date.year is None]
    if len(years) == 1 and len(days) == 1 and years[0].clause.sentence == days[0].clause.sentence:
        days[0].date = replace(days[0].date, year=years[0].date.year)
        days[0].rank = min(days[0].rank, years[0].rank)
        return [found for found in live if found is not years[0]]
    return live


def _range(live: list[_Candidate]) -> tuple[_Candidate, _Candidate] | None:
    """The two ends of a range, if the answer names no other date outside parentheses."""
    main = [found for found in live if found.rank != ASIDE] or live
    if len(main) != 2 or main[0].clause is not main[1].clause:
        return None
    first, second = main
    words = " ".join(first.clause.words)
    link = words[first.end : second.start]
    if link not in (" ", " to ", " until ", " till ", " through ") and not (
        link == " and " and re.search(r"\bbetween (?:\w+ ){0,2}$", words[: first.start])
    ):
        return None
    if first.date.year is None and second.date.year is not None and first.date.month is not None:
        first.date = replace(first.date, year=second.date.year)
    return first, second


def _narrated(live: list[_Candidate]) -> tuple[_Candidate, _Candidate] | None:
    """The start and the end in "it began in 1939 and ended in 1945"."""
    if len(live) != 2:
        return None
    first, second = ({stem(word) for word in found.clause.words} for found in live)
    return (live[0], live[1]) if first & _STARTS and second & _ENDS else None


def _side(wanted: Asked) -> int | None:
    """Which end of a range the question asks for: 0 the start, 1 the end."""
    for side, stems in enumerate((_STARTS, _ENDS)):
        if wanted.stems & stems:
            return side
    return None


def _choose(live: list[_Candidate], wanted: Asked, shapes: Sequence[Date]) -> _Candidate:
    stated = [found for found in live if found.rank == MAIN]
    stated = stated or [found for found in live if found.rank == MODIFIER] or live

    def covers(found: _Candidate) -> bool:
        return any(found.date.covers(shape) for shape in shapes)

    # Many dates may stand in one clause, so its stems are found once.
    clauses = {id(found.clause): found.clause for found in stated}
    stems_of = {key: {stem(word) for word in clause.words} for key, clause in clauses.items()}

    def fit(found: _Candidate) -> tuple[int, bool, int]:
        stems = stems_of[id(found.clause)]
        actions = stems & _ACTIONS
        # The clause of another action ("it ended in") is about another date.
        action = len(wanted.stems & actions) or (-1 if actions and wanted.stems & _ACTIONS else 0)
        return action, covers(found), len(wanted.stems & stems)

    concluded = [found for found in stated if found.clause.concluded is not None]
    best = max(map(fit, stated))
    equals = [found for found in stated if fit(found) == best]
    if best[0] < 1 and concluded:
        return concluded[-1]
    if len(equals) == 1:
        return equals[0]
    # In a narrative the last event is asked for; two sentences are a statement and its explanation.
    same_sentence = [found for found in equals if found.clause.sentence == equals[0].clause.sentence]
    return same_sentence[-1]


_STARTS = frozenset(listed("start birth found launch build"))
_ENDS = frozenset(listed("end death land stop clos"))
_ACTIONS = frozenset(
    listed(
        "start end birth death build found write publish land launch win sell buy become sink fall fly marry sign",
        "discover invent open close arrive leave elect join introduc adopt abolish declar happen occur",
    )
)


def same_date(value: str, golds: Sequence[str]) -> str | None:
    """The gold answer with which a date that was read agrees in every part that the gold names; None if none does.

    All texts are normalised.
    """
    said, ends = whole_date(value), date_range(value)
    for gold in golds:
        if value == gold:
            return gold
        wanted, span = whole_date(gold), date_range(gold)
        if wanted is not None and said is not None and said.covers(wanted) and said.agrees(wanted):
            return gold
        if span is not None and ends is not None and ends[0].agrees(span[0]) and ends[1].agrees(span[1]):
            return gold
    return None
