"""Thousands of calls at once over many connections: each is answered or BUSY with its reason, and none is dropped."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest

from omnigap.channel import channel_options
from omnigap.rpc_errors import error_infos
from omnigap.v1 import model_service_pb2 as pb
from omnigap_services.adapter import Turn
from tests.services.server.model_double import PATIENCE_S, Caller, Double, Gate, Running, Start, asking, entered, reply

CALLS, CONNECTIONS = 2_000, 20
CONCURRENCY = 8


@asynccontextmanager
async def connections(served: Running) -> AsyncIterator[list[Caller]]:
    """Clients with a connection each: without the option, channels of one process share a single one."""
    options = (*channel_options(served.server.address), ("grpc.use_local_subchannel_pool", 1))
    channels = [grpc.aio.insecure_channel(served.server.address, options=options) for _ in range(CONNECTIONS)]
    yield [Caller(channel) for channel in channels]
    for channel in channels:
        await channel.close()


async def outcome(call: grpc.aio.UnaryStreamCall[pb.GenerateRequest, pb.GenerateResponse]) -> str:
    """`answered`, or the gRPC status with the reasons of its ErrorInfo."""
    try:
        events = [event async for event in call]
    except grpc.aio.AioRpcError as error:
        return " ".join([error.code().name, *(info.reason for info in error_infos(error))])
    assert events[-1].HasField("complete")
    return "answered"


def calls_of(callers: list[Caller]) -> list[grpc.aio.UnaryStreamCall[pb.GenerateRequest, pb.GenerateResponse]]:
    requests = (asking("hello", request_id=f"call {number}") for number in range(CALLS))
    return [callers[number % CONNECTIONS].call(request, 4 * PATIENCE_S) for number, request in enumerate(requests)]


@pytest.mark.parametrize("answer", [reply, lambda turn: turn.fail(MemoryError("full"))], ids=["answers", "failures"])
async def test_every_call_of_a_burst_gets_an_answer_or_an_error_with_its_reason(
    running: Start, answer: Callable[[Turn], None]
) -> None:
    served = await running(Double(answer, workers=4, max_queue=16))
    async with connections(served) as callers:
        found = Counter(await asyncio.gather(*map(outcome, calls_of(callers))))
    assert set(found) <= {"answered", "RESOURCE_EXHAUSTED BUSY", "RESOURCE_EXHAUSTED OUT_OF_MEMORY"}
    assert found.total() == CALLS


async def test_a_full_server_refuses_all_others_as_busy(running: Start) -> None:
    gate = Gate()
    served = await running(Double(gate, workers=CONCURRENCY, max_queue=0))
    async with connections(served) as callers:
        tasks = [asyncio.create_task(outcome(call)) for call in calls_of(callers)]
        for _ in range(CONCURRENCY):
            await entered(gate)
        async with asyncio.timeout(4 * PATIENCE_S):
            while sum(task.done() for task in tasks) < CALLS - CONCURRENCY:
                await asyncio.sleep(0.01)
        gate.open.set()
        found = Counter(await asyncio.gather(*tasks))
    assert found == {"answered": CONCURRENCY, "RESOURCE_EXHAUSTED BUSY": CALLS - CONCURRENCY}


async def test_callers_that_leave_at_random_disturb_no_other(running: Start) -> None:
    rng = random.Random(11)
    served = await running(Double(workers=4, max_queue=CALLS))
    async with connections(served) as callers:
        calls = calls_of(callers)
        leaving = set(rng.sample(range(CALLS), CALLS // 3))

        async def leave(number: int) -> None:
            # Some leave before their call was sent, some while it waits, some after its answer.
            for _ in range(rng.randrange(200)):
                await asyncio.sleep(0)
            calls[number].cancel()

        async def stay(number: int) -> str:
            return await outcome(calls[number])

        staying = [number for number in range(CALLS) if number not in leaving]
        found, _ = await asyncio.gather(
            asyncio.gather(*map(stay, staying)), asyncio.gather(*map(leave, sorted(leaving)))
        )
        assert Counter(found) == {"answered": len(staying)}
        await served.until(inflight=0, pending=0)
        assert await outcome(callers[0].call(asking("after"))) == "answered"
