"""kill -9 during control cells, then the same command: the tables of an uninterrupted run, and no call repeated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from omnigap.v1 import model_service_pb2 as pb
from omnigap_orchestrator.journal import AnswerRow, Journal, TranscriptRow
from tests.helpers.running import Orchestrator, Setting, item, orchestrate, without_times
from tests.helpers.served_doubles import ServeWire, Wire, audio, complete, text

ITEMS = [item(place) for place in ("france", "spain", "peru", "chad", "laos")]
CALLS = {"model": 30 + 2 * 10 + 30 + 30, "scorer": 15 + 15 + 15, "tts": 5}
"""Calls of ordinary, two-pass, blank and repeat cells; half of all but the two-pass ones are speech answers."""


def by_key(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
    """Answers with the key of the request, which is unique."""
    key = key_of(request)
    yield text(key)
    if request.output == pb.MODALITY_SPEECH:
        yield audio(key)
    yield complete(request.expected_digest)


def key_of(request: pb.GenerateRequest) -> str:
    return request.request_id.partition("-")[2] or request.parts[0].text


async def test_a_run_with_controls_killed_repeatedly_ends_like_an_uninterrupted_one(
    tmp_path: Path, host_wire: ServeWire
) -> None:
    model = Wire(by_key, digest="model", delay_s=0.02, max_concurrent=2)
    scorer = Wire(by_key, digest="scorer", delay_s=0.03, max_concurrent=1)
    tts = Wire(by_key, digest="tts", delay_s=0.02, max_concurrent=1)
    wires = {"model": model, "scorer": scorer, "tts": tts}
    places = ({"omni": [await host_wire(model)]}, [await host_wire(scorer)], [await host_wire(tts)])
    tables = {"run": {"controls": ["two-pass", "blank", "repeat"]}}
    calm, killed = (Setting(tmp_path / name, *places, items=ITEMS, tables=tables) for name in ("calm", "killed"))
    uninterrupted = await calm.execute()
    uninterrupted_controls = calm.control_table()
    assert {name: len(wire.asked) for name, wire in wires.items()} == CALLS
    before = {name: len(wire.asked) for name, wire in wires.items()}

    config = killed.write()
    kept: set[str] = set()
    for name, count in (("model", 36), ("model", 60), ("scorer", 30), ("model", 90)):
        at_start = {each: len(wire.asked) for each, wire in wires.items()}
        run = await Orchestrator.start("run", "--config", config, folder=killed.root)
        await wires[name].until_asked(before[name] + count)
        await run.kill()
        assert not asked_since(wires, at_start) & kept, "requested again although its answer was journalled"
        now = answered(killed)
        assert kept <= now
        kept = now
    assert 60 < len(kept) < CALLS["model"] + CALLS["scorer"]
    at_start = {each: len(wire.asked) for each, wire in wires.items()}
    last = await orchestrate("run", "--config", config, folder=killed.root)
    assert last.code == 0, last.err
    assert not asked_since(wires, at_start) & kept, "requested again although its answer was journalled"
    assert "control two-pass: 10 of 10 cells answered" in last.out
    assert without_times(pl.read_parquet(killed.folder.results)).equals(without_times(uninterrupted))
    assert without_times(pl.read_parquet(killed.folder.controls)).equals(without_times(uninterrupted_controls))
    assert list((killed.folder.media / "tmp").iterdir()) == []


def asked_since(wires: dict[str, Wire], before: dict[str, int]) -> set[str]:
    """The keys of the calls of each service after the first `before` ones."""
    return {key_of(request) for name, wire in wires.items() for request in wire.asked[before[name] :]}


def answered(setting: Setting) -> set[str]:
    """The keys of all journalled work."""
    journal = Journal(setting.folder.journal)
    try:
        return {row.key for row in journal.all(AnswerRow)} | {row.key for row in journal.all(TranscriptRow)}
    finally:
        journal.close()
