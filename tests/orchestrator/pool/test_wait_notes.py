"""Notes about services that do not answer: also without progress, at growing intervals, and not after an answer."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from omnigap.v1 import model_service_pb2 as pb
from omnigap_orchestrator.pool import RetryPolicy, WaitNotes, connect
from tests.helpers.running import Orchestrator, Setting, item
from tests.helpers.served_doubles import PATIENCE_S, ServeWire, Wire, plain


class Heard:
    """Keeps the notes, and lets a test wait for them."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._changed = asyncio.Event()

    def __call__(self, note: str) -> None:
        self.notes.append(note)
        self._changed.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.notes) < count:
                self._changed.clear()
                await self._changed.wait()


def asking(words: str) -> pb.GenerateRequest:
    return pb.GenerateRequest(parts=[pb.InputPart(text=words)], output=pb.MODALITY_TEXT, expected_digest="wire")


async def test_silence_is_noted_at_growing_intervals_until_an_answer(host_wire: ServeWire) -> None:
    wire, heard = Wire(plain, delay_s=3600, max_concurrent=2), Heard()
    service = await connect("omni", [await host_wire(wire)], RetryPolicy(), print)
    assert service is not None
    watching = asyncio.create_task(WaitNotes([service], heard, first_note_s=0.1).run())
    calls = [asyncio.create_task(service.pool.call(asking(str(n)), PATIENCE_S)) for n in range(3)]
    await heard.until(3)
    assert all("no progress: omni has not answered for" in note for note in heard.notes)
    assert "2 calls in flight, 1 waiting" in heard.notes[0]
    for call in calls:
        call.cancel()
    wire.delay_s = 0
    await service.pool.call(asking("quick"), PATIENCE_S)
    count = len(heard.notes)
    # Ten looks without a call in flight.
    await asyncio.sleep(0.1)
    assert len(heard.notes) == count
    watching.cancel()
    await service.pool.close()


class _Pool:
    """The numbers of a pool at one moment."""

    silent_s = slowest_s = 0.0
    in_flight, waiting = 4, 8


class _Service:
    def __init__(self, name: str) -> None:
        self.name, self.pool = name, _Pool()


def test_the_times_of_notes() -> None:
    heard = Heard()
    omni, scorer = _Service("omni"), _Service("scorer")
    watch = WaitNotes([omni, scorer], heard)  # type: ignore[list-item]
    noted = []
    for second in range(4000):
        omni.pool.silent_s = float(second)
        before = len(heard.notes)
        watch.look()
        if len(heard.notes) > before:
            noted.append(second)
    assert noted == [30, 60, 120, 240, 480, 960, 1560, 2160, 2760, 3360, 3960]
    assert heard.notes[0] == "no progress: omni has not answered for 30 s (4 calls in flight, 8 waiting)"
    omni.pool.silent_s = 1.0
    watch.look()
    omni.pool.silent_s = scorer.pool.silent_s = 31.0
    watch.look()
    assert len(heard.notes) == len(noted) + 1
    assert "omni has not answered for 31 s" in heard.notes[-1] and "scorer has not answered" in heard.notes[-1]


def test_answers_that_take_long_are_no_silence() -> None:
    heard, omni = Heard(), _Service("omni")
    omni.pool.slowest_s = 100.0
    watch = WaitNotes([omni], heard)  # type: ignore[list-item]
    for second in range(200):
        omni.pool.silent_s = float(second)
        watch.look()
    assert heard.notes == []


async def test_a_quiet_command_notes_a_service_that_is_silent(tmp_path: Path, host_wire: ServeWire) -> None:
    wire = Wire(plain, delay_s=3600)
    setting = Setting(
        tmp_path, {"omni": [await host_wire(wire)]}, items=[item("peru")], tables={"run": {"conditions": ["t2t"]}}
    )
    quick = "import omnigap_orchestrator.pool.health as w; w.WaitNotes.__init__.__defaults__ = (0.2,)\n"
    start = f"{quick}from omnigap_orchestrator.cli.main import main; main(prog_name='omnigap-orchestrate')"
    command = await Orchestrator.start("run", "-c", setting.write(), "-q", folder=tmp_path, python=("-c", start))
    assert command.process.stderr is not None
    async with asyncio.timeout(PATIENCE_S):
        while not re.search(rb"no progress: omni has not answered", await command.process.stderr.readline()):
            pass
    await command.kill()
