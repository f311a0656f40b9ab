"""Checks that need a service which works are skipped where it does not, and say why."""

from __future__ import annotations

from served_doubles import Double, Serve, reply

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_orchestrator.extras.conform.check import Status
from omnigap_orchestrator.extras.conform.suite import conform
from omnigap_services.adapter import Turn

NEEDS_ONE_ANSWER = {
    "own-digest-is-accepted",
    "foreign-digest-is-refused",
    "repeated-id-replays-the-answer",
    "simultaneous-duplicates-share-an-answer",
    "reused-id-is-refused",
    "deadlines-are-honoured",
}
UNDER_STRAIN = {"cancelled-calls-free-their-place", "overload-is-answered-or-busy"}


async def skipped(address: str, names: set[str]) -> dict[str, str]:
    """Why each of these checks was skipped."""
    found = await conform(address, only=sorted(names))
    return {result.check: result.message for result in found.results if result.status is Status.SKIPPED}


async def test_a_service_that_answers_nothing_is_not_put_under_strain(host: Serve) -> None:
    def fails(turn: Turn) -> None:
        raise ContractError(Reason.MODEL_ERROR, "broken")

    names = NEEDS_ONE_ANSWER | UNDER_STRAIN
    told = await skipped(await host(Double(fails)), names)
    assert set(told) == names
    assert set(told.values()) == {"no declared condition gave a whole answer: mend that first"}


async def test_a_service_that_works_once_is_not_put_under_strain(host: Serve) -> None:
    def answers_once(turn: Turn) -> None:
        if len(double.asked) > 1:
            raise ContractError(Reason.MODEL_ERROR, "worn out")
        reply(turn)

    double = Double(answers_once)
    told = await skipped(await host(double), UNDER_STRAIN)
    assert set(told) == UNDER_STRAIN
    assert all(why.startswith("a call alone") and "worn out" in why for why in told.values()), told
