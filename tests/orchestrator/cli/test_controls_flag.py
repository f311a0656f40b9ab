"""`--controls`: planned and counted separately, and part of the result and the exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner

from omnigap.errors import ContractError
from omnigap.vocabulary import Condition, Control, Outcome, Reason
from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.cli.progress import observer_for
from omnigap_orchestrator.pipeline.scope import Stage
from omnigap_orchestrator.plan import BLANK_TEXT
from omnigap_services.adapter import Turn
from tests.helpers.running import Setting, item, orchestrate
from tests.helpers.served_doubles import Double, Serve, say

ITEMS = [item("france"), item("peru")]
TEXT = {"run": {"conditions": ["t2t", "i2t"]}}


def paris(turn: Turn) -> None:
    say(turn, "Paris")


def json_of(*arguments: str | Path, env: dict[str, str] | None = None) -> Any:
    words = [str(argument) for argument in arguments]
    result = CliRunner().invoke(main, [*words, "--json"], env={"COLUMNS": "200", **(env or {})})
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_plan_counts_control_cells_separately(tmp_path: Path) -> None:
    config = Setting(tmp_path, {"omni": ["127.0.0.1:1"]}, items=ITEMS, tables=TEXT).write()
    shown = json_of("plan", "--config", config, "--controls", "repeat,two-pass")
    assert (shown["cells"], shown["control_cells"]) == (4, 6)
    rows = [(row["control"], row["condition"], row["cells"]) for row in shown["rows"]]
    own = [("", "t2t", 2), ("", "i2t", 2)]
    assert rows == [*own, ("two-pass", "i2t", 2), ("repeat", "t2t", 2), ("repeat", "i2t", 2)]
    plain = CliRunner().invoke(main, ["plan", "--config", str(config), "--controls", "blank"], env={"COLUMNS": "200"})
    assert "4 cells and 4 control cells, 2 items" in " ".join(plain.output.split())
    assert "i2t blank" in plain.output


@pytest.mark.parametrize(("flag", "planned"), [((), 6), (("--controls", "none"), 0), (("--controls", "blank"), 4)])
def test_the_flag_overrides_the_controls_of_the_file(tmp_path: Path, flag: tuple[str, ...], planned: int) -> None:
    tables = {"run": {**TEXT["run"], "controls": ["two-pass", "repeat"]}}
    config = Setting(tmp_path, {"omni": ["127.0.0.1:1"]}, items=ITEMS, tables=tables).write()
    assert json_of("plan", "--config", config, *flag)["control_cells"] == planned


def test_the_environment_can_set_the_controls(tmp_path: Path) -> None:
    config = Setting(tmp_path, {"omni": ["127.0.0.1:1"]}, items=ITEMS, tables=TEXT).write()
    assert json_of("plan", "--config", config, env={"OMNIGAP_PLAN_CONTROLS": "blank"})["control_cells"] == 4


def test_an_unknown_control_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    config = Setting(tmp_path, {"omni": ["127.0.0.1:1"]}, items=ITEMS).write()
    refused = CliRunner().invoke(main, ["run", "--config", str(config), "--controls", "twopass"])
    assert refused.exit_code == 1
    for part in ("--controls", "'two-pass'", "'blank'", "'repeat'", "'twopass'"):
        assert part in refused.output


async def test_missing_control_cells_end_with_exit_code_3(tmp_path: Path, host: Serve) -> None:
    def fails_on_blanks(turn: Turn) -> None:
        if turn.request.carrier == BLANK_TEXT:
            turn.fail(ContractError(Reason.MODEL_ERROR, "nothing was asked"))
        else:
            paris(turn)

    setting = Setting(tmp_path, {"omni": [await host(Double(fails_on_blanks))]}, items=ITEMS, tables=TEXT)
    config = setting.write()
    ended = await orchestrate("run", "--config", config, "--controls", "blank,repeat", folder=tmp_path)
    assert ended.code == 3, ended.err
    assert "control blank: 2 of 4 cells answered" in ended.out
    assert "control repeat: 4 of 4 cells answered" in ended.out
    assert "2 failed of 8 control cells" in ended.out.replace("\n", " ")
    assert "4 of 4 cells" in ended.err
    assert "8 of 8 control cells" in ended.err
    complete = await orchestrate("run", "--config", config, folder=tmp_path)
    assert complete.code == 0, complete.err
    assert not setting.folder.controls.exists()


async def test_report_score_and_analyse_read_stored_controls(tmp_path: Path, host: Serve) -> None:
    setting = Setting(tmp_path, {"omni": [await host(Double(paris))]}, items=ITEMS, tables=TEXT)
    ended = await orchestrate(
        "run", "--config", setting.write(), "--controls", "two-pass,blank,repeat", "--json", folder=tmp_path
    )
    assert ended.code == 0, ended.err
    counts = json.loads(ended.out)["controls"]
    assert [(row["control"], row["condition"], row["answered"]) for row in counts] == [
        ("two-pass", "i2t", 2),
        *((name, condition, 2) for name in ("blank", "repeat") for condition in ("t2t", "i2t")),
    ]
    table, summary = pl.read_parquet(setting.folder.controls), setting.folder.summary.read_text()
    for command in ("report", "score"):
        setting.folder.controls.unlink()
        setting.folder.summary.unlink()
        again = await orchestrate(command, "--run-dir", setting.folder.root, folder=tmp_path)
        assert again.code == 0, again.err
        assert pl.read_parquet(setting.folder.controls).equals(table)
        assert setting.folder.summary.read_text() == summary
    analysed = json_of("analyse", setting.folder.results)
    assert [row["control"] for row in analysed["controls"]] == [row["control"] for row in counts]
    moved = tmp_path / "elsewhere.parquet"
    setting.folder.controls.rename(moved)
    assert json_of("analyse", setting.folder.results)["controls"] == []
    assert json_of("analyse", setting.folder.results, "--controls", moved)["controls"] == analysed["controls"]


def test_progress_counts_cells_and_control_cells_separately(capsys: pytest.CaptureFixture[str]) -> None:
    condition = Condition.parse("t2t")
    with observer_for(quiet=False) as observer:
        observer.planned(Stage.GENERATE, "omni", condition, 1, 0)
        observer.planned(Stage.GENERATE, "omni", condition, 2, 0, Control.REPEAT)
        observer.finished(Stage.GENERATE, "omni", condition, Outcome.ANSWERED)
        for _ in range(2):
            observer.finished(Stage.GENERATE, "omni", condition, Outcome.ANSWERED, Control.REPEAT)
    lines = capsys.readouterr().err
    assert "1 of 1 cells" in lines
    assert "2 of 2 control cells" in lines
