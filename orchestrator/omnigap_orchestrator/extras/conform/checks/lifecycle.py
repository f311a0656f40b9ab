"""Callers that give up: their deadline passes, or they cancel. The service must let go of their work and serve on."""

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
    check,
    failed,
    judged,
    passed,
    refused,
    warned,
    where_a_call_alone_works,
    where_it_works,
)
from omnigap_orchestrator.extras.conform.questions import question
from omnigap_orchestrator.extras.conform.reply import Reply, gather
from omnigap_orchestrator.extras.conform.subject import Subject

_DEADLINE_S = 0.05
_CANCEL_AFTER_S = 0.05
_WAVES = 3
_MOST_IN_A_WAVE = 32

# Beyond this much longer than before, the next caller seems to wait for work that nobody wants.
_SLOWER, _SLOWER_S = 3.0, 2.0


@check
@where_it_works
async def deadlines_are_honoured(subject: Subject, condition: Condition) -> Finding:
    """A call whose deadline passes ends with DEADLINE_EXCEEDED, unless it is answered before; the service serves on."""
    replies: list[Reply] = []
    for wave in range(_WAVES):
        requests = [question(condition, 100 * wave + number) for number in range(_wave(subject))]
        replies += await asyncio.gather(*(subject.ask(request, _DEADLINE_S) for request in requests))
    wrong = [reply for reply in replies if not (reply.whole or _late(reply))]
    if wrong:
        return failed(f"a call with a deadline of {_DEADLINE_S} s {wrong[0]}: answer, or end with DEADLINE_EXCEEDED")
    late = sum(not reply.whole for reply in replies)
    return await _serves_on(subject, condition, f"{late} of {len(replies)} calls over their deadline")


@check
@where_a_call_alone_works
async def cancelled_calls_free_their_place(subject: Subject, condition: Condition) -> Finding:
    """After callers cancelled, the service is well and takes new work."""
    for wave in range(_WAVES):
        calls = [subject.call(question(condition, 100 * wave + number)) for number in range(_wave(subject))]
        running = [asyncio.create_task(gather(call)) for call in calls]
        await asyncio.wait(running, timeout=_CANCEL_AFTER_S, return_when=asyncio.FIRST_COMPLETED)
        for call in calls:
            call.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return await _serves_on(subject, condition, f"{_WAVES * _wave(subject)} calls cancelled")


def _wave(subject: Subject) -> int:
    """Calls at once: what the service takes, so that lost places are missed soon."""
    return min(subject.concurrent, _MOST_IN_A_WAVE)


def _late(reply: Reply) -> bool:
    """True for a deadline that passed; BUSY as well, where the wave before is not yet let go."""
    fault = reply.fault
    return fault is not None and (fault.code is grpc.StatusCode.DEADLINE_EXCEEDED or fault.has(Reason.BUSY))


async def _serves_on(subject: Subject, condition: Condition, what: str) -> Finding:
    """Judges the next caller's luck."""
    status = await subject.health()
    if status != "SERVING":
        return failed(f"after {what} health is {status}: a caller who leaves must not make the service unwell")
    reply = await subject.patient_answer(condition)
    if not reply.whole:
        return failed(f"after {what} the next call {reply}: free the places of calls that nobody waits for any more")
    before = (await subject.sample(condition)).latency_s
    slow = reply.latency_s > _SLOWER * before + _SLOWER_S
    doubt = f"after {what} the next call took {reply.latency_s:.1f} s, {before:.1f} s before: stop work between steps"
    return judged([], f"{what}, the next was answered in {reply.latency_s:.1f} s", [doubt] if slow else [])


# Request ids: the same id with the same payload is one answer, with another payload it is refused.

_AT_ONCE = 3


@check
@where_it_works
async def repeated_id_replays_the_answer(subject: Subject, condition: Condition) -> Finding:
    """The same request with the same id, sent again within ten minutes, gets the same answer again."""
    request = question(condition, 2)
    return _one_answer([await subject.ask(request), await subject.ask(request)])


@check
@where_it_works
async def simultaneous_duplicates_share_an_answer(subject: Subject, condition: Condition) -> Finding:
    """The same request with the same id, sent while the first one runs, joins its answer."""
    request = question(condition, 3)
    return _one_answer(await asyncio.gather(*(subject.ask(request) for _ in range(_AT_ONCE))))


def _one_answer(replies: Sequence[Reply]) -> Finding:
    """Equal content is the rule; unequal timings tell that it was kept by luck, as a deterministic model does."""
    for reply in replies:
        if not reply.whole:
            return failed(f"one of {len(replies)} calls with one request_id {reply}: join it to the answer of that id")
    if any(reply.content != replies[0].content for reply in replies):
        text = f"{len(replies)} calls with one request_id got different answers: keep finished answers for ten minutes"
        return failed(text)
    if any(_fields(reply) != _fields(replies[0]) for reply in replies):
        return warned("the answers are equal but their `complete` is not: was it computed again instead of replayed?")
    return passed(f"{len(replies)} calls, one answer")


def _fields(reply: Reply) -> bytes:
    complete: pb.Complete = reply.complete
    return complete.SerializeToString(deterministic=True)


@check
@where_it_works
async def reused_id_is_refused(subject: Subject, condition: Condition) -> Finding:
    """The same id with another payload is refused with REQUEST_ID_REUSED."""
    first, second = question(condition, 4), question(condition, 5)
    second.request_id = first.request_id
    reply = await subject.ask(first)
    if not reply.whole:
        return failed(f"the first call with the id {reply}")
    return await refused(subject, second, Reason.REQUEST_ID_REUSED)


# More calls than the service takes: each is answered or BUSY, and the service stays well.

_TIMES, _MORE, _MOST = 4, 4, 512
_HEALTH_EVERY_S = 0.25


@check
@where_a_call_alone_works
async def overload_is_answered_or_busy(subject: Subject, condition: Condition) -> Finding:
    """Of four times as many calls as `max_concurrent`, each is answered or refused with BUSY; health stays SERVING."""
    requests = [question(condition, 2000 + number) for number in range(_calls(subject))]
    over = asyncio.Event()
    watch = asyncio.create_task(_unwell(subject, over))
    # Four times the calls may take four times as long.
    replies = await asyncio.gather(*(subject.ask(request, _TIMES * subject.timeout_s) for request in requests))
    over.set()
    unwell = await watch
    outcomes = Counter(_outcome(reply) for reply in replies)
    faults = [f"health was {status} under load: stay SERVING while BUSY" for status in unwell]
    faults += [
        f"{count} of {len(replies)} calls {outcome}: answer, or refuse with BUSY"
        for outcome, count in outcomes.items()
        if outcome not in ("answered", "BUSY")
    ]
    if not faults and not outcomes["answered"]:
        return failed(f"all {len(replies)} calls were BUSY: answer as many as max_concurrent, {subject.concurrent}")
    return judged(faults, f"{len(replies)} at once: {outcomes['answered']} answered, {outcomes['BUSY']} BUSY")


def _calls(subject: Subject) -> int:
    return min(_TIMES * (subject.concurrent + _MORE), _MOST)


def _outcome(reply: Reply) -> str:
    return "BUSY" if reply.fault is not None and reply.fault.has(Reason.BUSY) else str(reply)


async def _unwell(subject: Subject, over: asyncio.Event) -> list[str]:
    """Asks for health until the load is over, and once more; the statuses that were not SERVING, each once."""
    found: dict[str, None] = {}
    ended = False
    while not ended:
        ended = over.is_set()
        if (status := await subject.health()) != "SERVING":
            found[status] = None
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), _HEALTH_EVERY_S)
    return list(found)
