"""Callers that go away: the worker hears of it, nobody else suffers."""

from __future__ import annotations

import asyncio
import random

from model_double import PATIENCE_S, WARM_UP, Double, Gate, Start, asking, entered, heard_from, refusal_of

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.server.answer import Answer
from omnigap_services.server.courier import Courier
from omnigap_services.server.turn import ServedTurn


async def seen(gate: Gate) -> None:
    assert await asyncio.to_thread(gate.saw_cancel.wait, PATIENCE_S), "the adapter never saw turn.cancelled"


async def test_a_cancelled_call_reaches_the_adapter_at_work(running: Start) -> None:
    gate = Gate()
    served = await running(Double(gate))
    call = served.caller.call(asking("hello"))
    await entered(gate)
    call.cancel()
    await seen(gate)
    await served.until(inflight=0)
    assert served.metric("requests_total", condition="t2t", outcome="failed", reason="CANCELLED") == 1


async def test_a_deadline_reaches_the_adapter_at_work(running: Start) -> None:
    gate = Gate()
    served = await running(Double(gate))
    call = served.caller.call(asking("hello"), timeout=0.3)
    refusal = await refusal_of(call)
    assert refusal.reason is Reason.DEADLINE_EXCEEDED
    await seen(gate)
    await served.until(inflight=0)


async def test_a_caller_that_vanishes_with_its_connection_counts_as_gone(running: Start) -> None:
    gate = Gate()
    served = await running(Double(gate))
    call = served.caller.call(asking("hello"))
    await entered(gate)
    await served.caller.channel.close()
    await seen(gate)
    del call


async def test_what_a_deadline_overtook_in_the_queue_never_starts(running: Start) -> None:
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


async def test_one_who_joined_keeps_the_answer_that_the_first_caller_left(running: Start) -> None:
    gate = Gate()
    served = await running(Double(gate))
    first = served.caller.call(asking("hello", request_id="one"))
    await entered(gate)
    second = asyncio.create_task(heard_from(served.caller.call(asking("hello", request_id="one"))))
    await served.until(replayed_total=1)
    first.cancel()
    gate.open.set()
    assert (await second).text == "hello"
    assert not gate.saw_cancel.is_set()


async def test_a_call_again_after_everyone_left_is_answered_anew(running: Start) -> None:
    gate = Gate()
    served = await running(Double(gate))
    call = served.caller.call(asking("hello", request_id="one"))
    await entered(gate)
    call.cancel()
    await seen(gate)
    gate.open.set()
    assert (await heard_from(served.caller.call(asking("hello", request_id="one")))).text == "hello"


async def test_an_adapter_that_was_told_to_stop_does_not_complete_for_one_who_joins_then() -> None:
    """Half an answer must not pass for a whole one, however the clocks fall."""
    answer = Answer(lambda ended: None)
    answer.join(0.0)
    turn = ServedTurn(WARM_UP, answer, Courier(), "digest")
    turn.write("half an ans")
    assert turn.cancelled
    answer.join(60.0)
    turn.finish()
    await asyncio.sleep(0)
    assert answer.error is not None
    assert answer.error.reason is Reason.DEADLINE_EXCEEDED


async def test_a_call_without_a_deadline_waits_as_long_as_it_takes(running: Start) -> None:
    gate = Gate()
    served = await running(Double(gate))
    answered = asyncio.create_task(heard_from(served.caller.call(asking("hello"), timeout=None)))
    await entered(gate)
    gate.open.set()
    assert (await answered).text == "hello"
    assert not gate.saw_cancel.is_set()


async def test_a_storm_of_leaving_callers_leaves_nothing_behind(running: Start) -> None:
    served = await running(Double(max_batch_size=4, workers=2, max_queue=16))
    draw = random.Random(7)

    async def call(number: int) -> str:
        request = asking(f"question {number}", request_id=str(draw.randrange(40)) if draw.random() < 0.3 else "")
        stream = served.caller.call(request, timeout=draw.choice([0.001, 0.01, PATIENCE_S]))
        if draw.random() < 0.3:
            asyncio.get_running_loop().call_later(draw.random() * 0.02, stream.cancel)
        try:
            heard = await heard_from(stream)
        except ContractError as error:
            return error.reason
        except asyncio.CancelledError:
            return "cancelled"
        assert heard.complete is not None
        assert heard.text == f"question {number}"
        return "answered"

    for _ in range(10):
        outcomes = await asyncio.gather(*(call(number) for number in range(40)))
        assert set(outcomes) <= {"answered", "cancelled", "DEADLINE_EXCEEDED", "BUSY", "REQUEST_ID_REUSED", "CANCELLED"}
    await served.until(inflight=0, pending=0)
    assert (await served.caller.ask("and now?")).text == "and now?"
