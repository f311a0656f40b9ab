"""Files of finished runs damaged in many ways: commands end cleanly, and no wrong number goes unnoticed."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import polars as pl

from tests.chaos.fault_server import HONEST, SCORER, TTS
from tests.chaos.processes import Ended, fault_server, orchestrate
from tests.chaos.table import Row
from tests.chaos.verdict import run_table
from tests.helpers.damage import DAMAGES
from tests.helpers.running import Setting, item

LIMIT_S = 120.0
EDITS = frozenset({"config.json: another alpha", "config.json: another seed", "items.jsonl: another right answer"})
"""Changes that a user may make on purpose: they are no damage."""
NAMES = tuple(name for name in DAMAGES if name not in EDITS)


def sample(count: int, draw: random.Random) -> list[str]:
    """A number of damages, spread over the files."""
    by_file: dict[str, list[str]] = {}
    for name in NAMES:
        by_file.setdefault(name.partition(":")[0], []).append(name)
    files, chosen = list(by_file.values()), list[str]()
    for names in (*files, files):
        draw.shuffle(names)
    while len(chosen) < min(count, len(NAMES)):
        for names in files:
            if names and len(chosen) < count:
                chosen.append(names.pop())
    return chosen


async def damaged(folder: Path, names: Sequence[str], draw: random.Random) -> list[Row]:
    """Damages a copy of one finished run in each of these ways; returns a row a file."""
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, Row] = {}
    async with fault_server([HONEST, TTS, SCORER], folder / "asked.jsonl") as server:
        items = [item(f"q-{n}", question=f"Item {n}: what is the capital?", answers=["Paris"]) for n in range(4)]
        setting = Setting(
            folder / "whole",
            {HONEST: [server.address(HONEST)]},
            [server.address(SCORER)],
            [server.address(TTS)],
            items=items,
            tables={"run": {"conditions": ["t2t", "s2t", "t2s"]}},
        )
        ended = await orchestrate("run", "--config", setting.write(), folder=setting.root, limit_s=LIMIT_S)
        if ended.code != 0:
            raise RuntimeError(f"the undamaged run failed: {ended.err[-2000:]}")
        whole, gate = run_table(setting.folder.root), asyncio.Semaphore(2)

        async def one(number: int, name: str) -> None:
            async with gate:
                root = folder / f"{number}"
                await asyncio.to_thread(shutil.copytree, setting.root, root)
                row = rows.setdefault(name.partition(":")[0], Row(f"damaged {name.partition(':')[0]}"))
                await _one_damage(row, name, root, whole, random.Random(f"{draw.random()}"))
                await asyncio.to_thread(shutil.rmtree, root, True)

        await asyncio.gather(*(one(number, name) for number, name in enumerate(names)))
    return [rows[name] for name in sorted(rows)]


async def _one_damage(row: Row, name: str, root: Path, whole: pl.DataFrame, draw: random.Random) -> None:
    run = root / "runs" / "test"
    DAMAGES[name](run, draw)
    row.tries += 1
    report = await orchestrate("report", "--run-dir", run, folder=root, limit_s=LIMIT_S)
    _check(row, name, "report", report)
    told = report.code != 0 or _complains(report)
    if report.code in (0, 3) and (fault := _differs(run, whole, complete=report.code == 0 and not told)):
        row.fail("wrong", f"{name}: report ends with {report.code} and {fault}")
    doctor = await orchestrate("doctor", run, folder=root, limit_s=LIMIT_S)
    _check(row, name, "doctor", doctor)
    again = await orchestrate("run", "--config", "config.toml", folder=root, limit_s=LIMIT_S)
    _check(row, name, "run", again)
    if again.code not in (0, 3):
        row.say(again.last_line)
        if not _helps(again):
            row.fail("other", f"{name}: run ends with {again.code} and does not say what helps: {again.last_line}")
        repair = await orchestrate("doctor", run, "--repair", folder=root, limit_s=LIMIT_S)
        _check(row, name, "doctor --repair", repair)
        again = await orchestrate("run", "--config", "config.toml", folder=root, limit_s=LIMIT_S)
        _check(row, name, "run after --repair", again)
    if again.code in (0, 3) and (fault := _differs(run, whole, complete=True)):
        row.fail("lost" if again.code else "wrong", f"{name}: after the next run {fault}")


def _check(row: Row, name: str, command: str, ended: Ended) -> None:
    if ended.hung:
        row.fail("hangs", f"{name}: {command}")
    elif ended.traceback or ended.code not in (0, 1, 2, 3):
        row.fail("other", f"{name}: {command} ends with {ended.code}: {ended.traceback or ended.last_line}")
    elif "free space" in ended.err:
        row.fail("other", f"{name}: {command} blames the disk: {ended.last_line}")


def _complains(ended: Ended) -> bool:
    """Whether the output names something that is wrong with the run."""
    words = ("damage", "checksum", "missing", "left out", "edited", "corrupt", "doctor")
    return any(word in (ended.err + ended.out).lower() for word in words)


def _helps(ended: Ended) -> bool:
    words = ("doctor", "--run-dir", "delete", "run it again", "run again", "restore", "give the run's own")
    return any(word in ended.err for word in words)


def _differs(run: Path, whole: pl.DataFrame, complete: bool) -> str:
    """How the answered cells of a run differ from those of the undamaged one; empty if they do not."""
    try:
        now = run_table(run)
    except Exception as error:
        return f"results.parquet can't be read: {type(error).__name__}"
    keys = ["model", "item_id", "condition"]
    answered = now.filter(pl.col("outcome") == "answered")
    expected = whole.join(answered.select(keys), on=keys, how="semi")
    if complete and answered.height < whole.height:
        return f"{whole.height - answered.height} cells have no answer"
    for column in ("own_text", "transcript", "score", "own_text_score", "model_digest", "asr_digest", "output_media"):
        with suppress(pl.exceptions.ColumnNotFoundError):
            if answered.sort(keys)[column].to_list() != expected.sort(keys)[column].to_list():
                return f"{column} differs"
    return ""
