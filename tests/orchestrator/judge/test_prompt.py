"""Prompts for the judge and the keys of its verdicts."""

from __future__ import annotations

from dataclasses import replace

from omnigap.vocabulary import AnswerType
from omnigap_orchestrator.config import JudgeConfig
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.judge import (
    judge_setup,
    read_rubric,
)

ITEM = Item("q", "chat", "en", "Who {answer}?", ("Ann", "Anna"), AnswerType.OPEN, instruction="Be short.")


def test_items_with_gold_answers_use_the_reference_rubric() -> None:
    setup = judge_setup(JudgeConfig(), "d", (read_rubric("helpful"), read_rubric("graded")))
    (prompt,) = setup.prompts(ITEM, "It was Ann")
    assert "<reference>\nAnn\nAnna\n</reference>" in prompt.prompt
    assert "Who {answer}?\nBe short." in prompt.prompt
    (without_gold,) = setup.prompts(replace(ITEM, answers=()), "It was Ann")
    assert "reference" not in without_gold.prompt


def test_votes_and_judges_have_separate_keys() -> None:
    rubrics = (read_rubric("helpful"), read_rubric("graded"))
    keys = [prompt.key for prompt in judge_setup(JudgeConfig(votes=3), "d", rubrics).prompts(ITEM, "Ann")]
    keys += [prompt.key for prompt in judge_setup(JudgeConfig(), "other", rubrics).prompts(ITEM, "Ann")]
    keys += [prompt.key for prompt in judge_setup(JudgeConfig(), "d", rubrics[::-1]).prompts(ITEM, "Ann")]
    assert len(set(keys)) == 5
    # A single vote's verdict serves as the first of three.
    assert judge_setup(JudgeConfig(), "d", rubrics).prompts(ITEM, "Ann")[0].key == keys[0]
