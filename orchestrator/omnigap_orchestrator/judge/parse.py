"""Reads the verdict of a judge from its reply, and averages the votes of one answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from omnigap_orchestrator.judge.rubric import Rubric
from omnigap_orchestrator.scoring.reading import Found, Passage, marked_answers, plain_text, read, remove_thinking
from omnigap_orchestrator.scoring.reading.english.label import find_label


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
_SCORE_WORD = r"(?:score|rating|grade|verdict|mark)"
# A number with nothing but marks, its scale and a word for points around it: "**4**", "4/5", "4 out of 5 points".
_WHOLE = re.compile(
    rf"(?:\W*(?:overall |final |my )*{_SCORE_WORD}\b(?: is| of)?)?[^\w-]*({_NUMBER})(?:\s*(?:/|"
    rf"out of)\s*\d+)?(?:\s*(?:points?|stars?))?\W*",
    re.I,
)
_BRACKETED = re.compile(rf"\[\[\s*({_NUMBER})\s*\]\]")
# The lookahead rejects "score: 1 to 5", which repeats the scale.
_NAMED = re.compile(
    rf"\b{_SCORE_WORD}\b(?:\s*(?:is|of|=|:))*[\s*_\"'`(\[]*({_NUMBER})(?!\s*(?:to|-|–)\s*\d)(?!\.?\d)", re.I
)
# A verdict with its reason behind it: "4: it is complete", "4 because ...".
_LEADING = re.compile(
    rf"[^\w-]*({_NUMBER})(?:\s*(?:/|out of)\s*\d+)?(?=\s*(?:[:;,.]\s|[-–—]|because\b|since\b|"
    rf"\())(?!\s*[-–]\s*\d)",
    re.I,
)


def read_verdict(rubric: Rubric, text: str) -> tuple[float | None, float] | None:
    r"""Parses a verdict: the number (None for a label) and its score in [0, 1]; None if there is no single verdict.

    The steps are those of an answer: thinking is removed; then count the last explicit statement (`[[4]]`, `\boxed{4}`,
    `{"score": 4}`, "Rating: 4"), the first or the last line if it holds the verdict alone, and a verdict at the start
    with its reason behind it. Several different numbers, or one outside the scale, are not a verdict: a verdict is
    never guessed.
    """
    if rubric.labels:
        return _label(rubric.labels, text)
    number = _number(remove_thinking(text))
    if number is None or not rubric.low <= number <= rubric.high:
        return None
    return number, (number - rubric.low) / (rubric.high - rubric.low)


def _number(text: str) -> float | None:
    plain = plain_text(text)
    if (whole := _WHOLE.fullmatch(plain)) is not None:
        return float(whole[1])
    marked = [found[1] for value in marked_answers(text) if (found := _WHOLE.fullmatch(value)) is not None]
    rows = [line for part in plain.splitlines() if (line := part.strip())]
    ends = [rows[0], rows[-1]] if rows else []
    by_line = [found[1] for line in ends if (found := _WHOLE.fullmatch(line)) is not None]
    leading = _LEADING.match(plain)
    # The first kind of statement that occurs decides, and it must be unanimous.
    for stated in (
        marked,
        _BRACKETED.findall(text),
        _NAMED.findall(plain),
        by_line,
        [leading[1]] if leading else [],
    ):
        if stated:
            numbers = {float(number) for number in stated}
            return numbers.pop() if len(numbers) == 1 else None
    return None


def _label(labels: Mapping[str, float], text: str) -> tuple[None, float] | None:
    names = tuple(labels)

    def reader(passage: Passage) -> Found | None:
        return find_label(passage, names, names)

    reading = read(text, reader)
    return None if reading.value is None else (None, float(labels[reading.value]))


def combine_votes(rubric: Rubric, votes: Sequence[tuple[float | None, float]]) -> Verdict:
    """Combines votes: numbers are averaged, and of labels the majority wins, in a tie the lower score."""
    scores = [score for _, score in votes]
    if rubric.labels:
        # In a tie the answer does not get the benefit of the doubt.
        counts = {score: scores.count(score) for score in sorted(set(scores))}
        return Verdict(None, max(counts, key=lambda score: (counts[score], -score)))
    ratings = [rating for rating, _ in votes if rating is not None]
    return Verdict(sum(ratings) / len(ratings), sum(scores) / len(scores))
