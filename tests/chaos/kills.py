"""kill -9 at random moments of orchestrators and services: the same command then ends like an undisturbed run."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import psutil

from tests.chaos.fault_server import HONEST, SCORER, TTS
from tests.chaos.processes import PYTHON_PATH, Ended, fault_server, finish, orchestrate, start, start_fault_server
from tests.chaos.table import Row
from tests.chaos.verdict import asked_twice, journalled, run_table
from tests.helpers.running import Setting, item

LIMIT_S = 120.0
ORPHANS_END_S = 20.0
MODEL = "chaos-logging"
_DELAY_S = 0.03


@dataclass
class Subject:
    """A kind of run that is killed.

    Attributes:
        setting: makes the run of a new folder.
        twice: the requests for answers of an earlier snapshot, since the request with this number.
        asked: number of requests so far.
        snapshot: what the journal of a run holds.
        known: results and length of an undisturbed run.
    """

    name: str
    setting: Callable[[Path], Setting]
    asked: Callable[[], int]
    snapshot: Callable[[Path], object]
    twice: Callable[[object, int], list[str]]
    table: pl.DataFrame = field(default_factory=pl.DataFrame)
    seconds: float = 0.0

    async def calibrate(self, folder: Path) -> None:
        """Runs once undisturbed."""
        setting, began = self.setting(folder), time.monotonic()
        ended = await orchestrate("run", "--config", setting.write(), folder=folder, limit_s=LIMIT_S)
        if ended.code != 0:
            raise RuntimeError(f"the undisturbed run of {self.name} failed: {ended.err[-2000:]}")
        self.seconds = time.monotonic() - began
        self.table = run_table(setting.folder.root)


async def killed_orchestrators(folder: Path, served: int, embedded: int, draw: random.Random) -> list[Row]:
    """Kills this many orchestrators over a served and an embedded fleet."""
    folder.mkdir(parents=True, exist_ok=True)
    async with fault_server([HONEST, TTS, SCORER], folder / "asked.jsonl", _DELAY_S) as server:

        def of_served(root: Path) -> Setting:
            return _setting(
                root,
                models={HONEST: [server.address(HONEST)]},
                scorer=[server.address(SCORER)],
                tts=[server.address(TTS)],
            )

        subject = Subject(
            "served fleet",
            of_served,
            lambda: len(server.requests()),
            journalled,
            lambda keys, first: asked_twice(server.requests()[first:], keys),  # type: ignore[arg-type]
        )
        register_model(folder / "plugins")
        logs = folder / "embedded.log"
        logs.touch()
        child = {"service": MODEL, "options": {"log": str(logs), "delay_s": _DELAY_S}}
        services = {"omni": child, "ears": {**child, "role": "scorer"}}
        other = Subject(
            "embedded fleet",
            lambda root: _setting(
                root, tables={"fleet": {"services": services}, "run": {"conditions": ["t2t", "t2s"]}}
            ),
            lambda: len(logs.read_text().splitlines()),
            _texts,
            lambda texts, first: [line for line in logs.read_text().splitlines()[first:] if line in texts],  # type: ignore[operator]
        )
        seeds = [random.Random(draw.random()) for _ in range(2)]
        return list(
            await asyncio.gather(
                _kill_often(folder / "served", subject, served, seeds[0]),
                _kill_often(folder / "embedded", other, embedded, seeds[1]),
            )
        )


def register_model(folder: Path) -> None:
    """Makes `LoggingModel` a service that embedded fleets of later commands know: as an installed package would."""
    found = folder / "omnigap_chaos-1.dist-info"
    found.mkdir(parents=True, exist_ok=True)
    (found / "METADATA").write_text("Metadata-Version: 2.1\nName: omnigap-chaos\nVersion: 1\n")
    target = "tests.chaos.logging_model:LoggingModel"
    (found / "entry_points.txt").write_text(f"[omnigap.services]\n{MODEL} = {target}\n")
    PYTHON_PATH.insert(0, str(folder))


def _setting(root: Path, **fields: object) -> Setting:
    rows = [item(f"q-{n}", question=f"Item {n}: what is the capital?") for n in range(6)]
    run = {"conditions": ["t2t", "s2t", "t2s", "s2s"], "max_retries": 3, "patience_s": 20}
    tables = dict(fields.pop("tables", {}))  # type: ignore[call-overload]
    tables["run"] = {**run, **tables.get("run", {})}
    return Setting(root, items=rows, tables=tables, **fields)  # type: ignore[arg-type]


def _texts(run: Path) -> set[str]:
    """The own texts of all journalled answers."""
    if not (run / "journal.sqlite").is_file():
        return set()
    with closing(sqlite3.connect(run / "journal.sqlite")) as journal, suppress(sqlite3.Error):
        return {text for (text,) in journal.execute("SELECT own_text FROM answers")}
    return set()


async def _kill_often(folder: Path, subject: Subject, kills: int, draw: random.Random) -> Row:
    row, number = Row(f"kill -9 of the orchestrator, {subject.name}"), 0
    folder.mkdir(parents=True, exist_ok=True)
    if not kills:
        return row
    await subject.calibrate(folder / "undisturbed")
    while row.tries < kills:
        number += 1
        await _one_run(folder / f"{number}", subject, row, draw, kills)
    row.say(f"{number} runs ended like the undisturbed one" if not row.found else "")
    return row


async def _one_run(folder: Path, subject: Subject, row: Row, draw: random.Random, kills: int) -> None:
    """Kills and resumes one run until it ends."""
    setting = subject.setting(folder)
    config, run = setting.write(), setting.folder.root
    while True:
        kept, first = subject.snapshot(run), subject.asked()
        process = await start("run", "--config", config, folder=folder)
        ended = None
        if row.tries < kills:
            await _moment(subject, process, first, draw)
            if process.returncode is None:
                below = psutil.Process(process.pid).children(recursive=True)
                process.kill()
                row.tries += 1
                await _reap(process)
                await _orphans_end(below, row)
            else:
                ended = await finish(process, LIMIT_S)
        else:
            ended = await finish(process, LIMIT_S)
        if twice := subject.twice(kept, first):
            row.fail("twice", f"{twice[0]} and others", len(twice))
        if ended is not None:
            _check(row, ended, run, subject)
            return


async def _moment(subject: Subject, process: asyncio.subprocess.Process, first: int, draw: random.Random) -> None:
    """Waits for a random moment: a time, or a number of requests, or the end of the command."""
    wanted = draw.randrange(1, 12) if draw.random() < 0.5 else None
    end = time.monotonic() + (LIMIT_S if wanted else draw.uniform(0.1, 1.1) * subject.seconds)
    while process.returncode is None and time.monotonic() < end:
        if wanted is not None and subject.asked() >= first + wanted:
            await asyncio.sleep(draw.uniform(0, 2 * _DELAY_S))
            return
        await asyncio.sleep(0.01)


async def _reap(process: asyncio.subprocess.Process) -> None:
    # Not `communicate`: a service that the orchestrator started keeps its pipes open until it notices.
    await process.wait()


async def _orphans_end(below: list[psutil.Process], row: Row) -> None:
    """Services of a killed orchestrator have to end by themselves."""
    end = time.monotonic() + ORPHANS_END_S
    while alive := [child for child in below if _alive(child)]:
        if time.monotonic() > end:
            row.fail("other", f"{len(alive)} services outlive their orchestrator")
            for child in alive:
                with suppress(psutil.Error):
                    child.kill()
            return
        await asyncio.sleep(0.05)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _check(row: Row, ended: Ended, run: Path, subject: Subject) -> None:
    """Whether a run ended as the undisturbed one did."""
    if ended.hung:
        row.fail("hangs", ended.last_line)
    elif ended.code != 0:
        row.fail("other", f"exit code {ended.code}: {ended.traceback or ended.last_line}")
    elif not (table := run_table(run)).equals(subject.table):
        row.fail("wrong", f"another table in {run}")
        if missing := table.filter(pl.col("outcome") != "answered").height:
            row.fail("lost", "cells without an answer", missing)


async def killed_services(folder: Path, kills: int, draw: random.Random) -> list[Row]:
    """Kills a served model and a served scorer in the middle of runs, and starts them again on their ports."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = {name: Row(f"kill -9 of the {name}") for name in ("model", "scorer", "embedded model or scorer")}
    model = await start_fault_server([HONEST, TTS], folder / "model.jsonl", _DELAY_S)
    scorer = await start_fault_server([SCORER], folder / "scorer.jsonl", _DELAY_S)
    try:
        setting_of = lambda root: _setting(  # noqa: E731
            root, models={HONEST: [model.address(HONEST)]}, scorer=[scorer.address(SCORER)], tts=[model.address(TTS)]
        )
        subject = Subject(
            "served", setting_of, lambda: len(model.requests()) + len(scorer.requests()), journalled, lambda *_: []
        )
        if kills:
            await subject.calibrate(folder / "undisturbed")
        for number in range(kills):
            name = ("model", "scorer")[number % 2]
            root = folder / f"{number}"
            setting = setting_of(root)
            config, before = setting.write(), subject.asked()
            process = await start("run", "--config", config, folder=root)
            ending = asyncio.create_task(finish(process, LIMIT_S))
            await _moment(subject, process, before, draw)
            rows[name].tries += 1
            old = model if name == "model" else scorer
            await old.kill()
            await asyncio.sleep(draw.uniform(0, 1.0))
            new = await start_fault_server(list(old.ports), old.log, _DELAY_S, list(old.ports.values()))
            model, scorer = (new, scorer) if name == "model" else (model, new)
            ended = await ending
            if ended.hung or ended.code not in (0, 3) or ended.traceback:
                _check(rows[name], ended, setting.folder.root, subject)
            keys, count = journalled(setting.folder.root), len(model.requests())
            again = await orchestrate("run", "--config", config, folder=root, limit_s=LIMIT_S)
            _check(rows[name], again, setting.folder.root, subject)
            if twice := asked_twice(model.requests()[count:], keys):
                rows[name].fail("twice", twice[0], len(twice))
    finally:
        for server in (model, scorer):
            with suppress(ProcessLookupError):
                await server.kill()
    rows["embedded model or scorer"] = await _killed_children(folder / "embedded", kills // 3, draw)
    return list(rows.values())


async def _killed_children(folder: Path, kills: int, draw: random.Random) -> Row:
    """Kills children of an embedded fleet; the orchestrator starts them again."""
    row = Row("kill -9 of the embedded model or scorer")
    folder.mkdir(parents=True, exist_ok=True)
    register_model(folder / "plugins")
    log = folder / "asked.log"
    log.touch()
    child = {"service": MODEL, "options": {"log": str(log), "delay_s": 0.1}}
    tables = {
        "fleet": {"services": {"omni": child, "ears": {**child, "role": "scorer"}}},
        "run": {"conditions": ["t2t", "t2s"]},
    }
    subject = Subject(
        "embedded",
        lambda root: _setting(root, tables=tables),
        lambda: len(log.read_text().splitlines()),
        _texts,
        lambda *_: [],
    )
    if kills:
        await subject.calibrate(folder / "undisturbed")
    for number in range(kills):
        setting = subject.setting(folder / f"{number}")
        config, first = setting.write(), subject.asked()
        process = await start("run", "--config", config, folder=setting.root)
        ending = asyncio.create_task(finish(process, LIMIT_S))
        while process.returncode is None and subject.asked() < first + 2:
            await asyncio.sleep(0.01)
        with suppress(psutil.Error, IndexError):
            draw.choice(psutil.Process(process.pid).children()).kill()
            row.tries += 1
        ended = await ending
        if ended.hung or ended.code not in (0, 3) or ended.traceback:
            _check(row, ended, setting.folder.root, subject)
        _check(
            row,
            await orchestrate("run", "--config", config, folder=setting.root, limit_s=LIMIT_S),
            setting.folder.root,
            subject,
        )
    return row
