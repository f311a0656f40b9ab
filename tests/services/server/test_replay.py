"""Request ids: a repeated call gets the same answer without a second computation."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_services.adapter import Turn
from omnigap_services.server.replay import ReplayCache
from omnigap_services.server.response import ResponseLog
from tests.services.server.model_double import Double, Gate, Start, asking, collect, entered, refusal_of


def counting() -> Double:
    """A model that never gives the same answer twice."""
    numbers = itertools.count()
    return Double(lambda turn: turn.write(f"answer {next(numbers)}"))


async def test_the_same_id_replays_the_finished_answer(running: Start) -> None:
    caller = (await running(counting())).caller
    first = await caller.ask("hello", request_id="one")
    again = await caller.ask("hello", request_id="one")
    assert first.text == again.text == "answer 0"
    assert first.complete == again.complete
    assert (await caller.ask("hello", request_id="two")).text == "answer 1"


async def test_without_an_id_every_call_is_a_new_one(running: Start) -> None:
    caller = (await running(counting())).caller
    assert [(await caller.ask("hello")).text for _ in range(2)] == ["answer 0", "answer 1"]


async def test_the_same_id_joins_the_running_answer_from_its_beginning(running: Start) -> None:
    gate = Gate()

    def answer(turn: Turn) -> None:
        turn.write("early ")
        gate(turn)

    adapter = Double(answer)
    served = await running(adapter)
    first = asyncio.create_task(served.caller.ask("late", request_id="one"))
    await entered(gate)
    second = asyncio.create_task(served.caller.ask("late", request_id="one"))
    await served.until(replayed_total=1)
    gate.open.set()
    assert (await first).text == (await second).text == "early late"
    assert len(adapter.batches) == 1


async def test_an_id_with_another_payload_is_refused(running: Start) -> None:
    caller = (await running(counting())).caller
    await caller.ask("hello", request_id="one")
    for other in (asking("goodbye", request_id="one"), asking("hello", request_id="one", output=pb.MODALITY_SPEECH)):
        refusal = await refusal_of(caller.call(other))
        assert refusal.reason is Reason.REQUEST_ID_REUSED
        assert "'one'" in refusal.message


async def test_a_failure_is_not_replayed(running: Start) -> None:
    adapter = Double(lambda turn: turn.fail(ValueError("once")))
    caller = (await running(adapter)).caller
    assert (await caller.refusal("hello", request_id="one")).reason is Reason.MODEL_ERROR
    adapter.answer = lambda turn: turn.write("well")
    assert (await caller.ask("hello", request_id="one")).text == "well"


async def test_settings_in_another_order_are_the_same_payload(running: Start) -> None:
    caller = (await running(counting())).caller
    texts = set()
    for keys in (("a", "b", "c"), ("c", "b", "a")):
        request = asking("hello", request_id="one", decoding=pb.Decoding(extra=dict.fromkeys(keys, "1")))
        texts.add((await collect(caller.call(request))).text)
    assert texts == {"answer 0"}


def _finished(replays: ReplayCache, request_id: str, size: int, error: ContractError | None = None) -> None:
    log = ResponseLog(lambda ended, _: replays.end(request_id, ended))
    replays.add(request_id, b"payload", log)
    log.push(bytes(size))
    log.end(error or pb.Complete())


async def test_the_least_recently_used_answers_are_dropped_at_the_memory_limit() -> None:
    replays = ReplayCache(kept_bytes=12_000)
    for request_id in ("a", "b"):
        _finished(replays, request_id, 3_000)
    assert replays.find("a", b"payload") is not None
    _finished(replays, "c", 3_000)
    kept = {name for name in "abc" if replays.find(name, b"payload")}
    assert kept == {"a", "c"}


async def test_an_answer_over_the_whole_limit_is_not_kept() -> None:
    replays = ReplayCache(kept_bytes=1_000)
    _finished(replays, "a", 3_000)
    assert replays.find("a", b"payload") is None


@pytest.mark.parametrize(("seconds", "kept"), [(600.0, True), (-1.0, False)])
async def test_answers_expire(seconds: float, kept: bool) -> None:
    replays = ReplayCache(seconds=seconds)
    _finished(replays, "a", 10)
    assert (replays.find("a", b"payload") is not None) is kept
    assert replays.find("a", b"payload") is None or kept
