"""More calls than the service takes: each is answered or BUSY, and the service stays well."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

from omnigap.vocabulary import Condition, Reason
from omnigap_orchestrator.extras.conform.checks.working import where_a_call_alone_works
from omnigap_orchestrator.extras.conform.questions import question
from omnigap_orchestrator.extras.conform.reply import Reply
from omnigap_orchestrator.extras.conform.subject import Subject
from omnigap_orchestrator.extras.conform.verdict import Finding, check, failed, judged

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
