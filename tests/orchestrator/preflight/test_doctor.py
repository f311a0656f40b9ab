"""`doctor`: findings on configuration, run folder and endpoints, and its exit code."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import omnigap
from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.fleet import COMPOSE_PORTS
from omnigap_orchestrator.journal import FLEET_META
from omnigap_orchestrator.pipeline.folder import RunFolder
from omnigap_orchestrator.preflight import Status
from omnigap_orchestrator.preflight.doctor import check_endpoint, diagnose
from omnigap_services.adapter import Turn
from tests.helpers.running import Setting, item, orchestrate
from tests.helpers.served_doubles import Double, Serve, ServeWire, Wire, plain, say

ITEMS = [item("france"), item("peru")]


def paris(turn: Turn) -> None:
    say(turn, "Paris")


@pytest.fixture
def no_compose(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, (role, _) in list(COMPOSE_PORTS.items()):
        monkeypatch.setitem(COMPOSE_PORTS, name, (role, 1))


def json_of(*arguments: str | Path, code: int = 0) -> Any:
    result = CliRunner().invoke(main, [*map(str, arguments), "--json"], env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


async def test_doctor_and_models_report_which_services_answer(tmp_path: Path, host: Serve) -> None:
    model = Double(paris)
    setting = Setting(tmp_path, {"omni": [await host(model), "127.0.0.1:1"]}, items=ITEMS)
    config = setting.write()
    ended = await orchestrate("doctor", "--config", config, "--json", folder=tmp_path)
    assert ended.code == 1, ended.err
    findings = [(each["check"], each["status"], each["message"]) for each in json.loads(ended.out)]
    assert ("items", "ok", "2 items in 1 tasks") in findings
    (ok, failed) = [(status, message) for check, status, message in findings if check == "model omni"]
    assert (ok[0], failed[0]) == ("ok", "failed")
    assert "double" in ok[1] and "127.0.0.1:1" in failed[1]

    ended = await orchestrate("models", "--config", config, "--json", folder=tmp_path)
    assert ended.code == 0, ended.err
    (answered, unavailable) = json.loads(ended.out)["services"]
    assert answered["conditions"] == dict.fromkeys(("t2t", "s2t", "i2t", "t2s", "s2s", "i2s"), "native")
    assert (unavailable["digest"], unavailable["conditions"]) == ("", {})
    assert model.asked == []


async def test_every_address_of_a_name_is_checked(host_wire: ServeWire) -> None:
    wire = Wire(plain, host="127.0.0.2")
    await host_wire(wire)

    async def two(host: str) -> list[str]:
        return ["127.0.0.2", "127.0.0.3"]

    found = await check_endpoint("model omni", f"demo:{wire.port}", Status.FAILED, look_up=two)
    assert [finding.status for finding in found] == [Status.OK, Status.FAILED]
    assert all(f"demo:{wire.port} ({ip})" in each.message for ip, each in zip(await two("demo"), found, strict=True))


def test_failed_checks_end_with_exit_code_1(tmp_path: Path, no_compose: None) -> None:
    setting = Setting(tmp_path, items=[*ITEMS, {"id": "broken"}])
    config = setting.write()
    (tmp_path / "runs").write_text("in the way")
    findings = {each["check"]: each for each in json_of("doctor", "--config", config, code=1)}
    assert (findings["items"]["status"], findings["run folder"]["status"]) == ("failed", "failed")
    assert "line 3" in findings["items"]["message"]
    assert "--run-dir" in findings["run folder"]["message"]
    assert findings["compose"]["status"] == "ok"


def test_a_judge_without_a_service_fails(tmp_path: Path, no_compose: None) -> None:
    setting = Setting(
        tmp_path, items=[item("essay", answer_type="open", metric="judge", answers=[])], tables={"judge": {}}
    )
    findings = {each["check"]: each for each in json_of("doctor", "--config", setting.write(), code=1)}
    assert findings["judge"]["status"] == "failed"
    assert "[judge]" in findings["judge"]["message"]
    setting.tables = {"judge": {}, "fleet": {"services": {"critic": {"service": "openai", "role": "judge"}}}}
    findings = {each["check"]: each for each in json_of("doctor", "--config", setting.write())}
    assert findings["judge"]["status"] == "ok"
    assert findings["embedded services"]["message"].startswith("critic, espeak, asr, demo:")


async def test_doctor_checks_the_stored_run(tmp_path: Path, host: Serve) -> None:
    setting = Setting(tmp_path, {"omni": [await host(Double(paris))]}, items=ITEMS)
    await setting.execute(conditions=["t2t"])
    ended = await orchestrate("doctor", "--run-dir", setting.folder.root, "--json", folder=tmp_path)
    assert ended.code == 0, ended.err
    findings = {each["check"]: each["message"] for each in json.loads(ended.out)}
    assert findings["items"] == "2 items in 1 tasks"
    assert "serves double" in findings["model omni"]
    assert str(setting.folder.root) in findings["configuration"] and "2 items" in findings["configuration"]
    ended = await orchestrate("doctor", "--run-dir", setting.folder.root, "--limit", "1", "--json", folder=tmp_path)
    assert {each["check"]: each["message"] for each in json.loads(ended.out)}["items"] == "1 items in 1 tasks"


async def test_the_language_of_the_shipped_scorer_is_checked(tmp_path: Path) -> None:
    config = Config.model_validate({"items": {"builtin": "ko"}})
    findings = {f.check: f for f in await diagnose(config, tmp_path / "run")}
    assert findings["scorer language"].status.value == "failed"
    assert "docs/korean.md" in findings["scorer language"].message


async def test_an_endpoint_without_the_language_is_named(tmp_path: Path, host: Serve) -> None:
    model, scorer = Double(paris, languages=("de",)), Double(paris, languages=("de",))
    setting = Setting(tmp_path, {"omni": [await host(model)]}, scorer=[await host(scorer)], items=ITEMS)
    found = await diagnose(setting.config(), setting.folder.root)
    (fails,) = (each for each in found if each.check == "scorer")
    assert fails.status == "failed"
    assert fails.message.startswith(setting.scorer[0]) and "en (2)" in fails.message
    assert [each.status for each in found if each.check == "model omni"] == ["ok", "warning"]


def test_a_run_in_use_is_a_failed_finding(tmp_path: Path, no_compose: None) -> None:
    setting = Setting(tmp_path, items=ITEMS)
    config = setting.write()
    setting.folder.make()
    setting.folder.journal.touch()
    with setting.folder.locked():
        found = json_of("doctor", "--config", config, code=1)
    assert [each["status"] for each in found if each["check"] == "run folder"] == ["failed"]
    assert str(os.getpid()) in found[-1]["message"]


def test_doctor_creates_no_lock_file(tmp_path: Path, no_compose: None) -> None:
    setting = Setting(tmp_path, items=ITEMS)
    config = setting.write()
    setting.folder.make()
    setting.folder.journal.touch()
    json_of("doctor", "--config", config)
    assert not setting.folder.lock.exists()


def test_a_lock_that_cannot_be_opened_is_a_failed_finding(tmp_path: Path, no_compose: None) -> None:
    setting = Setting(tmp_path, items=ITEMS)
    config = setting.write()
    setting.folder.make()
    setting.folder.journal.touch()
    # Opening a folder as a file fails even for root, which ignores permissions.
    setting.folder.lock.mkdir()
    found = json_of("doctor", "--config", config, code=1)
    assert "--run-dir" in found[-1]["message"]


async def test_the_preflight_imports_neither_scipy_nor_matplotlib(tmp_path: Path) -> None:
    code = "import sys, omnigap_orchestrator.preflight.doctor; print(sorted({'scipy', 'matplotlib'} & {*sys.modules}))"
    ended = await orchestrate(folder=tmp_path, python=("-c", code))
    assert ended.out.strip() == "[]", ended.err


async def composed(monkeypatch: pytest.MonkeyPatch, root: Path, **services: Wire) -> dict[str, tuple[str, str]]:
    """Status and message of doctor's findings about Compose, of which these services run."""
    for name, (role, _) in list(COMPOSE_PORTS.items()):
        monkeypatch.setitem(COMPOSE_PORTS, name, (role, services[name].port if name in services else 1))
    found = await diagnose(Config.model_validate({"items": {"builtin": True, "limit": 7}}), root)
    return {f.check: (f.status.value, f.message) for f in found if f.check.startswith("compose")}


