"""`run`, `report` and `score` from the command line: exit codes, output streams and files."""

from __future__ import annotations

import asyncio
import json
import tomllib
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_orchestrator import run as commands
from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.export import write
from omnigap_orchestrator.pipeline import score
from omnigap_orchestrator.pipeline.scope import RunScope
from omnigap_orchestrator.results import RESULTS_SCHEMA
from omnigap_orchestrator.run import report, resume
from omnigap_services.adapter import Turn
from tests.helpers.running import Ended, Setting, Silent, item, orchestrate, outcomes, without_times
from tests.helpers.served_doubles import Double, Serve, say

SIX = [item(place, task="capitals" if n % 2 else "towns") for n, place in enumerate("abcdef")]


def paris(turn: Turn) -> None:
    say(turn, "Paris")


IMPORTS = """
import sys
from omnigap_orchestrator.cli.main import main
code = main(sys.argv[1:], standalone_mode=False)
print("loaded:", *sorted({"torch", "polars", "grpc", "matplotlib", "numpy"} & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


async def python(code: str, *arguments: str | Path, folder: Path) -> Ended:
    return await orchestrate(*arguments, folder=folder, python=("-c", code))


def strict_json(text: str) -> Any:
    """Parses strict JSON, which has no NaN."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


async def trio(host: Serve, root: Path, model: Double, **fields: Any) -> Setting:
    places = ({"omni": [await host(model)]}, [await host(Double(paris))], [await host(Double())])
    return Setting(root, *places, **fields)


async def test_a_complete_run_ends_with_0_writes_four_files_and_prints_only_json(tmp_path: Path, host: Serve) -> None:
    """It never imports torch."""
    setting = await trio(host, tmp_path, Double(paris), items=SIX)
    ended = await python(IMPORTS, "run", "--config", setting.write(), "--json", folder=tmp_path)
    assert ended.code == 0, ended.err
    assert "polars" in ended.err.splitlines()[-1]
    assert "torch" not in ended.err.splitlines()[-1]
    result = strict_json(ended.out)
    assert (result["run"], result["complete"], result["incomplete"]) == ("test", True, "")
    assert len(result["conditions"]) == len(result["accuracy"]) == 6
    assert len(result["gaps"]) == 5
    assert "cells generated" not in ended.err

    folder = setting.folder
    assert pl.read_parquet(folder.results).schema == RESULTS_SCHEMA
    summary = strict_json(folder.summary.read_text())
    assert summary["complete"]
    manifest = tomllib.loads(folder.manifest.read_text())
    assert manifest["plan"] == {"cells": 36, "conditions": ["t2t", "s2t", "i2t", "t2s", "s2s", "i2s"], "replicates": 1}
    assert manifest["models"]["omni"]["digest"] == summary["models"]["omni"]
    assert manifest["command"].endswith("--json")
    assert "<html" in folder.report.read_text()[:2_000].lower()

    for path in (folder.results, folder.summary, folder.report, folder.manifest):
        path.unlink()
    again = await orchestrate("report", "--run-dir", folder.root, "--json", folder=tmp_path)
    assert again.code == 0, again.err
    assert strict_json(again.out) == {**result, "report": str(folder.report), "results": str(folder.results)}
    assert strict_json(folder.summary.read_text()) == summary


async def test_a_gap_with_too_many_missing_pairs_is_refused_unless_allowed(tmp_path: Path, host: Serve) -> None:
    """Speech: 3 of 6 fail, more than 2 % and more than two pairs. Image: 2 of 6, not more than two pairs."""

    def fails_on_some(turn: Turn) -> None:
        failing = {"speech": "abc", "image": "ab"}.get(turn.request.condition.input.value, "")
        if any(f"point at {place}" in turn.request.texts for place in failing):
            turn.fail(ContractError(Reason.MODEL_ERROR, "no answer"))
        else:
            paris(turn)

    items = [{**row, "instruction": f"point at {row['id']}"} for row in SIX]
    tables = {"run": {"conditions": ["t2t", "s2t", "i2t"]}}
    setting = await trio(host, tmp_path, Double(fails_on_some), items=items, tables=tables)
    summary = await setting.drive()
    assert summary["incomplete"].startswith("5 failed of 18 cells")
    counts = {row["condition"]: (row["planned"], row["answered"], row["failed"]) for row in summary["conditions"]}
    assert counts == {"t2t": (6, 6, 0), "s2t": (6, 3, 3), "i2t": (6, 4, 2)}
    gaps = headline(summary)
    assert gaps["s2t"]["estimate"] is None
    assert "3" in gaps["s2t"]["reason"]
    assert gaps["i2t"]["estimate"] == 0
    assert headline(report(setting.folder, Silent(), allow_missing=True).to_json())["s2t"]["estimate"] == 0
    assert headline(await setting.drive(stages=["score"]))["s2t"]["estimate"] is None


