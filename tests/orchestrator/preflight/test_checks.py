"""The checks that need no service, and how a command reacts to their findings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from omnigap_orchestrator.config import Config, load_config
from omnigap_orchestrator.extras.asr_correction.measure import CALIBRATE
from omnigap_orchestrator.extras.readback.run import VERIFY
from omnigap_orchestrator.items import Item, load_items
from omnigap_orchestrator.items.row import read_row
from omnigap_orchestrator.preflight import (
    CHECKS,
    FULL_SCOPE,
    Check,
    Finding,
    PreflightError,
    PreflightScope,
    Status,
    check_plan,
    checks,
    enforce,
)
from tests.helpers.running import item, orchestrate

ITEMS = load_items("builtin-ko")
RUN = replace(FULL_SCOPE, connects=True)


def found(
    name: str, config: Config, items: tuple[Item, ...] = ITEMS, scope: PreflightScope = FULL_SCOPE
) -> list[Finding]:
    """The findings of one check."""
    return [each for each in check_plan(config, items, scope, Path()) if each.check == name]


def scorer_language(config: Config, scope: PreflightScope = FULL_SCOPE) -> list[Finding]:
    return found("scorer language", config, scope=scope)


def test_the_shipped_asr_checkpoint_supports_only_english(tmp_path: Path) -> None:
    (finding,) = scorer_language(Config())
    assert finding.status is Status.FAILED
    for text in (
        '[fleet.services.asr]\noptions = { checkpoint = "large-v3" }',
        '[scorer]\nendpoints = ["10.0.0.1:5"]',
        '[fleet.services.mine]\nservice = "my-asr"\nrole = "scorer"',
    ):
        (tmp_path / "c.toml").write_text(text)
        assert scorer_language(load_config(tmp_path / "c.toml")) == []


async def test_plan_notes_a_scorer_without_the_language_of_the_items(tmp_path: Path) -> None:
    ended = await orchestrate("plan", "--items", "builtin-ko", folder=tmp_path)
    assert ended.code == 0, ended.err
    assert "ASR scorer" in ended.out and "docs/korean.md" in ended.out


async def test_plan_notes_items_without_a_configured_judge(tmp_path: Path) -> None:
    items = tmp_path / "items.jsonl"
    open_item = {"id": "a", "task": "open", "language": "en", "question": "Why?", "answer_type": "open"}
    items.write_text(json.dumps({**open_item, "answers": [], "metric": "judge"}), encoding="utf-8")
    ended = await orchestrate("plan", "--items", str(items), folder=tmp_path)
    assert ended.code == 0, ended.err
    assert "1 items" in ended.out and "[judge]" in ended.out


def test_a_language_of_the_shipped_scorer_is_a_warning_if_compose_may_answer() -> None:
    assert [each.status for each in scorer_language(Config())] == [Status.FAILED]
    assert [each.status for each in scorer_language(Config(), RUN)] == [Status.WARNING]
    embedded = Config.model_validate({"fleet": {"kind": "embedded"}})
    assert [each.status for each in scorer_language(embedded, RUN)] == [Status.FAILED]


def test_findings_outside_the_scope_are_softened() -> None:
    config = Config.model_validate({"models": [{"name": "cascad"}], "carriers": {"image": {"size": [24, 32]}}})
    assert [each.status for each in found("models", config)] == [Status.FAILED]
    assert [each.status for each in found("variants", config)] == [Status.WARNING]
    for scope in (CALIBRATE, VERIFY, replace(RUN, generates=False)):
        assert [each.status for each in found("models", config, scope=scope)] == [Status.WARNING]
        assert found("variants", config, scope=scope) == []


def test_models_outside_the_scope_are_not_checked() -> None:
    config = Config.model_validate({"models": [{"name": "cascad"}, {"name": "omni", "endpoints": ["a:1"]}]})
    assert found("models", config, scope=replace(RUN, models=("omni",))) == []
    assert len(found("models", config, scope=replace(RUN, models=("cascad",)))) == 1


def test_conditions_outside_the_scope_are_not_checked(tmp_path: Path) -> None:
    text = tuple(condition for condition in Config().run.conditions if condition.name in ("t2t", "s2t"))
    config = Config.model_validate({"carriers": {"image": {"font": "No Such Sans"}}})
    assert found("font", config) != []
    assert found("font", config, scope=replace(RUN, conditions=text)) == []
    assert scorer_language(config, replace(FULL_SCOPE, conditions=text)) == []


def test_the_preflight_changes_nothing_on_disk(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "test"
    (finding,) = (each for each in check_plan(Config(), ITEMS, FULL_SCOPE, folder) if each.check == "run folder")
    assert finding.status is Status.OK and str(folder) in finding.message
    assert list(tmp_path.iterdir()) == []


def test_low_disk_space_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "LOW_DISK_BYTES", 2**80)
    (finding,) = found("disk", Config())
    assert finding.status is Status.WARNING
    assert "--run-dir" in finding.message


def test_a_missing_rubric_is_a_failed_finding(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('[judge]\nrubric = "gone.toml"')
    (finding,) = found("judge", load_config(tmp_path / "c.toml"))
    assert finding.status is Status.FAILED
    assert "gone.toml" in finding.message


def test_a_missing_judge_is_only_a_warning_for_a_run() -> None:
    essay = (read_row(item("essay", answer_type="open", metric="judge", answers=[]), Path()),)
    config = Config.model_validate({"judge": {}})
    assert [each.status for each in found("judge", config, essay)] == [Status.FAILED]
    assert [each.status for each in found("judge", config, essay, RUN)] == [Status.WARNING]


def test_enforce_raises_all_failures_and_notes_warnings_once() -> None:
    notes: list[str] = []
    low, bad, worse = Finding.warning("a", "low"), Finding.failed("b", "bad"), Finding.failed("c", "worse")
    with pytest.raises(PreflightError) as caught:
        enforce([low, bad, worse, bad], notes.append)
    assert str(caught.value) == "bad\nworse"
    assert caught.value.findings == (bad, worse, bad)
    assert notes == []
    enforce([low, Finding.ok("d", "well"), low], notes.append)
    assert notes == ["low"]


def test_further_checks_are_reported_last(tmp_path: Path) -> None:
    mine = Check(lambda inputs: [Finding.warning("mine", f"{len(inputs.items)} items")])
    findings = check_plan(Config(), ITEMS, FULL_SCOPE, tmp_path, (*CHECKS, mine))
    assert findings[-1] == Finding.warning("mine", f"{len(ITEMS)} items")
