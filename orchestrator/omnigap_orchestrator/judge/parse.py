"""Reads the verdict of a judge from its reply, and averages the votes of one answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from omnigap_orchestrator.judge.rubric import Rubric


@dataclass(frozen=True, slots=True)
class Verdict:
    """The combined votes on one answer.

    Attributes:
        rating: mean on the rubric's scale; None for labels.
        score: in [0, 1]; the mean of the votes, or for labels the score of the majority.
    """

    rating: float | None
    score: float


UNREADABLE = "UNREADABLE_VERDICT"
"""Failure reason of a cell for which the judge returned no readable verdict."""

_NUMBER = r"-?\d+(?:\.\d+)?"
_BRACKETED = re.compile(rf"\[\[\s*({_NUMBER})\s*\]\]")
_WHOLE = re.compile(rf"[^\w-]*({_NUMBER})(?:\s*/\s*\d+)?(?:\s*points?)?\W*", re.IGNORECASE)

# The lookahead rejects "score: 1 to 5", which repeats the scale.
_NAMED = re.compile(
    rf"\b(?:score|rating|grade|verdict)\b(?:\s*(?:is|of|=|:))*[\s*_\"'`(\[]*({_NUMBER})(?!\s*(?:to|-|–)\s*\d)",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")


def read_verdict(rubric: Rubric, text: str) -> tuple[float | None, float] | None:
    """Parses a verdict: the number (None for a label) and its score in [0, 1]; None if there is no single verdict.

    A number counts if it is the whole answer or the whole last line, is in double brackets, or follows "score",
    "rating", "grade" or "verdict". A label counts if it is the first word of the answer or of its last line, and no
    other label occurs there. Several different numbers, or one outside the scale, are not a verdict: a verdict is never
    guessed.
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
    whole = _WHOLE.fullmatch(text.strip())
    if whole is not None:
        return {float(whole[1])}
    for pattern in (_BRACKETED, _NAMED):
        found = {float(number) for number in pattern.findall(text)}
        if found:
            return found
    last = text.strip().rpartition("\n")[2]
    whole_line = _WHOLE.fullmatch(last.strip())
    return set() if whole_line is None else {float(whole_line[1])}


def _label(labels: object, text: str) -> tuple[None, float] | None:
    assert isinstance(labels, dict)
    for part in (text.strip(), text.strip().rpartition("\n")[2]):
        words = [word.lower() for word in _WORD.findall(part)]
        found = {word for word in words if word in labels}
        if len(found) == 1 and words[0] in found:
            return None, float(labels[found.pop()])
    return None


def combine_votes(rubric: Rubric, votes: Sequence[tuple[float | None, float]]) -> Verdict:
    """Combines votes: numbers are averaged, and of labels the majority wins, in a tie the lower score."""
    scores = [score for _, score in votes]
    if rubric.labels:
        # In a tie the answer does not get the benefit of the doubt.
        counts = {score: scores.count(score) for score in sorted(set(scores))}
        return Verdict(None, max(counts, key=lambda score: (counts[score], -score)))
    ratings = [rating for rating, _ in votes if rating is not None]
    return Verdict(sum(ratings) / len(ratings), sum(scores) / len(scores))
