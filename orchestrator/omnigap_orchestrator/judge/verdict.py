"""Reads a judge's verdict: one number of the scale, or one label; anything else is no verdict."""

from __future__ import annotations

import re

from omnigap_orchestrator.judge.rubric import Rubric

UNREADABLE = "UNREADABLE_VERDICT"
"""The reason of a cell whose judge said nothing that can be read as a verdict."""

_NUMBER = r"-?\d+(?:\.\d+)?"
_BRACKETED = re.compile(rf"\[\[\s*({_NUMBER})\s*\]\]")
_ALONE = re.compile(rf"[^\w-]*({_NUMBER})(?:\s*/\s*\d+)?(?:\s*points?)?\W*", re.IGNORECASE)
_NAMED = re.compile(
    rf"\b(?:score|rating|grade|verdict)\b(?:\s*(?:is|of|=|:))*[\s*_\"'`(\[]*({_NUMBER})(?!\s*(?:to|-|–)\s*\d)",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")


def read_verdict(rubric: Rubric, text: str) -> tuple[float | None, float] | None:
    """The number that a judge gave (None for a label) and its score in [0, 1]; None where there is no one verdict.

    A number counts where it is the whole answer, stands in double brackets, or follows "score", "rating", "grade" or
    "verdict"; a label where it is the answer's only word, its first, or the last line's. Several that differ are none,
    and so is a number beyond the scale: a verdict is never guessed.
    """
    if rubric.labels:
        return _label(rubric.labels, text)
    numbers = _numbers(text)
    if len(numbers) != 1:
        return None
    (number,) = numbers
    if not rubric.low <= number <= rubric.high:
        return None
    return number, (number - rubric.low) / (rubric.high - rubric.low)


def _numbers(text: str) -> set[float]:
    whole = _ALONE.fullmatch(text.strip())
    if whole is not None:
        return {float(whole[1])}
    for pattern in (_BRACKETED, _NAMED):
        found = {float(number) for number in pattern.findall(text)}
        if found:
            return found
    last = text.strip().rpartition("\n")[2]
    alone = _ALONE.fullmatch(last.strip())
    return set() if alone is None else {float(alone[1])}


def _label(labels: object, text: str) -> tuple[None, float] | None:
    assert isinstance(labels, dict)
    for part in (text.strip(), text.strip().rpartition("\n")[2]):
        words = [word.lower() for word in _WORD.findall(part)]
        named = {word for word in words if word in labels}
        if len(named) == 1 and words[0] in named:
            return None, float(labels[named.pop()])
    return None