async def test_missing_and_outdated_services_of_compose_are_named(
    tmp_path: Path, host_wire: ServeWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    espeak = Wire(plain, settings={"service.contract": omnigap.__version__})
    demo = Wire(plain, settings={"service.contract": "0.0.9"})
    for wire in (espeak, demo):
        await host_wire(wire)
    found = await composed(monkeypatch, tmp_path, espeak=espeak, demo=demo)
    assert found["compose espeak"][0] == "ok"
    status, text = found["compose asr"]
    assert status == "warning" and "docker compose up -d --wait" in text and "logs asr" in text
    status, text = found["compose demo"]
    assert status == "warning" and "0.0.9" in text and "--build" in text
    assert found["compose ocr"][0] == "ok" and "--profile ocr" in found["compose ocr"][1]


async def test_a_missing_service_of_a_run_on_compose_is_a_failure(
    tmp_path: Path, host_wire: ServeWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(tmp_path)
    folder.make()
    journal = folder.open_journal()
    journal.set_meta(FLEET_META, "compose")
    journal.close()
    found = await composed(monkeypatch, tmp_path)
    assert {name: status for name, (status, _) in found.items()} == {
        "compose espeak": "failed",
        "compose asr": "failed",
        "compose demo": "failed",
        "compose ocr": "ok",
    }
