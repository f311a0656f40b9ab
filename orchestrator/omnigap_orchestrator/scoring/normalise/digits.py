"""Digits that are read out one by one: "one oh one" -> 101, "double seven" -> 77, "five five five" -> 555."""

from __future__ import annotations

from itertools import pairwise

_DIGITS = {
    word: digit
    for digit, word in enumerate("zero one two three four five six seven eight nine".split())  # noqa: SIM905
} | {"nought": 0, "oh": 0, "o": 0}
_REPEATS = {"double": 2, "triple": 3, "treble": 3}
REPEATS = frozenset(_REPEATS)
# Words after which the last digit belongs to another number: "nine hundred", "two point five", "three quarters".
_CONTINUES = frozenset(
    "hundred thousand million billion trillion dozen point halves thirds quarters fourths fifths tenths".split()  # noqa: SIM905
)
_MIN_DIGITS = 3
"""Two digits may be two numbers ("five five"); a reader that knows how long the answer is may join them."""


def read_digits(tokens: list[str], i: int) -> tuple[list[str], int] | None:
    """The number that is read out digit by digit at i, and the index after it; None if there is none.

    A number that begins with a zero stays separate digits, as 007 does: it is a code and no quantity. Counting (one
    two three) is no number either.
    """
    digits: list[int] = []
    repeated = False
    end = i
    while end < len(tokens):
        times = _REPEATS.get(tokens[end], 0)
        word = tokens[end + 1] if times and end + 1 < len(tokens) else tokens[end]
        digit = _DIGITS.get(word)
        if digit is None and times and len(word) == 1 and word in "0123456789":
            digit = int(word)
        if digit is None or (word == "o" and not digits and not times):
            break
        digits += [digit] * (times or 1)
        repeated = repeated or bool(times)
        end += 2 if times else 1
    if end < len(tokens) and tokens[end] in _CONTINUES:
        return None
    if not repeated and (len(digits) < _MIN_DIGITS or _counts(digits)):
        return None
    if not digits:
        return None
    text = "".join(map(str, digits))
    return (list(text) if text[0] == "0" else [text]), end


def _counts(digits: list[int]) -> bool:
    """Whether the digits count up from 0 or 1."""
    return digits[0] < 2 and all(after - before == 1 for before, after in pairwise(digits))
