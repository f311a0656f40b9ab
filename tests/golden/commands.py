"""Commands on a stored run, called through the command line in this process, and their output."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from omnigap_orchestrator.cli.main import main
from tests.golden.folders import study

NOWHERE = "127.0.0.1:1"


def orchestrate(*arguments: str | Path, code: int = 0, notes: bool = False) -> str:
    """Runs `omnigap-orchestrate` and returns its standard output.

    Args:
        notes: return standard error with it, which holds the notes of a run.

    Raises:
        AssertionError: the exit code is not `code`.
    """
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], env={"COLUMNS": "400"})
    assert result.exit_code == code, f"exit code {result.exit_code}\n{result.output}\n{result.exception!r}"
    return result.output if notes else result.stdout


def analysed(folder: Path) -> Any:
    """Every table of `analyse`, by name."""
    return json.loads(orchestrate("analyse", folder, "--json"))


def routed(folder: Path) -> Any:
    return json.loads(orchestrate("route", folder, "--json"))


def compared(first: Path, second: Path) -> Any:
    return json.loads(orchestrate("compare", first, second, "--json"))


def planned(folder: Path) -> Any:
    """Cells and answered cells by model, condition and control; notes are prose and may change."""
    config = study(folder, dict.fromkeys(("cascade", "scorer", "second_scorer", "tts"), NOWHERE))
    items = folder / "items.jsonl"
    shown = json.loads(orchestrate("plan", "-c", config, "--run-dir", folder, "--items", items, "--json"))
    return {key: shown[key] for key in ("items", "cells", "control_cells", "rows")}


def sampled(folder: Path) -> Any:
    """The rows of clips.csv, after today's rules have scored the answers of a copy."""
    folder = shutil.copytree(folder, folder.with_name(f"{folder.name}-scored"))
    orchestrate("score", "--run-dir", folder)
    orchestrate("sample-clips", folder, "--n", "12", "--seed", "3")
    text = (folder / "listen" / "clips.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


PRINTED = {"route": routed, "plan": planned, "sample-clips": sampled}
"""Commands on one run whose result is stored as `expected/RUN/COMMAND.json`. For `analyse`, only tables that are not in
summary.json are stored; `compare` takes both runs."""
