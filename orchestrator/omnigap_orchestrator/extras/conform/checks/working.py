"""What checks need that ask a service which works: a condition that it answers, and a call alone that goes well."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps

from omnigap.vocabulary import Condition
from omnigap_orchestrator.extras.conform.subject import Subject
from omnigap_orchestrator.extras.conform.verdict import Finding, skipped

NONE_ANSWERED = "no declared condition gave a whole answer: mend that first"

InCondition = Callable[[Subject, Condition], Awaitable[Finding]]
"""A check that asks in the condition that it is given."""

Plain = Callable[[Subject], Awaitable[Finding]]


def where_it_works(tries: InCondition) -> Plain:
    """Tries in the first condition that was answered whole; skipped where there is none."""

    @wraps(tries)
    async def found(subject: Subject) -> Finding:
        condition = await subject.working()
        return skipped(NONE_ANSWERED) if condition is None else await tries(subject, condition)

    return found


def where_a_call_alone_works(tries: InCondition) -> Plain:
    """Likewise, after one more call that nothing disturbs: what fails alone says nothing about strain."""

    @wraps(tries)
    async def after_one(subject: Subject, condition: Condition) -> Finding:
        alone = await subject.patient_answer(condition)
        return await tries(subject, condition) if alone.whole else skipped(f"a call alone {alone}: mend that first")

    return where_it_works(after_one)
