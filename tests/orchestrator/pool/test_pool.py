"""Calls to the replicas of one service: balancing, retries, ejection of replicas, and failures."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from omnigap.answer import Answer
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_orchestrator.pool import CallFailed, RetryPolicy, Unavailable
from tests.helpers.served_doubles import PATIENCE_S, ServeWire, Wire, complete, text
from tests.orchestrator.pool.asking import IMPATIENT, Connect, ask_all, asking, echo, raising, texts, words_of


async def test_replicas_share_the_calls_within_their_limits(host_wire: ServeWire, connected: Connect) -> None:
    wires = [Wire(echo, delay_s=0.01, max_concurrent=3) for _ in range(2)]
    service = await connected(*[await host_wire(wire) for wire in wires])
    assert service.pool.capacity == 6
    words = [f"question {number}" for number in range(40)]
    assert texts(await ask_all(service, *words)) == words
    assert [wire.most_in_flight for wire in wires] == [3, 3]


async def test_the_replica_with_the_fewest_calls_in_flight_is_chosen(host_wire: ServeWire, connected: Connect) -> None:
    slow, quick = Wire(echo, delay_s=3600, max_concurrent=2), Wire(echo, max_concurrent=2)
    service = await connected(await host_wire(slow), await host_wire(quick))
    stuck = asyncio.create_task(service.pool.call(asking("stuck"), PATIENCE_S))
    await slow.until_asked(1)
    for number in range(5):
        await service.pool.call(asking(f"{number}"), PATIENCE_S)
    stuck.cancel()
    assert [words_of(request) for request in slow.asked] == ["stuck"]
    assert len(quick.asked) == 5


async def test_busy_does_not_count_as_an_attempt(host_wire: ServeWire, connected: Connect) -> None:
    refusals = iter(range(10))

    def busy_at_first(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        if next(refusals, None) is not None:
            raise raising(Reason.BUSY)
        yield from echo(request)

    wire = Wire(busy_at_first)
    service = await connected(await host_wire(wire))
    assert texts(await ask_all(service, "patience")) == ["patience"]
    assert len(wire.asked) == 11


async def test_a_temporary_fault_is_retried_and_then_fails_with_its_reason(
    host_wire: ServeWire, connected: Connect
) -> None:
    def half(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        yield text("Par")
        if words_of(request) == "good":
            yield complete()

    wire = Wire(half)
    service = await connected(await host_wire(wire))
    good, failed = await ask_all(service, "good", "bad")
    assert isinstance(good, Answer)
    assert isinstance(failed, CallFailed)
    assert (failed.error.reason, failed.attempts) == (Reason.INCOMPLETE_STREAM, 3)
    assert [words_of(request) for request in wire.asked].count("bad") == 3


@pytest.mark.parametrize("reason", [Reason.BAD_MEDIA, Reason.TOO_LARGE, Reason.BAD_REQUEST, Reason.REQUEST_ID_REUSED])
async def test_a_permanent_refusal_is_not_retried(host_wire: ServeWire, connected: Connect, reason: Reason) -> None:
    def refuse(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        raise raising(reason)
        yield

    wire = Wire(refuse)
    service = await connected(await host_wire(wire))
    (failed,) = await ask_all(service, "question")
    assert isinstance(failed, CallFailed)
    assert (failed.error.reason, failed.attempts, len(wire.asked)) == (reason, 1, 1)


async def test_a_failed_call_is_retried_on_another_replica(host_wire: ServeWire, connected: Connect) -> None:
    def fail(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        raise raising(Reason.MODEL_ERROR)
        yield

    service = await connected(await host_wire(Wire(fail)), await host_wire(Wire(echo)))
    words = [f"question {number}" for number in range(4)]
    assert texts(await ask_all(service, *words)) == words


async def test_a_failing_replica_is_ejected_and_comes_back(
    host_wire: ServeWire, connected: Connect, notes: list[str]
) -> None:
    is_failing = True

    def fails_at_first(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        if is_failing:
            raise raising(Reason.OUT_OF_MEMORY)
        yield from echo(request)

    failing, healthy = Wire(fails_at_first, max_concurrent=1), Wire(echo, max_concurrent=1)
    service = await connected(await host_wire(failing), await host_wire(healthy))
    for number in range(0, 100, 2):
        both = [f"{number}", f"{number + 1}"]
        assert texts(await ask_all(service, *both)) == both
        if notes:
            break
    assert notes[0].startswith(f"{failing.address} failed 5 cells in a row")
    is_failing = False
    asked = len(failing.asked)
    async with asyncio.timeout(PATIENCE_S):
        while len(failing.asked) == asked:
            await ask_all(service, "x", "y")
    assert notes[-1].startswith(failing.address)


async def test_retries_of_one_bad_call_do_not_eject_a_replica(
    host_wire: ServeWire, connected: Connect, notes: list[str]
) -> None:
    def fail(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        raise raising(Reason.MODEL_ERROR)
        yield

    wires = [Wire(fail), Wire(fail)]
    policy = RetryPolicy(max_attempts=12, first_delay_s=0.001, max_delay_s=0.001)
    service = await connected(*[await host_wire(wire) for wire in wires], policy=policy)
    (failed,) = await ask_all(service, "poison")
    assert isinstance(failed, CallFailed)
    assert failed.attempts == 12
    assert notes == []


async def test_calls_wait_for_a_service_that_restarts(
    host_wire: ServeWire, connected: Connect, notes: list[str]
) -> None:
    wire = Wire(echo, delay_s=3600)
    service = await connected(await host_wire(wire))
    calls = asyncio.create_task(ask_all(service, "a", "b", "c"))
    await wire.until_asked(3)
    await wire.stop()
    wire.delay_s = 0
    await wire.start()
    assert texts(await calls) == ["a", "b", "c"]
    assert notes[-1].startswith(wire.address)


async def test_calls_to_a_service_that_is_gone_raise_unavailable(host_wire: ServeWire, connected: Connect) -> None:
    wire = Wire(echo, delay_s=3600)
    service = await connected(await host_wire(wire), policy=IMPATIENT)
    calls = asyncio.create_task(ask_all(service, *(f"{number}" for number in range(12))))
    await wire.until_asked(4)
    await wire.stop()
    answers = await calls
    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert any("0.2 s" in str(answer) for answer in answers)


async def test_a_call_that_crashes_its_service_fails_and_others_are_answered(
    host_wire: ServeWire, connected: Connect
) -> None:
    crashes = 0
    restarts: set[asyncio.Task[None]] = set()

    async def restart() -> None:
        await wire.stop()
        await wire.start()

    def fragile(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        nonlocal crashes
        if words_of(request) == "poison":
            crashes += 1
            restarts.add(asyncio.get_running_loop().create_task(restart()))
            yield text("...")
            raise raising(Reason.TRANSPORT, "gone in mid-answer")
        yield from echo(request)

    wire = Wire(fragile, delay_s=0.02)
    service = await connected(await host_wire(wire))
    words = [f"question {number}" for number in range(10)]
    first, poisoned, *rest = await ask_all(service, words[0], "poison", *words[1:])
    assert texts([first, *rest]) == words
    assert isinstance(poisoned, CallFailed)
    assert (poisoned.error.reason, poisoned.attempts, crashes) == (Reason.TRANSPORT, 3, 3)
    await asyncio.gather(*restarts)


async def test_a_changed_digest_makes_the_service_unavailable(host_wire: ServeWire, connected: Connect) -> None:
    def changed(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        if len(wire.asked) > 2:
            raise raising(Reason.DIGEST_MISMATCH, "the digest is another")
        yield from echo(request)

    wire = Wire(changed, max_concurrent=1)
    service = await connected(await host_wire(wire))
    answers = await ask_all(service, *(f"{number}" for number in range(6)))
    assert sum(isinstance(answer, Answer) for answer in answers) == 2
    errors = [str(answer) for answer in answers if isinstance(answer, Unavailable)]
    assert len(errors) == 4
    assert any(wire.address in error and "the digest is another" in error for error in errors)
    assert len(wire.asked) == 3


async def test_a_replica_with_a_changed_digest_is_removed(
    host_wire: ServeWire, connected: Connect, notes: list[str]
) -> None:
    def changed(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        raise raising(Reason.DIGEST_MISMATCH, "the digest is another")
        yield

    other = Wire(changed)
    service = await connected(await host_wire(other), await host_wire(Wire(echo)))
    words = [f"{number}" for number in range(12)]
    assert texts(await ask_all(service, *words)) == words
    (note,) = notes
    assert note.startswith(other.address)


async def test_an_unavailable_replica_joins_when_it_serves(
    host_wire: ServeWire, connected: Connect, notes: list[str]
) -> None:
    early, late = Wire(echo, delay_s=0.01, max_concurrent=1), Wire(echo, delay_s=0.01, max_concurrent=1)
    addresses = [await host_wire(early), await host_wire(late)]
    await late.stop()
    service = await connected(*addresses)
    await late.start()
    async with asyncio.timeout(PATIENCE_S):
        while not late.asked:
            await ask_all(service, *(f"{number}" for number in range(4)))
    (note,) = notes
    assert note.startswith(late.address)
