"""Memory of the replay cache, measured on a process: its limit counts ids, tiny events and answers that still run."""

from __future__ import annotations

import subprocess
import sys

import pytest

from omnigap.v1 import model_service_pb2 as pb
from omnigap_services.server.replay import KEPT_BYTES, ReplayCache
from omnigap_services.server.response import ResponseLog

MIB = 1024 * 1024
_FILL = """
import asyncio, gc, json, sys
import psutil
from omnigap.v1 import model_service_pb2 as pb
from omnigap_services.server.replay import ReplayCache
from omnigap_services.server.response import ResponseLog

answers, id_chars, events, chars = json.loads(sys.argv[1])

def resident():
    gc.collect()
    return psutil.Process().memory_info().rss

def answer(replays, number):
    request_id = f"{number:0{id_chars}d}"
    log = ResponseLog(lambda ended, _: replays.end(request_id, ended))
    replays.add(request_id, bytes(31) + b"x", log)
    for event in range(events):
        delta = pb.Delta(text=str(event).rjust(chars))
        log.push(pb.GenerateResponse(delta=delta).SerializeToString())
    log.end(pb.Complete(digest="d" * 64, diagnostics={"a": 1.0}))

async def fill():
    replays = ReplayCache()
    before = resident()
    for number in range(answers):
        answer(replays, number)
    print(resident() - before)

asyncio.run(fill())
"""


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param((8_000, 20, 200, 3), id="many tiny events"),
        pytest.param((80_000, 1_024, 1, 3), id="many long ids"),
        pytest.param((120_000, 20, 1, 3), id="many short answers"),
        pytest.param((400, 20, 2, 400_000), id="large audio"),
        pytest.param((4, 20, 1, 100 * MIB), id="answers above the limit"),
    ],
)
def test_the_process_grows_by_no_more_than_the_limit(shape: tuple[int, ...]) -> None:
    command = [sys.executable, "-c", _FILL, str(list(shape))]
    grown = int(subprocess.run(command, capture_output=True, check=True, timeout=120).stdout)
    assert grown < 1.25 * KEPT_BYTES


async def test_running_answers_leave_less_for_finished_ones() -> None:
    replays = ReplayCache(kept_bytes=10_000)

    def start(request_id: str, size: int) -> ResponseLog:
        log = ResponseLog(lambda ended, _: replays.end(request_id, ended))
        replays.add(request_id, b"payload", log)
        log.push(bytes(size))
        return log

    start("finished", 5_000).end(pb.Complete())
    assert replays.find("finished", b"payload") is not None
    running = start("running", 5_000)
    start("next", 10)
    assert replays.find("finished", b"payload") is None
    assert replays.find("running", b"payload") is running
