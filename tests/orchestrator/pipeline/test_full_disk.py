"""A full disk: a clear error, no lost answer, no partly written file, and a run that resumes."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from omnigap.errors import first_error
from omnigap.vocabulary import Modality
from omnigap_orchestrator.carriers import StoreError
from omnigap_orchestrator.journal import AnswerRow, Journal, JournalError
from omnigap_orchestrator.pipeline.folder import FolderError
from omnigap_orchestrator.run import report
from omnigap_services.adapter import Turn
from tests.helpers.running import Setting, Silent, item, orchestrate, outcomes
from tests.helpers.served_doubles import RATE, Double, Serve, ServeWire, Wire, plain

ITEMS = [item(f"place {number}") for number in range(8)]
SECONDS = 5


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=4000", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here: only root may")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def long_speech(turn: Turn) -> None:
    turn.write("Paris")
    if turn.request.output is Modality.SPEECH:
        turn.speak([0.1 + hash(turn.request.texts) % 1000 / 1e4] * SECONDS * RATE, RATE)


async def test_answers_before_the_disk_was_full_are_kept_and_the_run_resumes(small_disk: Path, host: Serve) -> None:
    model = Double(long_speech, max_batch_size=1)
    tables = {"run": {"conditions": ["t2s"]}}
    setting = Setting(small_disk, {"omni": [await host(model)]}, items=ITEMS, tables=tables)
    with pytest.raises((BaseExceptionGroup, JournalError, StoreError)) as caught:
        await setting.execute(stages=["generate"])
    error = first_error(caught.value)
    assert isinstance(error, StoreError | JournalError)
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    kept = answers(setting)
    assert 0 < len(kept) < len(ITEMS)
    model.asked.clear()
    await setting.execute(stages=["generate"])
    assert len(answers(setting)) == len(ITEMS)
    assert len(model.asked) <= len(ITEMS) - len(kept)


def answers(setting: Setting) -> set[str]:
    journal = Journal(setting.folder.journal)
    try:
        return {row.key for row in journal.all(AnswerRow)}
    finally:
        journal.close()


async def test_output_files_stay_unchanged_if_the_disk_is_full(small_disk: Path, host_wire: ServeWire) -> None:
    tables = {"run": {"conditions": ["t2t"]}}
    setting = Setting(small_disk, {"omni": [await host_wire(Wire(plain))]}, items=ITEMS[:3], tables=tables)
    await setting.execute()
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    await asyncio.to_thread(report, setting.folder, Silent())
    files = [setting.folder.results, setting.folder.summary, setting.folder.report, setting.folder.manifest]
    before = [path.read_bytes() for path in files]
    leave_room(small_disk, 100_000)
    with pytest.raises(FolderError, match="free space"):
        await asyncio.to_thread(report, setting.folder, Silent())
    assert [path.read_bytes() for path in files] == before
    assert [path for path in setting.folder.root.iterdir() if path.name.startswith(".") and path.name != ".lock"] == []
    (small_disk / "filler").unlink()
    await asyncio.to_thread(report, setting.folder, Silent())
    assert outcomes(pl.read_parquet(setting.folder.results)) == {"answered": 3}


def leave_room(disk: Path, count: int) -> None:
    """Fills a disk until `count` bytes are free: enough to open the journal, too few for a report."""
    with (disk / "filler").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - count)


async def test_a_file_size_limit_ends_the_command_and_loses_no_answer(tmp_path: Path, host_wire: ServeWire) -> None:
    """As with a disk quota. Needs no root."""
    model = Wire(plain)
    setting = Setting(tmp_path, {"omni": [await host_wire(model)]}, tables={"run": {"conditions": ["t2t"]}})
    ended = await orchestrate("run", "--config", setting.write(), folder=tmp_path, limit_file_bytes=50_000)
    assert ended.code == 1
    assert "Traceback" not in ended.err
    assert "free space" in ended.err
    asked = len(model.asked)
    assert outcomes(await setting.execute()) == {"answered": 3}
    assert len(model.asked) <= asked + 3
