"""Runs for tests: a few items, served doubles, and the command in this process or as a child process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import tomli_w

from omnigap_orchestrator.config import Config, load_config
from omnigap_orchestrator.fleet import Role
from omnigap_orchestrator.items import Item, load_items
from omnigap_orchestrator.pipeline.context import Observer, open_run
from omnigap_orchestrator.pipeline.folder import RunFolder
from omnigap_orchestrator.pipeline.prepare import load_run
from omnigap_orchestrator.pipeline.results import ResultsTable
from omnigap_orchestrator.pipeline.scope import RunScope, endpoints_of
from omnigap_orchestrator.run import process_cells, run
from tests.helpers.served_doubles import PATIENCE_S, Double, Serve, say

Row = dict[str, Any]

COMMAND = ("-m", "omnigap_orchestrator.cli.main")

TIMES = ("latency_s", "queue_s", "compute_s", "ttft_s", "audio_ttfp_s")
"""The columns that differ between any two runs."""


def item(name: str, **fields: object) -> Row:
    """A row of an items file."""
    return {
        "id": name,
        "task": "capitals",
        "language": "en",
        "question": f"What is the capital of {name}?",
        "answers": ["Paris"],
        "answer_type": "entity",
        **fields,
    }


THREE = (item("france"), item("spain", instruction="Answer with one word."), item("peru"))


@dataclass
class Setting:
    """The folder, items and endpoints of a run.

    Attributes:
        tables: further tables of the configuration.
        model: further keys of each `[[models]]` table.
        conditions: model -> its conditions, if they differ from those of the run.
        accepts: instruments that may replace those of earlier commands.
    """

    root: Path
    models: Mapping[str, Sequence[str]] = field(default_factory=dict)
    scorer: Sequence[str] = ()
    tts: Sequence[str] = ()
    items: Sequence[Row] = THREE
    tables: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    accepts: frozenset[Role] = frozenset()

    def _conditions_of(self, model: str) -> Row:
        return {"conditions": list(self.conditions[model])} if model in self.conditions else {}

    @property
    def folder(self) -> RunFolder:
        return RunFolder(self.root / "runs" / "test")

    def write(self) -> Path:
        """Writes configuration and items; returns the path of the configuration."""
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in self.items))
        tables = {name: dict(table) for name, table in self.tables.items()}
        tables.setdefault("items", {}).setdefault("path", "items.jsonl")
        tables["run"] = {"dir": "runs/test", "patience_s": 0.5, "max_retries": 1, **tables.get("run", {})}
        tables.setdefault("scorer", {})["endpoints"] = list(self.scorer)
        tables.setdefault("tts", {})["endpoints"] = list(self.tts)
        models = [
            {"name": name, "endpoints": list(places), **self.model, **self._conditions_of(name)}
            for name, places in self.models.items()
        ]
        path = self.root / "config.toml"
        path.write_text(tomli_w.dumps({**tables, "models": models} if models else tables))
        return path

    def config(self) -> Config:
        return load_config(self.write())

    def load_items(self) -> tuple[Item, ...]:
        return load_items(self.config().items)

    async def execute(
        self, *, models: Sequence[str] = (), conditions: Sequence[str] = (), stages: Sequence[str] = ()
    ) -> pl.DataFrame:
        """Runs in this process, without fleet and report; returns the results table read from the folder."""
        config = self.config()
        observer = Silent()
        self.notes = observer.notes
        default = ("generate", "transcribe", "score")
        scope = RunScope.parse(models, conditions, stages or default)
        endpoints = endpoints_of(config)
        assert endpoints is not None
        async with open_run(self.folder, observer, self.accepts) as context:
            await process_cells(context, config, self.load_items(), scope, endpoints)
        return self.table()

    async def drive(
        self, *, stages: Sequence[str] = ("generate", "transcribe", "score"), conditions: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Runs in this process, with fleet and output files; returns the content of summary.json."""
        scope = RunScope.parse((), conditions, stages)
        observer = Silent()
        self.notes = observer.notes
        summary = await run(self.config(), self.load_items(), self.folder, scope, observer, self.accepts)
        return summary.to_json()

    def table(self) -> pl.DataFrame:
        """The results table, read from the folder."""
        with stored_table(self.folder) as table:
            return table.frame()

    def control_table(self) -> pl.DataFrame:
        """The table of control cells, read from the folder."""
        with stored_table(self.folder) as table:
            return table.control_frame()


async def served_trio(host: Serve, root: Path, **fields: object) -> tuple[Setting, Double, Double, Double]:
    """A served model that answers Paris, an ASR scorer that transcribes Paris, and a TTS service; three items."""
    model, scorer = (Double(lambda turn: say(turn, "Paris")) for _ in range(2))
    tts = Double()
    services = {"models": {"omni": [await host(model)]}, "scorer": [await host(scorer)], "tts": [await host(tts)]}
    return Setting(root, **{**services, **fields}), model, scorer, tts  # type: ignore[arg-type]


class Silent(Observer):
    """Keeps the notes of a run."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@contextmanager
def stored_table(folder: RunFolder) -> Iterator[ResultsTable]:
    """The results of a stored run."""
    with load_run(folder) as (cells, records):
        yield ResultsTable(folder.name, cells, records)


def without_times(results: pl.DataFrame) -> pl.DataFrame:
    """A sorted table without the columns that differ between runs."""
    keys = [name for name in ("model", "item_id", "control", "condition", "replicate") if name in results.columns]
    return results.drop(TIMES).sort(keys)


def outcomes(results: pl.DataFrame, **where: object) -> dict[str, int]:
    """Number of cells by outcome."""
    for column, value in where.items():
        results = results.filter(pl.col(column) == value)
    return dict(results.group_by("outcome").len().iter_rows())


@dataclass(frozen=True)
class Ended:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str


@dataclass
class Orchestrator:
    """`omnigap-orchestrate` as a child process."""

    process: asyncio.subprocess.Process

    @classmethod
    async def start(
        cls, *arguments: str | Path, folder: Path, limit_file_bytes: int = 0, python: Sequence[str] = COMMAND
    ) -> Orchestrator:
        command = [sys.executable, *python, *map(str, arguments)]
        if limit_file_bytes:
            command = ["prlimit", f"--fsize={limit_file_bytes}", *command]
        process = await asyncio.create_subprocess_exec(
            *command,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=folder,
            env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
        )
        return cls(process)

    async def end(self, patience_s: float = PATIENCE_S) -> Ended:
        """Waits until it ends."""
        async with asyncio.timeout(patience_s):
            out, err = await self.process.communicate()
        assert self.process.returncode is not None
        return Ended(self.process.returncode, out.decode(), err.decode())

    async def kill(self) -> None:
        """kill -9."""
        self.process.send_signal(signal.SIGKILL)
        await self.end()

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


async def orchestrate(*arguments: str | Path, folder: Path, patience_s: float = PATIENCE_S, **how: Any) -> Ended:
    """Runs a command to its end; `how` is passed to `Orchestrator.start`."""
    return await (await Orchestrator.start(*arguments, folder=folder, **how)).end(patience_s)


async def until(condition: Any, what: str) -> None:
    """Polls for something that another process does."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"did not happen in time: {what}") from None
