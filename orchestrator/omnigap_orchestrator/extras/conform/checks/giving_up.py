"""Callers that give up: their deadline passes, or they cancel. The service must let go of their work and serve on."""

from __future__ import annotations

import asyncio

import grpc

from omnigap.vocabulary import Condition, Reason
from omnigap_orchestrator.extras.conform.checks.working import where_a_call_alone_works, where_it_works
from omnigap_orchestrator.extras.conform.questions import question
from omnigap_orchestrator.extras.conform.reply import Reply, gather
from omnigap_orchestrator.extras.conform.subject import Subject
from omnigap_orchestrator.extras.conform.verdict import Finding, check, failed, judged

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
