"""Times of day: "half past seven", 7:30 and "seven thirty" have one form."""

from __future__ import annotations

from omnigap_orchestrator.scoring.normalise.digits import REPEATS
from omnigap_orchestrator.scoring.normalise.numbers import parse

_PAST = frozenset(("past", "after"))
_LINKS = _PAST | {"to", "till"}
_QUARTERS = {"half": 30, "quarter": 15}


def clock(hour: int, minute: int) -> list[str]:
    """A time as spoken: 9:15 -> 9 15, 5:00 -> 5 oclock; 10:15 -> 1015, since "ten fifteen" is read like a year."""
    if minute == 0:
        return [str(hour), "oclock"]
    if 10 <= hour <= 20:
        return [f"{hour}{minute:02d}"]
    return [str(hour), *([str(minute)] if minute >= 10 else ["0", str(minute)])]


def convert_clock(tokens: list[str]) -> list[str]:
    """Rewrites times that name the minutes first: "half past seven" -> 7 30, "a quarter to six" -> 5 45.

    "five to seven" may be a range, so minutes before the hour need the word "minutes" or "quarter".
    """
    if _LINKS.isdisjoint(tokens):
        return tokens
    result: list[str] = []
    i = 0
    while i < len(tokens):
        found = _phrase(tokens, i)
        if found is None:
            result.append(tokens[i])
            i += 1
        else:
            result += found[0]
            i = found[1]
    return result


def _phrase(tokens: list[str], i: int) -> tuple[list[str], int] | None:
    at = i + 1 if tokens[i] == "a" and tokens[i + 1 : i + 2] == ["quarter"] else i
    if _LINKS.isdisjoint(tokens[at + 1 : at + 5]):
        return None
    if tokens[at] in REPEATS:
        return None
    minutes = _QUARTERS.get(tokens[at], 0)
    end, named = at + 1, bool(minutes)
    if not minutes:
        number = _whole(tokens, at)
        if number is None or not 0 < number[0] < 60:
            return None
        minutes, end = number
        if tokens[end : end + 1] in (["minutes"], ["minute"]):
            end, named = end + 1, True
    word = tokens[end] if end < len(tokens) else ""
    is_past = word == "past" or (word in _PAST and named and tokens[at] != "half")
    if not is_past and not (word in ("to", "till") and named and tokens[at] != "half"):
        return None
    hour = _whole(tokens, end + 1)
    if hour is None or not 1 <= hour[0] <= 12:
        return None
    after = hour[1]
    if tokens[after : after + 1] == ["oclock"]:
        after += 1
    value = hour[0] if is_past else (hour[0] - 2) % 12 + 1
    return clock(value, minutes if is_past else 60 - minutes), after


def _whole(tokens: list[str], i: int) -> tuple[int, int] | None:
    if i >= len(tokens):
        return None
    number = parse(tokens, i)
    return (int(number.token), number.end) if number is not None and number.token.isdigit() else None
