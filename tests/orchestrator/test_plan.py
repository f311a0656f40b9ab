"""The plan: ordinary and control cells, their numbers and order, and the keys of stored results."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from omnigap.vocabulary import CONDITIONS, AnswerType, Condition, Control, Modality
from omnigap_orchestrator.config import ConfigError, load_config
from omnigap_orchestrator.config.services import DecodingConfig
from omnigap_orchestrator.items.item import Item, OwnCarrier
from omnigap_orchestrator.plan import (
    AnswerKeys,
    Cell,
    ModelSpec,
    PlanError,
    make_plan,
    score_key,
    scorer_key,
    transcript_key,
)


def item(name: str) -> Item:
    return Item(id=name, task="t", language="en", question=f"{name}?", answers=("a",), answer_type=AnswerType.ENTITY)


TWO = (item("one"), item("two"))
OMNI = ModelSpec("omni")
TEXT_AND_IMAGE = ModelSpec("text-and-image", conditions=(Condition.parse("t2t"), Condition.parse("i2t")))


def test_plan_has_every_cell_once() -> None:
    plan = make_plan(TWO, [OMNI, TEXT_AND_IMAGE], replicates=3)
    cells = list(plan)
    assert len(cells) == len(set(cells)) == len(plan) == 2 * 3 * (6 + 2)
    assert plan.conditions == CONDITIONS
    assert make_plan(TWO, [TEXT_AND_IMAGE]).conditions == TEXT_AND_IMAGE.conditions


def test_cells_are_ordered_item_by_item() -> None:
    plan = make_plan(TWO, [OMNI, TEXT_AND_IMAGE], replicates=2)
    order = list(dict.fromkeys((cell.replicate, cell.item_id) for cell in plan))
    assert order == list(product((0, 1), ("one", "two")))
    assert len(order) < len(list(plan))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], [OMNI], 1), "no items are selected"),
        ((TWO, [], 1), "no models are configured"),
        ((TWO, [OMNI, TEXT_AND_IMAGE, OMNI], 1), "two models .*'omni'"),
        ((TWO, [OMNI], 0), "replicates is 0"),
    ],
    ids=["items", "models", "names", "replicates"],
)
def test_impossible_plan_raises(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        make_plan(*arguments)


KEY_PARTS = {"carrier_sha": "c", "instruction": "i", "language": "en", "output": "text", "replicate": 0}


def test_answer_key_ignores_name_and_endpoints() -> None:
    assert AnswerKeys(OMNI, "d").key(**KEY_PARTS) == AnswerKeys(replace(OMNI, endpoints=("h:1",)), "d").key(**KEY_PARTS)
    assert AnswerKeys(OMNI, "d").key(**KEY_PARTS) == AnswerKeys(replace(OMNI, name="renamed"), "d").key(**KEY_PARTS)


def test_answer_key_depends_on_everything_that_affects_the_answer() -> None:
    specs = [
        OMNI,
        replace(OMNI, system_prompt="Be brief."),
        replace(OMNI, voice="ann"),
        replace(OMNI, decoding=DecodingConfig(temperature=0.0)),
        replace(OMNI, decoding=DecodingConfig(top_p=0.5)),
        replace(OMNI, decoding=DecodingConfig(seed=0)),
        replace(OMNI, decoding=DecodingConfig(extra={"thinking": "false"})),
    ]
    keys = [AnswerKeys(spec, digest).key(**KEY_PARTS) for spec in specs for digest in ("d", "e")]
    changes = ("carrier_sha", "x"), ("instruction", "x"), ("language", "ko"), ("output", "speech"), ("replicate", 1)
    keys += [AnswerKeys(OMNI, "d").key(**{**KEY_PARTS, name: value}) for name, value in changes]
    assert len(set(keys)) == len(keys)


def test_answer_key_separates_its_parts() -> None:
    keys = AnswerKeys(OMNI, "d")
    pairs = [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc")]
    assert len({keys.key(carrier, text, "en", "text", 0) for carrier, text in pairs}) == 4


def test_transcript_key_depends_on_audio_scorer_decoding_and_language() -> None:
    plain, narrow = DecodingConfig(), DecodingConfig(beam_size=1)
    scorers = {scorer_key(*parts) for parts in product("ab", (plain, narrow))}
    assert len({transcript_key(*parts) for parts in product("ab", scorers, ("en", "ko"))}) == 16


def test_score_key_depends_on_texts_golds_metric_and_normaliser() -> None:
    assert len({score_key(*parts) for parts in product("ab", repeat=5)}) == 32


ALL_CONTROLS = tuple(Control)
MODEL = ModelSpec("omni", conditions=CONDITIONS)


def own_item(name: str, *own: Modality) -> Item:
    carriers = {modality: OwnCarrier(text="x", data=b"x") for modality in own}
    return Item(name, "places", "en", f"Where is {name}?", ("here",), AnswerType.ENTITY, carriers=carriers)


def test_control_cells_are_counted_separately_and_ordered_by_item() -> None:
    plan = make_plan(
        [own_item("a"), own_item("b")], [MODEL, ModelSpec("asr", conditions=CONDITIONS[:2])], 2, ALL_CONTROLS
    )
    cells = list(plan.control_cells())
    assert len(plan) == len(list(plan)) == 2 * 2 * (6 + 2)
    assert len(cells) == len(set(cells)) == plan.control_count == 2 * 2 * ((2 + 6 + 6) + (1 + 2 + 2))
    assert [cell.item_id for cell in cells] == sorted(cell.item_id for cell in cells[: len(cells) // 2]) * 2
    assert all(cell.control is None for cell in plan)


def test_plan_without_controls() -> None:
    plan = make_plan([own_item("a")], [MODEL])
    assert plan.control_count == 0
    assert list(plan.control_cells()) == []


def test_two_pass_cells_exist_for_text_answers_to_spoken_and_shown_questions() -> None:
    plan = make_plan([own_item("a")], [MODEL], controls=[Control.TWO_PASS])
    assert [cell.condition.name for cell in plan.control_cells()] == ["s2t", "i2t"]


@pytest.mark.parametrize(
    ("own", "planned"),
    [
        ((), ["s2t", "i2t"]),
        ((Modality.SPEECH,), ["s2t", "i2t"]),
        ((Modality.TEXT,), ["s2t", "i2t"]),
        ((Modality.TEXT, Modality.SPEECH), ["i2t"]),
        ((Modality.TEXT, Modality.SPEECH, Modality.IMAGE), []),
    ],
    ids=lambda value: "-".join(value) or "none",
)
def test_own_medium_with_own_text_has_no_two_pass_cell(own: tuple[Modality, ...], planned: list[str]) -> None:
    plan = make_plan([own_item("dots", *own), own_item("a")], [MODEL], controls=[Control.TWO_PASS])
    assert [cell.condition.name for cell in plan.control_cells() if cell.item_id == "dots"] == planned
    counted = {name: plan.count(Condition.parse(name), Control.TWO_PASS) for name in ("s2t", "i2t")}
    assert counted == {name: 1 + planned.count(name) for name in counted}
    assert plan.control_count == len(planned) + 2


def test_control_cell_has_its_own_failure_name() -> None:
    condition = Condition.parse("s2t")
    cell, control = Cell("omni", "a", condition), Cell("omni", "a", condition, control=Control.BLANK)
    assert (cell.filed_under, control.filed_under) == ("s2t", "s2t blank")
    assert (str(cell), str(control)) == ("omni a s2t", "omni a s2t blank")
    assert cell != control


def test_marks_change_the_answer_key() -> None:
    keys = AnswerKeys(MODEL, "digest")
    parts = ("sha", "Answer.", "en", "text", 0)
    found = [keys.key(*parts, *marks) for marks in ((), ("repeat",), ("blank",), ("blank", "sha"), ("blanksha",))]
    assert len(set(found)) == 5
    assert keys.key(*parts) == found[0]
    # The key of ordinary cells must not change, or the answers of existing runs would not be found.
    assert found[0] == "87c17805a539cef9311ff47da1435760bf134aa819faf8a17b74693f9f2687f1"


def test_controls_in_the_configuration() -> None:
    config = load_config(None, {"run.controls": ["repeat", "two-pass", "repeat"]})
    assert config.run.controls == (Control.TWO_PASS, Control.REPEAT)
    assert load_config().run.controls == ()
    with pytest.raises(ConfigError, match=r"--controls: must be one of 'two-pass', 'blank' or 'repeat'"):
        load_config(None, {"run.controls": ["twopass"]})
    with pytest.raises(ConfigError, match="--asr-prompt"):
        load_config(None, {"run.asr_prompt": " "})


def test_every_control_is_planned_once_per_cell() -> None:
    plan = make_plan([own_item("a")], [MODEL], controls=ALL_CONTROLS)
    counts = Counter((cell.condition, cell.control) for cell in plan.control_cells())
    assert set(counts.values()) == {1}
    assert len(counts) == 2 + 6 + 6
