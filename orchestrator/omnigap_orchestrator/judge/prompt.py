"""A run's setup: which rubric judges which item, what the judge is asked, under which key verdicts are kept."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from omnigap.digest import digest_of
from omnigap_orchestrator.config.sections import JudgeConfig
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.judge.rubric import Rubric


@dataclass(frozen=True, slots=True)
class JudgePrompt:
    """One question to the judge.

    Attributes:
        key: of its verdict: judge, decoding, rubric, what is asked, and which vote it is.
        vote: from 0; it changes the seed.
    """

    key: str
    system: str
    prompt: str
    language: str
    vote: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What all votes on one answer come to.

    Attributes:
        rating: their mean on the rubric's own scale; None for labels.
        score: in [0, 1]: their mean; of labels, that of the majority.
    """

    rating: float | None
    score: float


@dataclass(frozen=True, slots=True)
class JudgeSetup:
    """A judge as it is asked.

    Attributes:
        judge: digest of the judge and of the decoding that is asked of it.
        rubric: for items without gold answers.
        reference_rubric: for items with gold answers.
    """

    judge: str
    rubric: Rubric
    reference_rubric: Rubric
    votes: int = 1

    def rubric_for(self, item: Item) -> Rubric:
        return self.reference_rubric if item.answers else self.rubric

    def key(self, item: Item) -> str:
        """What a score depends on beyond the texts: the judge, its rubric, the number of votes."""
        return digest_of([self.judge, self.rubric_for(item).digest, self.votes])

    def asks(self, item: Item, answer: str) -> tuple[JudgePrompt, ...]:
        """The votes on one answer."""
        rubric = self.rubric_for(item)
        question = f"{item.typed}\n{item.instruction}".strip()
        prompt = rubric.asked(question, answer, "\n".join(item.answers))
        return tuple(
            JudgePrompt(
                digest_of([self.judge, rubric.digest, prompt, item.language, vote]),
                rubric.system,
                prompt,
                item.language,
                vote,
            )
            for vote in range(self.votes)
        )


def judge_setup(config: JudgeConfig, judge_digest: str, rubrics: tuple[Rubric, Rubric]) -> JudgeSetup:
    """The setup of a configuration and the judge that answers now.

    Args:
        rubrics: those of the keys `rubric` and `reference_rubric`.
    """
    judge = digest_of([judge_digest, config.decoding.model_dump()])
    return JudgeSetup(judge, rubrics[0], rubrics[1], config.votes)


def combined(rubric: Rubric, votes: Sequence[tuple[float | None, float]]) -> Verdict:
    """One verdict of several: numbers are averaged; of labels the majority counts, of equally many the lower."""
    scores = [score for _, score in votes]
    if rubric.labels:
        counts = {score: scores.count(score) for score in sorted(set(scores))}
        return Verdict(None, max(counts, key=lambda score: (counts[score], -score)))
    ratings = [rating for rating, _ in votes if rating is not None]
    return Verdict(sum(ratings) / len(ratings), sum(scores) / len(scores))


# Reads a judge's verdict: one number of the scale, or one label; anything else is no verdict.

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
