"""Callers that go away: their work is cancelled, and other callers are not affected."""

from __future__ import annotations

import asyncio
import random

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.server.response import ResponseLog
from omnigap_services.server.stream import LoopBridge, ResponseStream
from tests.services.server.model_double import (
    PATIENCE_S,
    WARM_UP,
    Double,
    Gate,
    Start,
    asking,
    collect,
    entered,
    refusal_of,
)


async def saw_cancel(gate: Gate) -> None:
    assert await asyncio.to_thread(gate.saw_cancel.wait, PATIENCE_S), "the adapter never saw turn.cancelled"


async def test_a_cancelled_call_cancels_the_running_turn(running: Start) -> None:
    gate = Gate()
    served = await running(Double(gate))
    call = served.caller.call(asking("hello"))
    await entered(gate)
    call.cancel()
    await saw_cancel(gate)
    await served.until(inflight=0)
    assert served.metric("requests_total", condition="t2t", outcome="failed", reason="CANCELLED") == 1


async def test_an_expired_deadline_cancels_the_running_turn(running: Start) -> None:
    gate = Gate()
    served = await running(Double(gate))
    call = served.caller.call(asking("hello"), timeout=0.3)
    refusal = await refusal_of(call)
    assert refusal.reason is Reason.DEADLINE_EXCEEDED
    await saw_cancel(gate)
    await served.until(inflight=0)


async def test_a_closed_connection_cancels_the_running_turn(running: Start) -> None:
    gate = Gate()
    served = await running(Double(gate))
    call = served.caller.call(asking("hello"))
    await entered(gate)
    await served.caller.channel.close()
    await saw_cancel(gate)
    del call


async def test_a_queued_turn_whose_deadline_passed_never_starts(running: Start) -> None:
    gate = Gate()
    adapter = Double(gate)
    served = await running(adapter)
    first = asyncio.create_task(served.caller.ask("first"))
    await entered(gate)
    refusal = await refusal_of(served.caller.call(asking("too late"), timeout=0.2))
    assert refusal.reason is Reason.DEADLINE_EXCEEDED
    gate.open.set()
    await first
    assert (await served.caller.ask("after")).text == "after"
    assert ["too late"] not in [[request.carrier for request in batch] for batch in adapter.batches]


async def test_a_joined_caller_gets_the_answer_after_the_first_caller_left(running: Start) -> None:
    gate = Gate()
    served = await running(Double(gate))
    first = served.caller.call(asking("hello", request_id="one"))
    await entered(gate)
    second = asyncio.create_task(collect(served.caller.call(asking("hello", request_id="one"))))
    await served.until(replayed_total=1)
    first.cancel()
    gate.open.set()
    assert (await second).text == "hello"
    assert not gate.saw_cancel.is_set()


async def test_a_repeated_call_after_all_callers_left_is_computed_again(running: Start) -> None:
    gate = Gate()
    served = await running(Double(gate))
    call = served.caller.call(asking("hello", request_id="one"))
    await entered(gate)
    call.cancel()
    await saw_cancel(gate)
    gate.open.set()
    assert (await collect(served.caller.call(asking("hello", request_id="one")))).text == "hello"


async def test_a_turn_that_read_cancelled_never_completes() -> None:
    """A caller that joins after the adapter stopped must not get half an answer as a complete one."""
    log = ResponseLog(lambda ended, result: None)
    log.join(0.0)
    turn = ResponseStream(WARM_UP, log, LoopBridge(), "digest")
    turn.write("half an ans")
    assert turn.cancelled
    log.join(60.0)
    turn.finish()
    await asyncio.sleep(0)
    assert log.error is not None
    assert log.error.reason is Reason.DEADLINE_EXCEEDED


async def test_a_call_without_a_deadline_is_not_cancelled(running: Start) -> None:
    gate = Gate()
    served = await running(Double(gate))
    answered = asyncio.create_task(collect(served.caller.call(asking("hello"), timeout=None)))
    await entered(gate)
    gate.open.set()
    assert (await answered).text == "hello"
    assert not gate.saw_cancel.is_set()


async def test_many_leaving_callers_leave_no_work_behind(running: Start) -> None:
    served = await running(Double(max_batch_size=4, workers=2, max_queue=16))
    draw = random.Random(7)

    async def call(number: int) -> str:
        request = asking(f"question {number}", request_id=str(draw.randrange(40)) if draw.random() < 0.3 else "")
        stream = served.caller.call(request, timeout=draw.choice([0.001, 0.01, PATIENCE_S]))
        if draw.random() < 0.3:
            asyncio.get_running_loop().call_later(draw.random() * 0.02, stream.cancel)
        try:
            received = await collect(stream)
        except ContractError as error:
            return error.reason
        except asyncio.CancelledError:
            return "cancelled"
        assert received.complete is not None
        assert received.text == f"question {number}"
        return "answered"

    for _ in range(10):
        outcomes = await asyncio.gather(*(call(number) for number in range(40)))
        assert set(outcomes) <= {"answered", "cancelled", "DEADLINE_EXCEEDED", "BUSY", "REQUEST_ID_REUSED", "CANCELLED"}
    await served.until(inflight=0, pending=0)
    assert (await served.caller.ask("and now?")).text == "and now?"
