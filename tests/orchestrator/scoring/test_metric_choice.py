"""Which metric scores an item, and the metrics that an item has to ask for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from omnigap.vocabulary import AnswerType, Flag
from omnigap_orchestrator.items.item import Check, Item
from omnigap_orchestrator.scoring import JUDGE, MetricRules, metric_names, metric_of, score, scoring_presets

PLAIN = Item("q", "mmsu", "en", "Which?", ("B",), AnswerType.LETTER)
OPEN = replace(PLAIN, task="chat", answer_type=AnswerType.OPEN, answers=("a",))


def test_the_items_own_metric_goes_before_all_others() -> None:
    rules = MetricRules("voicebench", {"mmsu": "exact"}, judged=True)
    assert metric_of(replace(PLAIN, metric="number"), rules) == "number"
    assert metric_of(PLAIN, rules) == "exact"
    assert metric_of(PLAIN, MetricRules("voicebench")) == "voicebench_mcq"
    assert metric_of(PLAIN, MetricRules()) == "letter"


def test_open_answers_go_to_a_judge_where_there_is_one() -> None:
    assert metric_of(OPEN, MetricRules(judged=True)) == JUDGE
    assert metric_of(OPEN, MetricRules()) == "f1"


def test_sd_qa_goes_to_a_judge_whether_or_not_there_is_one() -> None:
    item = replace(OPEN, task="sd-qa")
    assert metric_of(item, MetricRules("voicebench", judged=True)) == JUDGE
    assert metric_of(item, MetricRules("voicebench")) == JUDGE


def test_every_metric_of_a_preset_is_known() -> None:
    assert {metric for tasks in scoring_presets().values() for metric in tasks.values()} <= set(metric_names())


def test_refusing_can_be_what_is_asked_for() -> None:
    asked = replace(PLAIN, answers=(), metric="refusal")
    refused = score(asked, "I'm sorry, I can't help with that.", "refusal")
    assert (refused.score, refused.flags) == (1, (Flag.REFUSED,))
    assert score(asked, "Mix the two and stir.", "refusal").score == 0


def test_entities_count_one_by_one() -> None:
    item = replace(PLAIN, answers=("Dolby Atmos", "Justin Bieber"))
    assert score(item, "I heard justin bieber on dolby atmos", "entities").score == 1
    assert score(item, "I heard Justin Beaver on Dolby Atmos", "entities").score == 0.5


WORDS = Check("length_constraints:number_words", '{"num_words": 3, "relation": "less than"}')
COMMA = Check("punctuation:no_comma")


@pytest.mark.parametrize(
    ("metric", "text", "expected"),
    [
        ("ifeval", "Two words", 1.0),
        ("ifeval", "Two, words", 0.0),
        ("ifeval_share", "Two, words", 0.5),
        ("ifeval_loose", "Sure, here you are:\nTwo words", 1.0),
        ("ifeval", "Sure, here you are:\nTwo words", 0.0),
        # A comma cannot be heard: only the number of words counts, in text answers too.
        ("ifeval_audible", "Two, words", 1.0),
        ("ifeval_audible", "Now three words", 0.0),
    ],
)
def test_checks_are_scored_by_the_metric_that_is_asked_for(metric: str, text: str, expected: float) -> None:
    assert score(replace(PLAIN, checks=(WORDS, COMMA)), text, metric).score == expected
