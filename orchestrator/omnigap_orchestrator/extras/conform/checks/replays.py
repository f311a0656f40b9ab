"""Request ids: the same id with the same payload is one answer, with another payload it is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Condition, Reason
from omnigap_orchestrator.extras.conform.checks.working import where_it_works
from omnigap_orchestrator.extras.conform.questions import question
from omnigap_orchestrator.extras.conform.refusal import refused
from omnigap_orchestrator.extras.conform.reply import Reply
from omnigap_orchestrator.extras.conform.subject import Subject
from omnigap_orchestrator.extras.conform.verdict import Finding, check, failed, passed, warned

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
