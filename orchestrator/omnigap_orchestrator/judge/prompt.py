"""Prompts for the judge, and the keys under which its verdicts are stored."""

from __future__ import annotations

from dataclasses import dataclass

from omnigap.digest import digest_of
from omnigap_orchestrator.config.sections import JudgeConfig
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.judge.rubric import Rubric


@dataclass(frozen=True, slots=True)
class JudgePrompt:
    """One request to the judge.

    Attributes:
        key: key of the verdict: a digest of judge, decoding, rubric, prompt, language and vote.
        vote: number of the vote, from 0; it changes the seed.
    """

    key: str
    system: str
    prompt: str
    language: str
    vote: int


@dataclass(frozen=True, slots=True)
class JudgeSetup:
    """The judge of a run with its rubrics.

    Attributes:
        judge: digest of the judge service and its decoding settings.
        rubric: used for items without gold answers.
        reference_rubric: used for items with gold answers.
    """

    judge: str
    rubric: Rubric
    reference_rubric: Rubric
    votes: int = 1

    def rubric_for(self, item: Item) -> Rubric:
        return self.reference_rubric if item.answers else self.rubric

    def key(self, item: Item) -> str:
        """Digest of everything but the texts that a score depends on: judge, rubric and number of votes."""
        return digest_of([self.judge, self.rubric_for(item).digest, self.votes])

    def prompts(self, item: Item, answer: str) -> tuple[JudgePrompt, ...]:
        """The prompts of all votes on one answer."""
        rubric = self.rubric_for(item)
        question = f"{item.typed}\n{item.instruction}".strip()
        prompt = rubric.render(question, answer, "\n".join(item.answers))
        # A key depends on the number of its vote, not on the total: with more votes the existing ones are reused.
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
    """Creates the setup from the configuration and the digest of the judge service.

    Args:
        rubrics: the rubrics of the keys `rubric` and `reference_rubric`.
    """
    judge = digest_of([judge_digest, config.decoding.model_dump()])
    return JudgeSetup(judge, rubrics[0], rubrics[1], config.votes)
