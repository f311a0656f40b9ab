"""Control cells in the plan: which there are, how many, and that no key is shared."""

from __future__ import annotations

from collections import Counter

import pytest

from omnigap.vocabulary import CONDITIONS, AnswerType, Condition, Control, Modality
from omnigap_orchestrator.config import ConfigError, load_config
from omnigap_orchestrator.items.item import Item, OwnCarrier
from omnigap_orchestrator.plan import AnswerKeys, Cell, ModelSpec, make_plan

ALL = tuple(Control)
MODEL = ModelSpec("omni", conditions=CONDITIONS)


def item(name: str, *own: Modality) -> Item:
    carriers = {modality: OwnCarrier(text="x", data=b"x") for modality in own}
    return Item(name, "places", "en", f"Where is {name}?", ("here",), AnswerType.ENTITY, carriers=carriers)


def test_control_cells_are_counted_apart_and_come_item_by_item() -> None:
    plan = make_plan([item("a"), item("b")], [MODEL, ModelSpec("ears", conditions=CONDITIONS[:2])], 2, ALL)
    cells = list(plan.control_cells())
    assert len(plan) == len(list(plan)) == 2 * 2 * (6 + 2)
    assert len(cells) == len(set(cells)) == plan.control_count == 2 * 2 * ((2 + 6 + 6) + (1 + 2 + 2))
    assert [cell.item_id for cell in cells] == sorted(cell.item_id for cell in cells[: len(cells) // 2]) * 2
    assert all(cell.control is None for cell in plan)


def test_a_plan_without_controls_has_none() -> None:
    plan = make_plan([item("a")], [MODEL])
    assert plan.control_count == 0
    assert list(plan.control_cells()) == []


def test_two_passes_stand_beside_text_answers_to_spoken_and_shown_questions() -> None:
    plan = make_plan([item("a")], [MODEL], controls=[Control.TWO_PASS])
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
def test_a_medium_that_does_not_hold_the_typed_text_has_no_two_passes(
    own: tuple[Modality, ...], planned: list[str]
) -> None:
    plan = make_plan([item("dots", *own), item("a")], [MODEL], controls=[Control.TWO_PASS])
    assert [cell.condition.name for cell in plan.control_cells() if cell.item_id == "dots"] == planned
    counted = {name: plan.count(Condition.parse(name), Control.TWO_PASS) for name in ("s2t", "i2t")}
    assert counted == {name: 1 + planned.count(name) for name in counted}
    assert plan.control_count == len(planned) + 2


def test_a_control_is_filed_and_written_apart_from_its_cell() -> None:
    condition = Condition.parse("s2t")
    cell, control = Cell("omni", "a", condition), Cell("omni", "a", condition, control=Control.BLANK)
    assert (cell.filed_under, control.filed_under) == ("s2t", "s2t blank")
    assert (str(cell), str(control)) == ("omni a s2t", "omni a s2t blank")
    assert cell != control


def test_a_mark_makes_another_key_and_no_mark_the_key_of_old() -> None:
    keys = AnswerKeys(MODEL, "digest")
    asked = ("sha", "Answer.", "en", "text", 0)
    found = [keys.key(*asked, *marks) for marks in ((), ("repeat",), ("blank",), ("blank", "sha"), ("blanksha",))]
    assert len(set(found)) == 5
    assert keys.key(*asked) == found[0]
    # Of runs that were made before there were controls: their answers must still be found.
    assert found[0] == "87c17805a539cef9311ff47da1435760bf134aa819faf8a17b74693f9f2687f1"


def test_controls_are_read_in_any_order_and_named_in_errors() -> None:
    config = load_config(None, {"run.controls": ["repeat", "two-pass", "repeat"]})
    assert config.run.controls == (Control.TWO_PASS, Control.REPEAT)
    assert load_config().run.controls == ()
    with pytest.raises(ConfigError, match=r"--controls: must be one of 'two-pass', 'blank' or 'repeat'"):
        load_config(None, {"run.controls": ["twopass"]})
    with pytest.raises(ConfigError, match="--asr-prompt"):
        load_config(None, {"run.asr_prompt": " "})


def test_every_control_is_planned_once_for_each_cell_it_stands_beside() -> None:
    plan = make_plan([item("a")], [MODEL], controls=ALL)
    beside = Counter((cell.condition, cell.control) for cell in plan.control_cells())
    assert set(beside.values()) == {1}
    assert len(beside) == 2 + 6 + 6
