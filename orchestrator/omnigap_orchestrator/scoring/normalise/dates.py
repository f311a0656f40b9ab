"""Dates of English get one order, month day year ("july 4 1969"), so that a gold date is found inside a longer one."""

from __future__ import annotations

import re

from omnigap_orchestrator.scoring.normalise.tables import BREAK, listed

MONTHS = listed("january february march april may june july august september october november december")
_SHORT = {name[:3]: name for name in MONTHS if name != "may"} | {"sept": "september"}
_AMBIGUOUS = frozenset(("may", "march"))
"""Months that are also common words: they need more than a bare number beside them."""

_DAY = re.compile(r"(?:[1-9]|[12]\d|3[01])(st|nd|rd|th)?")
_YEAR = re.compile(r"[1-9]\d{2,3}")
_NAMES = frozenset(MONTHS) | frozenset(_SHORT)


def _day(token: str) -> str | None:
    match = _DAY.fullmatch(token)
    return (token[: -len(match[1])] if match[1] else token) if match else None


def _month(token: str) -> str | None:
    return token if token in MONTHS else _SHORT.get(token)


def _is_year(token: str) -> bool:
    return _YEAR.fullmatch(token) is not None


def has_date(tokens: list[str]) -> bool:
    """Whether any token could belong to a date; without one, `convert` changes nothing."""
    return any(token in _NAMES or ":" in token for token in tokens)


def convert(tokens: list[str], *, day_first: bool = False) -> list[str]:
    """Rewrites every date in the tokens.

    Args:
        day_first: how to read 4/7/1969 where both parts could be a month: as 4 July, not as April 7.
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
    """A date in digits, as the tokeniser marked it; one that no calendar has falls apart into its numbers."""
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
    """A date in words at i: its canonical tokens and the index behind it."""

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
            sure = named > after or day != at(start) or at(named) not in _AMBIGUOUS or _is_year(at(named + 1))
            if (sure or named + 1 == len(tokens)) and _day(at(named + 1)) is None:
                return with_year(month, day, named + 1)
    return None, i
