"""Deadlines of attempts, and how slots are assigned to waiting calls."""

from __future__ import annotations

import asyncio

import pytest

from omnigap.client import GenerateClient
from omnigap_orchestrator.pool.policy import Unavailable
from omnigap_orchestrator.pool.replica import Replica, Slots, deadline_s


async def replica(number: int = 1, **fields: object) -> Replica:
    fields = {"limit": 2, **fields}
    return Replica(GenerateClient(f"127.0.0.1:{number}"), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer_s", "in_flight", "batch", "slowest_s", "timeouts", "deadline"),
    [
        (0.0, 1, 1, 0.0, 0, 120.0),
        (10.0, 1, 1, 0.0, 0, 120.0),
        (60.0, 1, 1, 0.0, 0, 300.0),
        (60.0, 8, 8, 0.0, 0, 300.0),
        (60.0, 9, 8, 0.0, 0, 600.0),
        (0.0, 1, 1, 100.0, 0, 200.0),
        (0.0, 1, 1, 0.0, 1, 240.0),
        (0.0, 1, 1, 0.0, 9, 480.0),
        (0.0, 1, 1, 1e9, 0, 480.0),
        (1e300, 4096, 1, 0.0, 0, 3600.0),
    ],
)
async def test_the_deadline_follows_what_the_service_needs(
    answer_s: float, in_flight: int, batch: int, slowest_s: float, timeouts: int, deadline: float
) -> None:
    one = await replica(answer_s=answer_s, in_flight=in_flight, batch=batch)
    assert deadline_s(120.0, one, slowest_s, timeouts) == deadline


async def test_waiting_calls_get_slots_in_order() -> None:
    slots, order = Slots([await replica(limit=1)]), []

    async def work(number: int) -> None:
        found = await slots.acquire(False, ())
        order.append(number)
        await asyncio.sleep(0)
        slots.release(found, False)

    await asyncio.gather(*map(work, range(20)))
    assert order == list(range(20))
    assert slots.waiting == slots.replicas[0].in_flight == 0


async def test_an_exclusive_call_waits_for_an_idle_replica_and_does_not_block_others() -> None:
    slots = Slots([await replica(1), await replica(2)])
    taken = [await slots.acquire(False, ()) for _ in range(3)]
    alone = asyncio.create_task(slots.acquire(True, ()))
    await asyncio.sleep(0)
    assert not alone.done()
    other = await slots.acquire(False, ())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(slots.acquire(False, ()), 0.01)
    for found in [*taken, other]:
        slots.release(found, False)
    exclusive = await alone
    assert exclusive.exclusive and exclusive.in_flight == 1
    assert {(await slots.acquire(False, ())) is exclusive for _ in range(2)} == {False}


async def test_a_call_cancelled_while_it_gets_its_slot_returns_it() -> None:
    slots = Slots([await replica(limit=1)])
    first = await slots.acquire(False, ())
    waiting = asyncio.create_task(slots.acquire(False, ()))
    await asyncio.sleep(0)
    slots.release(first, False)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert first.in_flight == 0


async def test_giving_up_ends_waiting_and_later_calls() -> None:
    slots = Slots([await replica(limit=1)])
    await slots.acquire(False, ())
    waiting = [asyncio.create_task(slots.acquire(False, ())) for _ in range(3)]
    await asyncio.sleep(0)
    slots.give_up("it hangs")
    slots.give_up("later reason")
    for call in (*waiting, asyncio.create_task(slots.acquire(True, ()))):
        with pytest.raises(Unavailable, match="it hangs"):
            await call
