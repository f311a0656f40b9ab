"""The plan is fixed and counted before the first call; keys change with every content that a result depends on."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from omnigap.vocabulary import CONDITIONS, AnswerType, Condition
from omnigap_orchestrator.config.services import DecodingConfig
from omnigap_orchestrator.items import Item
from omnigap_orchestrator.plan import AnswerKeys, ModelSpec, PlanError, make_plan, score_key, scorer_key, transcript_key


def item(name: str) -> Item:
    return Item(id=name, task="t", language="en", question=f"{name}?", answers=("a",), answer_type=AnswerType.ENTITY)


TWO = (item("one"), item("two"))
OMNI = ModelSpec("omni")
DEAF = ModelSpec("deaf", conditions=(Condition.parse("t2t"), Condition.parse("i2t")))


def test_a_plan_holds_every_cell_once_and_knows_how_many() -> None:
    plan = make_plan(TWO, [OMNI, DEAF], replicates=3)
    cells = list(plan)
    assert len(cells) == len(set(cells)) == len(plan) == 2 * 3 * (6 + 2)
    assert plan.conditions == CONDITIONS
    assert make_plan(TWO, [DEAF]).conditions == DEAF.conditions


def test_items_are_planned_whole_one_after_the_other() -> None:
    plan = make_plan(TWO, [OMNI, DEAF], replicates=2)
    order = list(dict.fromkeys((cell.replicate, cell.item_id) for cell in plan))
    assert order == list(product((0, 1), ("one", "two")))
    assert len(order) < len(list(plan))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (([], [OMNI], 1), "no items are selected"),
        ((TWO, [], 1), "no models are configured"),
        ((TWO, [OMNI, DEAF, OMNI], 1), "two models are called 'omni'"),
        ((TWO, [OMNI], 0), "replicates is 0"),
    ],
    ids=["items", "models", "names", "replicates"],
)
def test_what_cannot_be_planned_is_named(arguments: tuple[Any, ...], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        make_plan(*arguments)


ASKED = {"carrier_sha": "c", "instruction": "i", "language": "en", "output": "text", "replicate": 0}


def test_an_answers_key_is_the_same_for_the_same_content() -> None:
    assert AnswerKeys(OMNI, "d").key(**ASKED) == AnswerKeys(replace(OMNI, endpoints=("h:1",)), "d").key(**ASKED)
    assert AnswerKeys(OMNI, "d").key(**ASKED) == AnswerKeys(replace(OMNI, name="renamed"), "d").key(**ASKED)


def test_an_answers_key_changes_with_everything_that_the_answer_depends_on() -> None:
    specs = [
        OMNI,
        replace(OMNI, system_prompt="Be brief."),
        replace(OMNI, voice="ann"),
        replace(OMNI, decoding=DecodingConfig(temperature=0.0)),
        replace(OMNI, decoding=DecodingConfig(top_p=0.5)),
        replace(OMNI, decoding=DecodingConfig(seed=0)),
        replace(OMNI, decoding=DecodingConfig(extra={"thinking": "false"})),
    ]
    keys = [AnswerKeys(spec, digest).key(**ASKED) for spec in specs for digest in ("d", "e")]
    changes = ("carrier_sha", "x"), ("instruction", "x"), ("language", "ko"), ("output", "speech"), ("replicate", 1)
    keys += [AnswerKeys(OMNI, "d").key(**{**ASKED, name: value}) for name, value in changes]
    assert len(set(keys)) == len(keys)


def test_no_two_lists_of_parts_run_into_the_same_key() -> None:
    keys = AnswerKeys(OMNI, "d")
    pairs = [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc")]
    assert len({keys.key(carrier, text, "en", "text", 0) for carrier, text in pairs}) == 4


def test_a_transcripts_key_changes_with_audio_scorer_decoding_and_language() -> None:
    plain, narrow = DecodingConfig(), DecodingConfig(beam_size=1)
    scorers = {scorer_key(*parts) for parts in product("ab", (plain, narrow))}
    assert len({transcript_key(*parts) for parts in product("ab", scorers, ("en", "ko"))}) == 16


def test_a_scores_key_changes_with_texts_golds_metric_and_normaliser() -> None:
    assert len({score_key(*parts) for parts in product("ab", repeat=5)}) == 32
