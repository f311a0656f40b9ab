"""Checks that need a working service are skipped otherwise, with the reason."""

from __future__ import annotations

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_orchestrator.extras.conform.check import NONE_ANSWERED, Status
from omnigap_orchestrator.extras.conform.suite import conform
from omnigap_services.adapter import Turn
from tests.helpers.served_doubles import Double, Serve, reply

NEEDS_ONE_ANSWER = {
    "own-digest-is-accepted",
    "other-digest-is-refused",
    "repeated-id-replays-the-answer",
    "simultaneous-duplicates-share-an-answer",
    "reused-id-is-refused",
    "deadlines-are-honoured",
}
UNDER_LOAD = {"cancelled-calls-free-their-slot", "overload-is-answered-or-busy"}


async def skipped(address: str, names: set[str]) -> dict[str, str]:
    """Why each of these checks was skipped."""
    found = await conform(address, only=sorted(names))
    return {result.check: result.message for result in found.results if result.status is Status.SKIPPED}


async def test_service_without_answers_is_not_put_under_load(host: Serve) -> None:
    def fails(turn: Turn) -> None:
        raise ContractError(Reason.MODEL_ERROR, "broken")

    names = NEEDS_ONE_ANSWER | UNDER_LOAD
    reasons = await skipped(await host(Double(fails)), names)
    assert set(reasons) == names
    assert set(reasons.values()) == {NONE_ANSWERED}


async def test_service_that_answers_once_is_not_put_under_load(host: Serve) -> None:
    def answers_once(turn: Turn) -> None:
        if len(double.asked) > 1:
            raise ContractError(Reason.MODEL_ERROR, "worn out")
        reply(turn)

    double = Double(answers_once)
    reasons = await skipped(await host(double), UNDER_LOAD)
    assert set(reasons) == UNDER_LOAD
    assert all("worn out" in reason for reason in reasons.values()), reasons
