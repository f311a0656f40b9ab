"""What a check is, and what it found."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import ERROR_DOMAIN, Condition, Reason
from omnigap_orchestrator.extras.conform.reply import Reply
from omnigap_orchestrator.extras.conform.subject import Subject


class Status(StrEnum):
    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """How a check ended; the message says what was seen and, where it is not right, what to change."""

    status: Status
    message: str


@dataclass(frozen=True, slots=True)
class Check:
    """One rule of the contract and how it is tried.

    Attributes:
        name: stable, for `--check` and for JSON.
        asks: the rule, as the contract puts it.
        run: tries it on a service that has described itself.
    """

    name: str
    asks: str
    run: Callable[[Subject], Awaitable[Finding]]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A finding with the check that it belongs to, and how many seconds that took."""

    check: str
    asks: str
    status: Status
    message: str
    seconds: float


def check(function: Callable[[Subject], Awaitable[Finding]]) -> Check:
    """Makes a check of a function: its name with hyphens, and its docstring as the rule."""
    rule = " ".join((inspect.getdoc(function) or "").split())
    return Check(function.__name__.replace("_", "-"), rule, function)


def passed(message: str) -> Finding:
    return Finding(Status.PASSED, message)


def warned(message: str) -> Finding:
    return Finding(Status.WARNING, message)


def failed(message: str) -> Finding:
    return Finding(Status.FAILED, message)


def skipped(message: str) -> Finding:
    return Finding(Status.SKIPPED, message)


def judged(faults: Sequence[str], otherwise: str, doubts: Sequence[str] = ()) -> Finding:
    """Failed where there are faults, a warning where there are doubts, else passed."""
    if faults:
        return failed("; ".join(faults))
    return warned("; ".join(doubts)) if doubts else passed(otherwise)


# What checks need that ask a service which works: a condition that it answers, and a call alone that goes well.

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


def fault_in_refusal(reply: Reply, *reasons: Reason) -> str:
    """What is wrong with a refusal that should carry one of the reasons; empty where nothing is."""
    wanted = " or ".join(reasons)
    if reply.fault is None:
        return f"{reply} instead of being refused: refuse it with {wanted}"
    if reply.fault.domain != ERROR_DOMAIN:
        return f"{reply}: attach google.rpc.ErrorInfo of domain {ERROR_DOMAIN!r} and reason {wanted}"
    if not reply.fault.has(*reasons):
        return f"{reply}: the reason for this is {wanted}"
    return ""


async def refused(subject: Subject, request: pb.GenerateRequest, *reasons: Reason) -> Finding:
    """Sends a request that must be refused with one of the reasons."""
    reply = await subject.ask(request)
    if fault := fault_in_refusal(reply, *reasons):
        return failed(fault)
    assert reply.fault is not None
    return passed(f"{reply.fault.reason}: {reply.fault.message}")
