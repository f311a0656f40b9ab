"""`plan`, `doctor` and `models`: what would be asked, what is wrong, who answers; none of them asks a question."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from running import Setting, item
from served_doubles import Double, Serve, say

from omnigap.vocabulary import Condition, Outcome
from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.cli.progress import observer_for
from omnigap_orchestrator.fleet import COMPOSE_PORTS
from omnigap_orchestrator.pipeline.scope import Stage
from omnigap_services.adapter import Turn

ITEMS = [item("france"), item("peru")]


def paris(turn: Turn) -> None:
    say(turn, "Paris")


@pytest.fixture
def no_compose(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, (role, _) in list(COMPOSE_PORTS.items()):
        monkeypatch.setitem(COMPOSE_PORTS, name, (role, 1))


def command(*arguments: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    return result.stdout


def told(*arguments: str | Path, code: int = 0) -> Any:
    return json.loads(command(*arguments, "--json", code=code))


def test_plan_counts_cells_without_any_service(tmp_path: Path) -> None:
    setting = Setting(tmp_path, {"omni": ["127.0.0.1:1"]}, items=ITEMS, tables={"run": {"replicates": 2}})
    config = setting.write()
    seen = told("plan", "--config", config)
    assert (seen["items"], seen["cells"]) == (2, 24)
    assert {
        row["condition"]: (row["cells"], row["done"], row["seconds_left"]) for row in seen["rows"]
    } == dict.fromkeys(("t2t", "s2t", "i2t", "t2s", "s2s", "i2s"), (4, 0, None))
    assert "not measured" in command("plan", "--config", config)
    assert not setting.folder.root.exists()


def test_plan_computes_sample_sizes_from_a_pilot(tmp_path: Path) -> None:
    config = Setting(tmp_path, {"omni": ["127.0.0.1:1"]}, items=ITEMS).write()
    pilot = tmp_path / "pilot.csv"
    pairs = [(number, condition) for number in range(40) for condition in ("t2t", "s2t")]
    lines = [f"q{n},{c},{int(n % 4 != 0 and (c == 't2t' or n % 5 != 0))}" for n, c in pairs]
    pilot.write_text("\n".join(["item_id,condition,score", *lines]))
    needs = told("plan", "--config", config, "--target-gap", "0.05", "--pilot", pilot)["needs"]
    (row,) = needs["rows"]
    assert (needs["target_gap"], needs["pilot"], row["condition"]) == (0.05, str(pilot), "s2t")
    assert 0 < row["phi"] < 1
    assert f"{row['needed']:,}" in command("plan", "--config", config, "--target-gap", "0.05", "--pilot", pilot)


def test_plan_without_a_pilot_assumes_an_accuracy(tmp_path: Path) -> None:
    config = Setting(tmp_path, {"omni": ["127.0.0.1:1"]}, items=ITEMS).write()
    assert told("plan", "--config", config)["needs"] is None
    assert told("plan", "--config", config, "--target-gap", "0.03")["needs"]["pilot"] is None
    assert "assumed: 70 % in t2t" in command("plan", "--config", config, "--target-gap", "0.03")
    assert "70 %" not in command("plan", "--config", config)
    refused = CliRunner().invoke(main, ["plan", "--config", str(config), "--target-gap", "3"])
    assert refused.exit_code == 2
    assert "--target-gap" in refused.output


async def test_plan_shows_done_cells_and_the_time_left(tmp_path: Path, host: Serve) -> None:
    setting = Setting(tmp_path, {"omni": [await host(Double(paris))]}, items=ITEMS)
    await setting.execute(conditions=["t2t"])
    rows = {row["condition"]: row for row in told("plan", "--config", setting.write())["rows"]}
    assert (rows["t2t"]["done"], rows["t2t"]["seconds_left"]) == (2, 0)
    assert (rows["i2t"]["done"], rows["i2t"]["seconds_left"]) == (0, None)


def test_models_lists_the_registry_and_services_without_an_answer(no_compose: None) -> None:
    seen = told("models")
    assert {service["name"] for service in seen["services"]} == set(COMPOSE_PORTS)
    assert not any(service["digest"] for service in seen["services"])
    assert all(len(system["conditions"]) == 6 for system in seen["known"])
    assert "away" in command("models")


@pytest.mark.parametrize("quiet", [True, False])
def test_progress_without_a_terminal_is_reported_in_tenths_unless_quiet(
    quiet: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    condition = Condition.parse("t2t")
    with observer_for(quiet=quiet) as observer:
        observer.note("a note")
        observer.planned(Stage.GENERATE, "omni", condition, 100, 20)
        for _ in range(80):
            observer.finished(Stage.GENERATE, "omni", condition, Outcome.ANSWERED)
    written = capsys.readouterr()
    assert written.out == ""
    assert "a note" in written.err
    assert written.err.count("cells asked") == (0 if quiet else 9)
    assert ("100 of 100 cells asked" in written.err) is not quiet


def test_a_terminal_shows_a_bar_with_a_rate_for_each_model_and_condition(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with observer_for(quiet=False) as observer:
        observer.preparing("carriers", 1, 2)
        observer.preparing("carriers", 2, 2)
        for stage in (Stage.GENERATE, Stage.TRANSCRIBE):
            for name in ("t2s", "s2s"):
                observer.planned(stage, "omni [x]", Condition.parse(name), 4, 1)
                observer.finished(stage, "omni [x]", Condition.parse(name), Outcome.ANSWERED)
        observer.finished(Stage.SCORE, "omni [x]", Condition.parse("t2s"), Outcome.ANSWERED)
    written = capsys.readouterr()
    assert written.out == ""
    for word in ("omni [x]", "t2s", "s2s", "asks", "heard", "2/4", "/s"):
        assert word in written.err
