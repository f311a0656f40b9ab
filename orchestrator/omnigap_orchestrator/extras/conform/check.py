"""Conformance checks: their definition, their findings, and helpers that the checks share."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import ERROR_DOMAIN, Condition, Reason
from omnigap_orchestrator.extras.conform.reply import Reply
from omnigap_orchestrator.extras.conform.service import ServiceUnderTest


class Status(StrEnum):
    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check; the message says what was observed, and for a fault what to change."""

    status: Status
    message: str


@dataclass(frozen=True, slots=True)
class Check:
    """One rule of the contract and its test.

    Attributes:
        name: stable name, for `--check` and for JSON.
        rule: the rule in one sentence.
        run: tests the rule on a service that has answered Describe.
    """

    name: str
    rule: str
    run: Callable[[ServiceUnderTest], Awaitable[Finding]]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A finding with the name and the rule of its check, and the duration of the check."""

    check: str
    rule: str
    status: Status
    message: str
    seconds: float


def check(function: Callable[[ServiceUnderTest], Awaitable[Finding]]) -> Check:
    """Decorator that makes a check of a function: its name with hyphens, its docstring as the rule."""
    # The docstring is printed as the rule of the check, so code and output can't disagree.
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


def finding_of(faults: Sequence[str], otherwise: str, warnings: Sequence[str] = ()) -> Finding:
    """Failed if there are faults, else a warning if there are warnings, else passed with the message `otherwise`."""
    if faults:
        return failed("; ".join(faults))
    return warned("; ".join(warnings)) if warnings else passed(otherwise)


NONE_ANSWERED = "no declared condition has a complete answer: fix that first"

ConditionTest = Callable[[ServiceUnderTest, Condition], Awaitable[Finding]]
"""A test that sends requests in the given condition."""

Test = Callable[[ServiceUnderTest], Awaitable[Finding]]


def in_working_condition(test: ConditionTest) -> Test:
    """Runs the test in the first condition with a complete answer; skipped if there is none."""

    @wraps(test)
    async def run(service: ServiceUnderTest) -> Finding:
        condition = await service.working()
        return skipped(NONE_ANSWERED) if condition is None else await test(service, condition)

    return run


def after_single_call(test: ConditionTest) -> Test:
    """Like `in_working_condition`, after one more single call: if that fails, a failure under load proves nothing."""

    @wraps(test)
    async def run(service: ServiceUnderTest, condition: Condition) -> Finding:
        single = await service.answer_when_idle(condition)
        if not single.complete_stream:
            return skipped(f"a single call {single}: fix that first")
        return await test(service, condition)

    return in_working_condition(run)


def fault_in_refusal(reply: Reply, *reasons: Reason) -> str:
    """The fault of a refusal that must carry one of the reasons; empty if there is none."""
    wanted = " or ".join(reasons)
    if reply.fault is None:
        return f"{reply} instead of being refused: refuse it with {wanted}"
    # In this order: without the right domain the reason has no meaning.
    if reply.fault.domain != ERROR_DOMAIN:
        return f"{reply}: attach google.rpc.ErrorInfo of domain {ERROR_DOMAIN!r} and reason {wanted}"
    if not reply.fault.has(*reasons):
        return f"{reply}: use the reason {wanted}"
    return ""


async def refused(service: ServiceUnderTest, request: pb.GenerateRequest, *reasons: Reason) -> Finding:
    """Sends a request that must be refused with one of the reasons."""
    reply = await service.generate(request)
    if fault := fault_in_refusal(reply, *reasons):
        return failed(fault)
    assert reply.fault is not None
    return passed(f"{reply.fault.reason}: {reply.fault.message}")
