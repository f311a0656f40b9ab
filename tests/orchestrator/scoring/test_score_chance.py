"""Tests of the chance of items."""

from __future__ import annotations

import pytest

from omnigap.vocabulary import AnswerType
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.scoring import JUDGE, metric_for
from omnigap_orchestrator.scoring.score import chance_of


def item(answer_type: AnswerType, *answers: str, choices: tuple[str, ...] = ()) -> Item:
    return Item("q", "task", "en", "?", answers, answer_type, choices)


@pytest.mark.parametrize("answer_type", list(AnswerType))
def test_choices_give_chance_whatever_the_answer_type(answer_type: AnswerType) -> None:
    assert chance_of(item(answer_type, "A", choices=("a", "b", "c", "d", "e")), metric_for(answer_type)) == 0.2


@pytest.mark.parametrize("answer_type", [AnswerType.NUMBER, AnswerType.ENTITY, AnswerType.DATE, AnswerType.PHRASE])
def test_an_answer_in_free_form_has_none(answer_type: AnswerType) -> None:
    assert chance_of(item(answer_type, "12"), metric_for(answer_type)) == 0.0


def test_labels_come_in_pairs_or_are_unknown() -> None:
    assert chance_of(item(AnswerType.LABEL, "Yes"), "label") == 0.5
    assert chance_of(item(AnswerType.LABEL, "jazz"), "label") is None


@pytest.mark.parametrize(
    ("metric", "chance"),
    [("voicebench_mcq", 0.25), ("voicebench_bbh", 0.5), ("voicebench_ifeval", None), ("refusal", None), (JUDGE, None)],
)
def test_metrics_of_named_benchmarks(metric: str, chance: float | None) -> None:
    assert chance_of(item(AnswerType.OPEN, "x"), metric) == chance


def test_a_letter_without_its_choices_is_unknown() -> None:
    assert chance_of(item(AnswerType.LETTER, "B"), "letter") is None
