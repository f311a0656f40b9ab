"""kill -9 of the orchestrator at any moment, then the same command: the results of an uninterrupted run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import psutil
import pytest

from omnigap_orchestrator.journal import AnswerRow, Journal, TranscriptRow
from tests.helpers.running import Orchestrator, Setting, item, orchestrate, until, without_times
from tests.helpers.served_doubles import ServeWire, Wire, plain, wire_identity

ITEMS = [item(place) for place in ("france", "spain", "peru", "chad", "laos")]


async def test_a_run_killed_repeatedly_ends_like_an_uninterrupted_one(tmp_path: Path, host_wire: ServeWire) -> None:
    model = Wire(plain, digest="model", delay_s=0.02, max_concurrent=2)
    scorer = Wire(plain, digest="scorer", delay_s=0.03, max_concurrent=1)
    tts = Wire(plain, digest="tts", delay_s=0.02, max_concurrent=1)
    places = ({"omni": [await host_wire(model)]}, [await host_wire(scorer)], [await host_wire(tts)])
    calm, killed = (Setting(tmp_path / name, *places, items=ITEMS) for name in ("calm", "killed"))
    uninterrupted = await calm.execute()
    wires = (model, scorer, tts)
    assert [len(wire.asked) for wire in wires] == [30, 15, 5]

    config = killed.write()
    kept: set[str] = set()
    for wire, count in ((tts, 3), (model, 12), (scorer, 10)):
        asked_before = [len(each.asked) for each in wires]
        run = await Orchestrator.start("run", "--config", config, folder=killed.root)
        await wire.until_asked((30, 15, 5)[wires.index(wire)] + count)
        await run.kill()
        assert not asked_since(wires, asked_before) & kept, "requested again although its answer was journalled"
        kept_now = answered(killed)
        assert kept <= kept_now
        kept = kept_now
    assert 10 < len(kept) < 45
    asked_before = [len(each.asked) for each in wires]
    last = await orchestrate("run", "--config", config, folder=killed.root)
    assert last.code == 0, last.err
    assert not asked_since(wires, asked_before) & kept, "requested again although its answer was journalled"
    assert without_times(pl.read_parquet(killed.folder.results)).equals(without_times(uninterrupted))
    assert list((killed.folder.media / "tmp").iterdir()) == []


def asked_since(wires: Sequence[Wire], before: Sequence[int]) -> set[str]:
    """The requests that each service got after the first `before` ones."""
    return {wire_identity(request) for wire, n in zip(wires, before, strict=True) for request in wire.asked[n:]}


def answered(setting: Setting) -> set[str]:
    """The texts of all journalled work; each text names its request."""
    if not setting.folder.exists():
        return set()
    journal = Journal(setting.folder.journal)
    try:
        return {row.own_text for row in journal.all(AnswerRow)} | {row.text for row in journal.all(TranscriptRow)}
    finally:
        journal.close()


@pytest.mark.parametrize("when", ["starting", "serving"])
async def test_a_killed_orchestrator_leaves_no_embedded_service(tmp_path: Path, when: str) -> None:
    """Also if the service is still starting and has not checked its parent yet."""
    services = {"omni": {"service": "echo"}, "other": {"service": "echo"}}
    setting = Setting(tmp_path, items=ITEMS, tables={"run": {"conditions": ["t2t"]}, "fleet": {"services": services}})
    run = await Orchestrator.start("run", "--config", setting.write(), folder=tmp_path)
    await until(lambda: len(run.children()) == 2, "both services as processes")
    children = run.children()
    if when == "serving":
        log = setting.folder.services / "omni.log"
        await until(lambda: log.exists() and "serves on" in log.read_text(), "a service that says it serves")
    await run.kill()
    await until(lambda: not any(is_alive(child) for child in children), "the end of the orchestrator's children")


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