def headline(summary: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The gaps over all tasks by condition."""
    return {
        row["condition"]: row
        for row in summary["gaps"]
        if row["task"] is None and row["pooling"] == "item_weighted" and row["missing"] == "answered_pairs"
    }


async def test_stages_on_the_stored_run_give_the_table_of_one_run(tmp_path: Path, host: Serve) -> None:
    model = Double(paris)
    one = await trio(host, tmp_path / "one", model, items=SIX[:2])
    steps = Setting(tmp_path / "steps", one.models, one.scorer, one.tts, one.items)
    expected = await one.execute()
    asked = len(model.asked)
    assert not (await steps.drive(stages=["generate"]))["complete"]
    assert len(model.asked) == 2 * asked
    for stage, complete in (("transcribe", False), ("score", True)):
        summary = (await resume(steps.folder, RunScope.parse((), (), (stage,)), Silent())).to_json()
        assert summary["complete"] is complete
    assert len(model.asked) == 2 * asked
    table = pl.read_parquet(steps.folder.results)
    assert without_times(table).equals(without_times(expected))


async def test_an_unavailable_model_leaves_the_run_incomplete(tmp_path: Path, host: Serve) -> None:
    setting = await trio(host, tmp_path, Double(paris), items=SIX[:1])
    setting.models = {**setting.models, "gone": ["127.0.0.1:1"]}
    ended = await orchestrate("run", "--config", setting.write(), "--quiet", folder=tmp_path)
    assert ended.code == 3
    assert "gone" in ended.err and "127.0.0.1:1" in ended.err
    assert "cells generated" not in ended.err
    assert "6 pending of 12 cells" in ended.out.strip().splitlines()[-1]
    assert outcomes(pl.read_parquet(setting.folder.results), model="omni") == {"answered": 6}


async def test_a_service_that_dies_at_start_ends_the_command_with_its_log(tmp_path: Path) -> None:
    services = {"omni": {"service": "echo", "options": {"anser": "Paris"}}}
    setting = Setting(tmp_path, items=SIX[:1], tables={"fleet": {"services": services}})
    ended = await orchestrate("run", "--config", setting.write(), folder=tmp_path)
    assert ended.code == 1
    assert "omni" in ended.err and "exit code 1" in ended.err
    assert "unknown option 'anser'" in ended.err
    assert "Traceback" not in ended.err


async def test_help_imports_no_heavy_package(tmp_path: Path) -> None:
    ended = await python(IMPORTS, "--help", folder=tmp_path)
    assert ended.err.splitlines()[-1] == "loaded:"
    assert "run" in ended.out


async def test_report_rescores_answers_scored_by_other_rules(
    tmp_path: Path, host: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise every answer scored by an older version would be reported as pending."""
    setting = await trio(host, tmp_path, Double(paris), items=SIX)
    before = await setting.drive()
    for module in (score, write, commands):
        monkeypatch.setattr(module, "scoring_version", lambda: "other rules")
    arguments = ["report", "--run-dir", str(setting.folder.root), "--json"]
    ended = await asyncio.to_thread(CliRunner().invoke, main, arguments)
    assert ended.exit_code == 0, ended.output
    assert "rescoring" in ended.stderr
    assert strict_json(setting.folder.summary.read_text())["accuracy"] == before["accuracy"]
    again = await asyncio.to_thread(CliRunner().invoke, main, arguments)
    assert "rescoring" not in again.stderr
