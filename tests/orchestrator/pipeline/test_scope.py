"""The scope of a command: parsing, coverage, and the services that it requires from the fleet."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnigap.vocabulary import Condition
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.fleet import Required
from omnigap_orchestrator.items.row import read_row
from omnigap_orchestrator.pipeline.scope import RunScope, ScopeError, Stage, required_from_fleet
from tests.helpers.running import item

ITEMS = (read_row(item("peru"), Path()),)


def test_stages_are_in_the_order_of_the_data() -> None:
    assert RunScope.parse((), (), ("score", "generate")).stages == (Stage.GENERATE, Stage.SCORE)


@pytest.mark.parametrize(
    ("conditions", "stages", "part"),
    [(["t2i"], ["score"], "'t2i'"), ([], ["scores"], "'scores'"), ([], [], "--stages")],
)
def test_unknown_values_are_named(conditions: list[str], stages: list[str], part: str) -> None:
    with pytest.raises(ScopeError, match=part):
        RunScope.parse((), conditions, stages)


def test_an_unplanned_model_is_named_with_a_suggestion() -> None:
    with pytest.raises(ScopeError, match=r"'omini'.*'omni'"):
        RunScope(models=("omini",)).check(["omni"])


def test_an_empty_scope_covers_everything() -> None:
    t2t, s2t = Condition.parse("t2t"), Condition.parse("s2t")
    assert RunScope().covers("omni", s2t)
    assert not RunScope(models=("other",)).covers("omni", s2t)
    assert not RunScope(conditions=(t2t,)).covers("omni", s2t)


@pytest.mark.parametrize(
    ("conditions", "stages", "required"),
    [
        (["t2t"], ["generate", "score"], Required(None, scorer=False, tts=False)),
        (["s2t"], ["generate"], Required(None, scorer=False, tts=True)),
        (["t2s"], ["generate", "transcribe"], Required(None, scorer=True, tts=False)),
        (["s2s"], ["transcribe"], Required(None, scorer=True, tts=False)),
    ],
)
def test_only_services_of_the_stages_are_required(conditions: list[str], stages: list[str], required: Required) -> None:
    assert required_from_fleet(Config(), ITEMS, RunScope.parse((), conditions, stages)) == required


def test_configured_endpoints_are_not_required_from_the_fleet() -> None:
    model = {"name": "omni", "endpoints": ["a:1"]}
    config = Config.model_validate({"models": [model, {"name": "two"}], "scorer": {"endpoints": ["a:2"]}})
    assert required_from_fleet(config, ITEMS, RunScope()) == Required(("two",), scorer=False, tts=True)
