"""`doctor` prints every finding, asks every endpoint, and ends with 1 where a check fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from running import Setting, item, orchestrate
from served_doubles import Double, Serve, say

from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.fleet import COMPOSE_PORTS
from omnigap_orchestrator.preflight.doctor import diagnose
from omnigap_services.adapter import Turn

ITEMS = [item("france"), item("peru")]


def paris(turn: Turn) -> None:
    say(turn, "Paris")


@pytest.fixture
def no_compose(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, (role, _) in list(COMPOSE_PORTS.items()):
        monkeypatch.setitem(COMPOSE_PORTS, name, (role, 1))


def told(*arguments: str | Path, code: int = 0) -> Any:
    result = CliRunner().invoke(main, [*map(str, arguments), "--json"], env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


async def test_doctor_and_models_see_who_answers(tmp_path: Path, host: Serve) -> None:
    model = Double(paris)
    setting = Setting(tmp_path, {"omni": [await host(model), "127.0.0.1:1"]}, items=ITEMS)
    config = setting.write()
    ended = await orchestrate("doctor", "--config", config, "--json", folder=tmp_path)
    assert ended.code == 1, ended.err
    findings = [(each["check"], each["status"], each["message"]) for each in json.loads(ended.out)]
    assert ("items", "ok", "2 items in 1 tasks") in findings
    (well, away) = [(status, message) for check, status, message in findings if check == "model omni"]
    assert (well[0], away[0]) == ("ok", "failed")
    assert "serves double, digest" in well[1]
    assert "127.0.0.1:1 is not serving" in away[1]

    ended = await orchestrate("models", "--config", config, "--json", folder=tmp_path)
    assert ended.code == 0, ended.err
    (well, away) = json.loads(ended.out)["services"]
    assert well["conditions"] == dict.fromkeys(("t2t", "s2t", "i2t", "t2s", "s2s", "i2s"), "native")
    assert (away["digest"], away["conditions"]) == ("", {})
    assert model.asked == []


def test_doctor_names_what_is_wrong_and_ends_with_1(tmp_path: Path, no_compose: None) -> None:
    setting = Setting(tmp_path, items=[*ITEMS, {"id": "broken"}])
    config = setting.write()
    (tmp_path / "runs").write_text("in the way")
    findings = {each["check"]: each for each in told("doctor", "--config", config, code=1)}
    assert (findings["items"]["status"], findings["run folder"]["status"]) == ("failed", "failed")
    assert "line 3" in findings["items"]["message"]
    assert "--run-dir" in findings["run folder"]["message"]
    assert findings["compose"]["message"].startswith("no Compose service answers")


def test_doctor_misses_a_judge_that_nobody_is_named_for(tmp_path: Path, no_compose: None) -> None:
    setting = Setting(
        tmp_path, items=[item("essay", answer_type="open", metric="judge", answers=[])], tables={"judge": {}}
    )
    findings = {each["check"]: each for each in told("doctor", "--config", setting.write(), code=1)}
    assert findings["judge"]["status"] == "failed"
    assert "[judge] has no endpoints" in findings["judge"]["message"]
    setting.tables = {"judge": {}, "fleet": {"services": {"critic": {"service": "openai", "role": "judge"}}}}
    findings = {each["check"]: each for each in told("doctor", "--config", setting.write())}
    assert findings["judge"]["message"].startswith("1 items are judged")
    assert findings["embedded services"]["message"].startswith("critic, espeak, asr, demo:")


async def test_doctor_checks_the_items_and_the_endpoints_of_the_run_in_the_folder(tmp_path: Path, host: Serve) -> None:
    setting = Setting(tmp_path, {"omni": [await host(Double(paris))]}, items=ITEMS)
    await setting.execute(conditions=["t2t"])
    ended = await orchestrate("doctor", "--run-dir", setting.folder.root, "--json", folder=tmp_path)
    assert ended.code == 0, ended.err
    findings = {each["check"]: each["message"] for each in json.loads(ended.out)}
    assert findings["items"] == "2 items in 1 tasks"
    assert "serves double" in findings["model omni"]
    assert "its configuration, and its 2 items" in findings["configuration"]
    ended = await orchestrate("doctor", "--run-dir", setting.folder.root, "--limit", "1", "--json", folder=tmp_path)
    assert {each["check"]: each["message"] for each in json.loads(ended.out)}["items"] == "1 items in 1 tasks"


async def test_doctor_says_that_the_shipped_scorer_does_not_know_the_language(tmp_path: Path) -> None:
    config = Config.model_validate({"items": {"builtin": "ko"}})
    findings = {f.check: f for f in await diagnose(config, tmp_path / "run")}
    assert findings["scorer language"].status.value == "failed"
    assert "docs/korean.md" in findings["scorer language"].message


async def test_doctor_says_which_endpoint_does_not_know_the_language(tmp_path: Path, host: Serve) -> None:
    model, scorer = Double(paris, languages=("de",)), Double(paris, languages=("de",))
    setting = Setting(tmp_path, {"omni": [await host(model)]}, scorer=[await host(scorer)], items=ITEMS)
    found = await diagnose(setting.config(), setting.folder.root)
    (fails,) = (each for each in found if each.check == "scorer")
    assert fails.status == "failed"
    assert fails.message.startswith(f"{setting.scorer[0]}: the ASR scorer knows de, and items come in en (2)")
    assert [each.status for each in found if each.check == "model omni"] == ["ok", "warning"]


def test_doctor_says_that_another_process_holds_the_run(tmp_path: Path, no_compose: None) -> None:
    setting = Setting(tmp_path, items=ITEMS)
    config = setting.write()
    setting.folder.make()
    setting.folder.journal.touch()
    with setting.folder.locked():
        found = told("doctor", "--config", config, code=1)
    assert [each["status"] for each in found if each["check"] == "run folder"] == ["failed"]
    assert "is in use by another omnigap" in found[-1]["message"]


def test_doctor_leaves_no_lock_behind(tmp_path: Path, no_compose: None) -> None:
    setting = Setting(tmp_path, items=ITEMS)
    config = setting.write()
    setting.folder.make()
    setting.folder.journal.touch()
    told("doctor", "--config", config)
    assert not setting.folder.lock.exists()


def test_doctor_says_that_the_lock_of_a_run_cannot_be_opened(tmp_path: Path, no_compose: None) -> None:
    setting = Setting(tmp_path, items=ITEMS)
    config = setting.write()
    setting.folder.make()
    setting.folder.journal.touch()
    # A folder in its place cannot be opened, not even by an administrator, whom permissions do not stop.
    setting.folder.lock.mkdir()
    found = told("doctor", "--config", config, code=1)
    assert "cannot be written" in found[-1]["message"]
    assert "--run-dir" in found[-1]["message"]


async def test_the_preflight_loads_no_numerics_and_no_plots(tmp_path: Path) -> None:
    code = "import sys, omnigap_orchestrator.preflight.doctor; print(sorted({'scipy', 'matplotlib'} & {*sys.modules}))"
    ended = await orchestrate(folder=tmp_path, python=("-c", code))
    assert ended.out.strip() == "[]", ended.err
