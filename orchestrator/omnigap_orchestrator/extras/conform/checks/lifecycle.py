"""Checks of deadlines, cancellation, request ids and overload."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import grpc

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Condition, Reason
from omnigap_orchestrator.extras.conform.check import (
    Finding,
    after_single_call,
    check,
    failed,
    finding_of,
    in_working_condition,
    passed,
    refused,
    warned,
)
from omnigap_orchestrator.extras.conform.reply import Reply, gather
from omnigap_orchestrator.extras.conform.service import ServiceUnderTest, question

# Short, so that calls are abandoned while they are running; repeated, so that leaked slots add up.
_DEADLINE_S = 0.05
_CANCEL_AFTER_S = 0.05
_WAVES = 3
_MAX_WAVE = 32

# If the next call takes longer than this factor times its usual latency, plus these seconds, it seems to wait for the
# work of abandoned calls.
_SLOWER, _SLOWER_S = 3.0, 2.0


@check
@in_working_condition
async def deadlines_are_honoured(service: ServiceUnderTest, condition: Condition) -> Finding:
    """A call ends with DEADLINE_EXCEEDED at its deadline, unless it was answered before; later calls are served."""
    replies: list[Reply] = []
    for wave in range(_WAVES):
        requests = [question(condition, 100 * wave + number) for number in range(_wave(service))]
        replies += await asyncio.gather(*(service.generate(request, _DEADLINE_S) for request in requests))
    wrong = [reply for reply in replies if not (reply.complete_stream or _is_late(reply))]
    if wrong:
        return failed(f"a call with a deadline of {_DEADLINE_S} s {wrong[0]}: answer, or end with DEADLINE_EXCEEDED")
    late = sum(not reply.complete_stream for reply in replies)
    return await _next_call(service, condition, f"{late} of {len(replies)} calls over their deadline")


@check
@after_single_call
async def cancelled_calls_free_their_slot(service: ServiceUnderTest, condition: Condition) -> Finding:
    """After cancelled calls, the service is healthy and accepts new calls."""
    for wave in range(_WAVES):
        calls = [service.call(question(condition, 100 * wave + number)) for number in range(_wave(service))]
        running = [asyncio.create_task(gather(call)) for call in calls]
        # Cancel while calls are running: at the first answer, or after a short time for a slow service.
        await asyncio.wait(running, timeout=_CANCEL_AFTER_S, return_when=asyncio.FIRST_COMPLETED)
        for call in calls:
            call.cancel()
        # Awaiting a cancelled call raises CancelledError, which is expected here.
        await asyncio.gather(*running, return_exceptions=True)
    return await _next_call(service, condition, f"{_WAVES * _wave(service)} calls cancelled")


def _wave(service: ServiceUnderTest) -> int:
    """Number of calls in a wave: as many as the service accepts, so that a few leaked slots are noticed."""
    return min(service.concurrent, _MAX_WAVE)


def _is_late(reply: Reply) -> bool:
    """True for an exceeded deadline, or BUSY while the slots of the previous wave are not free yet."""
    fault = reply.fault
    return fault is not None and (fault.code is grpc.StatusCode.DEADLINE_EXCEEDED or fault.has(Reason.BUSY))


async def _next_call(service: ServiceUnderTest, condition: Condition, what: str) -> Finding:
    """The finding from health and from the next call after abandoned calls."""
    status = await service.health()
    if status != "SERVING":
        return failed(f"after {what} health is {status}: abandoned calls must not change the health")
    reply = await service.answer_when_idle(condition)
    if not reply.complete_stream:
        return failed(f"after {what} the next call {reply}: free the slots of abandoned calls")
    before = (await service.sample(condition)).latency_s
    slow = reply.latency_s > _SLOWER * before + _SLOWER_S
    warning = (
        f"after {what} the next call took {reply.latency_s:.1f} s ({before:.1f} s before): stop the work of abandoned "
        "calls between two steps"
    )
    return finding_of([], f"{what}, the next was answered in {reply.latency_s:.1f} s", [warning] if slow else [])


_SIMULTANEOUS = 3


@check
@in_working_condition
async def repeated_id_replays_the_answer(service: ServiceUnderTest, condition: Condition) -> Finding:
    """The same request with the same id, sent again within ten minutes, gets the same answer again."""
    request = question(condition, 2)
    return _one_answer([await service.generate(request), await service.generate(request)])


@check
@in_working_condition
async def simultaneous_duplicates_share_an_answer(service: ServiceUnderTest, condition: Condition) -> Finding:
    """The same request with the same id, sent while the first one runs, joins its answer."""
    request = question(condition, 3)
    return _one_answer(await asyncio.gather(*(service.generate(request) for _ in range(_SIMULTANEOUS))))


def _one_answer(replies: Sequence[Reply]) -> Finding:
    """Fails if the replies differ in content; warns if they differ otherwise."""
    for reply in replies:
        if not reply.complete_stream:
            return failed(f"one of {len(replies)} calls with one request_id {reply}: join it to the answer of that id")
    if any(reply.content != replies[0].content for reply in replies):
        text = f"{len(replies)} calls with one request_id got different answers: keep finished answers for ten minutes"
        return failed(text)
    # A deterministic model gives the same content when it computes an answer again, but other timings.
    if any(_fields(reply) != _fields(replies[0]) for reply in replies):
        return warned("equal answers with different `complete`: replay the answer instead of computing it again")
    return passed(f"{len(replies)} calls, one answer")


def _fields(reply: Reply) -> bytes:
    complete: pb.Complete = reply.complete
    return complete.SerializeToString(deterministic=True)


@check
@in_working_condition
async def reused_id_is_refused(service: ServiceUnderTest, condition: Condition) -> Finding:
    """The same id with another payload is refused with REQUEST_ID_REUSED."""
    first, second = question(condition, 4), question(condition, 5)
    second.request_id = first.request_id
    reply = await service.generate(first)
    if not reply.complete_stream:
        return failed(f"the first call with the id {reply}")
    return await refused(service, second, Reason.REQUEST_ID_REUSED)


# Number of calls of an overload: `max_concurrent` plus four, times four, so that a service with one slot gets 20.
_OVERLOAD, _ADDED, _MAX_CALLS = 4, 4, 512
_HEALTH_INTERVAL_S = 0.25


@check
@after_single_call
async def overload_is_answered_or_busy(service: ServiceUnderTest, condition: Condition) -> Finding:
    """Of four times `max_concurrent` calls, each is answered or refused with BUSY; health stays SERVING."""
    requests = [question(condition, 2000 + number) for number in range(_calls(service))]
    over = asyncio.Event()
    watch = asyncio.create_task(_unhealthy(service, over))
    # Four times the calls may take four times as long; one after another, as long as that many single calls, with a
    # factor of two for a machine that slows down under load.
    one_by_one_s = 2 * len(requests) * (await service.sample(condition)).latency_s
    timeout_s = max(_OVERLOAD * service.timeout_s, one_by_one_s)
    replies = await asyncio.gather(*(service.generate(request, timeout_s) for request in requests))
    over.set()
    unhealthy = await watch
    outcomes = Counter(_outcome(reply) for reply in replies)
    faults = [f"health was {status} under load: stay SERVING while BUSY" for status in unhealthy]
    faults += [
        f"{count} of {len(replies)} calls {outcome}: answer, or refuse with BUSY"
        for outcome, count in outcomes.items()
        if outcome not in ("answered", "BUSY")
    ]
    if not faults and not outcomes["answered"]:
        return failed(f"all {len(replies)} calls were BUSY: answer as many as max_concurrent, {service.concurrent}")
    return finding_of(faults, f"{len(replies)} at once: {outcomes['answered']} answered, {outcomes['BUSY']} BUSY")


def _calls(service: ServiceUnderTest) -> int:
    return min(_OVERLOAD * (service.concurrent + _ADDED), _MAX_CALLS)


def _outcome(reply: Reply) -> str:
    return "BUSY" if reply.fault is not None and reply.fault.has(Reason.BUSY) else str(reply)


async def _unhealthy(service: ServiceUnderTest, over: asyncio.Event) -> list[str]:
    """Polls health until the load is over, and once more; returns the distinct statuses other than SERVING."""
    found: dict[str, None] = {}
    ended = False
    while not ended:
        ended = over.is_set()
        if (status := await service.health()) != "SERVING":
            found[status] = None
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), _HEALTH_INTERVAL_S)
    return list(found)
