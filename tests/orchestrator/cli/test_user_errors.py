"""Errors of the user: exit code 1, one message that names the value and the fix, and no traceback."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.fleet import COMPOSE_PORTS
from tests.helpers.running import THREE, Setting


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(tmp_path, {"omni": ["127.0.0.1:1"]})


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def refused(result: Result, *words: str) -> None:
    assert result.exit_code == 1, result.output
    for word in words:
        assert word in result.stderr
    assert result.stderr.startswith("Error: ") or "\nError: " in result.stderr
    assert "Traceback" not in result.output


def test_a_typo_in_the_configuration(setting: Setting) -> None:
    config = setting.write()
    config.write_text(config.read_text() + "\n[analysis]\nalpa = 0.1\n")
    refused(command("run", "--config", config), "config.toml", "alpa", "alpha")


def test_a_missing_configuration(tmp_path: Path) -> None:
    refused(command("run", "--config", tmp_path / "none.toml"), "none.toml", "no such file")


def test_a_missing_items_file(setting: Setting) -> None:
    config = setting.write()
    refused(command("run", "--config", config, "--items", setting.root / "none.jsonl"), "none.jsonl")


def test_an_invalid_item_is_named_with_its_line(setting: Setting) -> None:
    setting.items = [*THREE, {"id": "x"}]
    refused(command("run", "--config", setting.write()), "items.jsonl", "line 4", "question")


def test_a_model_that_is_not_planned(setting: Setting) -> None:
    result = command("run", "--config", setting.write(), "--models", "omni,omini")
    refused(result, "--models", "'omini'", "did you mean 'omni'?")


def test_a_model_without_a_service_is_refused_before_anything_starts(tmp_path: Path) -> None:
    config = tmp_path / "study.toml"
    typed = '[run]\ndir = "runs/test"\n[items]\nlimit = 2\n[[models]]\nname = "{}"\n'
    config.write_text(typed.format("dem"))
    refused(command("run", "--config", config), "'dem'", "did you mean 'demo'?")
    assert not (tmp_path / "runs").exists()
    config.write_text(typed.format("qwen"))
    refused(command("run", "--config", config), "'qwen'", "demo", "[fleet.services.qwen]")
    # A command without the stage generate does not need it.
    result = command("run", "--config", config, "--stages", "score")
    assert result.exit_code == 3, result.output


def test_a_model_whose_endpoints_the_fleet_ignores_is_refused(setting: Setting) -> None:
    result = command("run", "--config", setting.write(), "--fleet", "embedded")
    refused(result, "'omni'", "--fleet auto")


def test_an_unknown_condition(setting: Setting) -> None:
    result = command("run", "--config", setting.write(), "--conditions", "t2t,t2i")
    refused(result, "--conditions", "'t2i'", "t2t, s2t, i2t, t2s, s2s, i2s")


def test_an_unknown_stage(setting: Setting) -> None:
    result = command("run", "--config", setting.write(), "--stages", "generate,trnscribe")
    refused(result, "--stages", "'trnscribe'", "transcribe")


def test_an_empty_list_of_stages(setting: Setting) -> None:
    refused(command("run", "--config", setting.write(), "--stages", ","), "--stages")


def test_a_run_folder_that_cannot_be_created(setting: Setting) -> None:
    (setting.root / "file").write_text("in the way")
    result = command("run", "--config", setting.write(), "--run-dir", setting.root / "file" / "run")
    refused(result, "file/run", "--run-dir")


def test_a_run_folder_that_cannot_be_written(setting: Setting, tmp_path: Path) -> None:
    folder = Path("/proc/self") if os.geteuid() == 0 else tmp_path / "closed"
    if os.geteuid() != 0:
        folder.mkdir(mode=0o500)
    refused(command("run", "--config", setting.write(), "--run-dir", folder), str(folder), "--run-dir")


def test_plan_notes_a_run_folder_that_cannot_be_written(setting: Setting, tmp_path: Path) -> None:
    folder = Path("/proc/self") if os.geteuid() == 0 else tmp_path / "closed"
    if os.geteuid() != 0:
        folder.mkdir(mode=0o500)
    result = command("plan", "--config", setting.write(), "--run-dir", folder, "--json")
    assert result.exit_code == 0, result.output
    assert any(str(folder) in note and "--run-dir" in note for note in json.loads(result.stdout)["notes"])


def test_a_second_orchestrator_on_the_same_folder(setting: Setting) -> None:
    setting.folder.make()
    with setting.folder.locked():
        result = command("run", "--config", setting.write())
    refused(result, str(os.getpid()), "--run-dir")


def test_a_file_that_is_not_a_journal(setting: Setting) -> None:
    setting.folder.make()
    setting.folder.journal.write_text("not a database " * 1_000)
    refused(command("run", "--config", setting.write()), "journal.sqlite", "--run-dir")


@pytest.mark.parametrize("name", ["report", "score", "transcribe"])
def test_a_folder_without_a_run(tmp_path: Path, name: str) -> None:
    refused(command(name, "--run-dir", tmp_path / "none"), "omnigap-orchestrate run --run-dir")
    assert not (tmp_path / "none").exists()


def test_a_static_fleet_without_endpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setting = Setting(tmp_path)
    for name, (role, _) in list(COMPOSE_PORTS.items()):
        monkeypatch.setitem(COMPOSE_PORTS, name, (role, 1))
    result = command("run", "--config", setting.write(), "--fleet", "static")
    refused(result, "--fleet static", "docker compose up")


def test_an_unknown_command_suggests_the_closest_one() -> None:
    result = command("rout", "runs/a")
    assert result.exit_code == 2
    assert "'rout'" in result.stderr and "'route'" in result.stderr


def test_an_unknown_reference(tmp_path: Path) -> None:
    table = tmp_path / "theirs.csv"
    table.write_text("item_id,condition,score\na,text,1\na,audio,0\n")
    refused(command("analyse", table, "--reference", "txt"), "--reference", "'txt'", "text, audio")


def test_two_runs_for_one_command(tmp_path: Path) -> None:
    result = command("sample-clips", tmp_path / "a", "--run-dir", tmp_path / "b")
    assert result.exit_code == 2
    assert str(tmp_path / "a") in result.stderr and "--run-dir" in result.stderr


def test_an_item_with_two_tasks(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("item_id,condition,score,task\na,t2t,1,x\na,s2t,0,y\n")
    for call in (("route", table), ("analyse", table), ("plan", "--pilot", table, "--run-dir", tmp_path / "run")):
        refused(command(*call), "'a'")


def test_an_output_path_that_cannot_be_written(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("item_id,condition,score\na,t2t,1\na,s2t,0\n")
    refused(command("analyse", table, "--out", tmp_path / "none" / "all.json"), "--out", "none/all.json")
