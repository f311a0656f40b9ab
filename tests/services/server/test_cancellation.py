"""Callers that go away: the worker hears of it, nobody else suffers."""

from __future__ import annotations

import asyncio

from model_double import PATIENCE_S, Double, Gate, Start, asking, entered, heard_from, refusal_of

from omnigap.vocabulary import Reason


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
