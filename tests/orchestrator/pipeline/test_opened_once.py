"""A command opens the journal once, reads configuration and items once, and builds the plan and its cells once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import omnigap_orchestrator.pipeline.folder as folder
import omnigap_orchestrator.pipeline.prepare as prepare
from omnigap_orchestrator import plan, run
from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.items import load as items
from omnigap_orchestrator.items import row
from omnigap_orchestrator.journal import Journal
from omnigap_orchestrator.pipeline.cells import PlannedCells
from tests.helpers.running import Setting, served_trio
from tests.helpers.served_doubles import Double, Serve

ONCE = {"journal": 1, "configuration": 1, "items": 1, "plan": 1, "cells": 1}


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts how often each of them happens."""
    counts: Counter[str] = Counter()

    def counting(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            counts[what] += 1
            return function(*args, **kwargs)

        return wrapped

    monkeypatch.setattr(Journal, "__init__", counting("journal", Journal.__init__))
    monkeypatch.setattr(Config, "model_validate", counting("configuration", Config.model_validate))
    for module in (folder, items):
        monkeypatch.setattr(module, "collect", counting("items", row.collect))
    for module in (prepare, run):
        monkeypatch.setattr(module, "make_plan", counting("plan", plan.make_plan))
    monkeypatch.setattr(PlannedCells, "__init__", counting("cells", PlannedCells.__init__))
    return counts


async def command(*arguments: str | Path) -> None:
    ended = await asyncio.to_thread(CliRunner().invoke, main, [str(argument) for argument in arguments])
    assert ended.exit_code == 0, ended.output


async def two_cells(host: Serve, root: Path) -> Setting:
    setting, *_ = await served_trio(host, root, tables={"run": {"conditions": ["t2t", "s2s"]}, "items": {"limit": 1}})
    return setting


async def test_a_run_and_its_resumption_open_everything_once(
    tmp_path: Path, host: Serve, counted: Counter[str]
) -> None:
    setting = await two_cells(host, tmp_path)
    for _ in range(2):
        counted.clear()
        await command("run", "--config", setting.write(), "--run-dir", setting.folder.root)
        assert counted == ONCE


@pytest.mark.parametrize("name", ["transcribe", "score", "report", "calibrate", "verify"])
async def test_a_command_on_a_stored_run_opens_everything_once(
    tmp_path: Path, host: Serve, counted: Counter[str], name: str
) -> None:
    setting = await two_cells(host, tmp_path)
    if name == "verify":
        setting.tables = {**setting.tables, "ocr": {"endpoints": [await host(Double())]}}
    await setting.drive()
    counted.clear()
    arguments = [name, "--run-dir", setting.folder.root]
    ended = await asyncio.to_thread(CliRunner().invoke, main, [str(argument) for argument in arguments])
    assert ended.exit_code in (0, 1), ended.output
    assert "Error" not in ended.output
    assert counted == ONCE
