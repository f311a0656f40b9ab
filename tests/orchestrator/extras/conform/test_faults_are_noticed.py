"""Each broken rule is noticed by its own check, and by no other; a service that keeps all rules passes."""

from __future__ import annotations

import broken_answers  # noqa: F401 - registers its services, as the next three do
import broken_refusals  # noqa: F401
import broken_strain  # noqa: F401
import odd_services  # noqa: F401
import pytest
from faults import DOUBTS, FAULTS
from honest_service import Honest

from omnigap_orchestrator.extras.conform.check import Status
from omnigap_orchestrator.extras.conform.suite import SUITE, Conformance, conform


async def examine(service: Honest) -> Conformance:
    address = await service.start()
    try:
        return await conform(address, timeout_s=service.patience_s)
    finally:
        await service.server.stop(None)


def named(found: Conformance, status: Status) -> dict[str, str]:
    return {result.check: result.message for result in found.results if result.status is status}


async def test_a_service_of_another_house_that_keeps_the_contract_passes_every_check() -> None:
    found = await examine(Honest())
    assert named(found, Status.FAILED) == {}
    assert named(found, Status.SKIPPED) == {}
    assert named(found, Status.WARNING) == {}
    assert [result.check for result in found.results] == [check.name for check in SUITE]
    assert found.conforms


@pytest.mark.parametrize(("service", "checks"), FAULTS, ids=[service.__name__ for service, _ in FAULTS])
async def test_a_fault_fails_its_check_and_no_other(service: type[Honest], checks: set[str]) -> None:
    found = await examine(service())
    failed = named(found, Status.FAILED)
    assert set(failed) == checks, failed
    assert not found.conforms


@pytest.mark.parametrize(("service", "check"), DOUBTS, ids=[service.__name__ for service, _ in DOUBTS])
async def test_what_is_odd_but_allowed_is_a_warning(service: type[Honest], check: str) -> None:
    found = await examine(service())
    assert set(named(found, Status.WARNING)) == {check}
    assert named(found, Status.FAILED) == {}
    assert found.conforms


def test_every_check_is_failed_by_some_broken_service_or_can_only_warn() -> None:
    noticed = {name for _, checks in FAULTS for name in checks} | {name for _, name in DOUBTS}
    assert noticed == {check.name for check in SUITE}


def test_every_check_has_a_name_of_its_own_and_tells_its_rule() -> None:
    assert len({check.name for check in SUITE}) == len(SUITE)
    assert all(check.asks.endswith(".") for check in SUITE)


async def test_without_an_answer_to_describe_one_check_fails_and_the_rest_is_skipped() -> None:
    service = Honest()
    address = await service.start()
    await service.server.stop(None)
    found = await conform(address, timeout_s=5)
    assert [result.status for result in found.results] == [Status.FAILED, *[Status.SKIPPED] * (len(SUITE) - 1)]
    assert "Describe ended with UNAVAILABLE" in found.results[0].message


async def test_single_checks_can_be_chosen() -> None:
    service = Honest()
    address = await service.start()
    started: list[str] = []
    found = await conform(address, only=["nan-audio-is-bad-media"], on_start=lambda check: started.append(check.name))
    await service.server.stop(None)
    assert [result.check for result in found.results] == started == ["nan-audio-is-bad-media"]
