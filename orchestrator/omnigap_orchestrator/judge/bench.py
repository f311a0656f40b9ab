"""A run's bench: which rubric judges which item, what the judge is asked, under which key verdicts are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from omnigap.digest import digest_of
from omnigap_orchestrator.config.sections import JudgeConfig
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.judge.rubric import Rubric


@dataclass(frozen=True, slots=True)
class Ask:
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
class Bench:
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

    def asks(self, item: Item, answer: str) -> tuple[Ask, ...]:
        """The votes on one answer."""
        rubric = self.rubric_for(item)
        question = f"{item.typed}\n{item.instruction}".strip()
        prompt = rubric.asked(question, answer, "\n".join(item.answers))
        return tuple(
            Ask(
                digest_of([self.judge, rubric.digest, prompt, item.language, vote]),
                rubric.system,
                prompt,
                item.language,
                vote,
            )
            for vote in range(self.votes)
        )


def bench_of(config: JudgeConfig, judge_digest: str, rubrics: tuple[Rubric, Rubric]) -> Bench:
    """The bench of a configuration and the judge that answers now.

    Args:
        rubrics: those of the keys `rubric` and `reference_rubric`.
    """
    judge = digest_of([judge_digest, config.decoding.model_dump()])
    return Bench(judge, rubrics[0], rubrics[1], config.votes)


def combined(rubric: Rubric, votes: Sequence[tuple[float | None, float]]) -> Verdict:
    """One verdict of several: numbers are averaged; of labels the majority counts, of equally many the lower."""
    scores = [score for _, score in votes]
    if rubric.labels:
        counts = {score: scores.count(score) for score in sorted(set(scores))}
        return Verdict(None, max(counts, key=lambda score: (counts[score], -score)))
    ratings = [rating for rating, _ in votes if rating is not None]
    return Verdict(sum(ratings) / len(ratings), sum(scores) / len(scores))
