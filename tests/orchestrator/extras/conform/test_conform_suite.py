"""Each broken service fails its own checks and no others; the reference service passes all checks."""

from __future__ import annotations

import pytest

from omnigap_orchestrator.extras.conform.check import Status
from omnigap_orchestrator.extras.conform.suite import SUITE, Conformance, conform
from tests.orchestrator.extras.conform import (  # noqa: F401 - each registers its services
    broken_answers,
    broken_refusals,
    broken_under_load,
    unusual_services,
)
from tests.orchestrator.extras.conform.faults import FAULTS, WARNINGS
from tests.orchestrator.extras.conform.reference_service import ReferenceService


async def run_suite(service: ReferenceService) -> Conformance:
    address = await service.start()
    try:
        return await conform(address, timeout_s=service.patience_s)
    finally:
        await service.server.stop(None)


def named(found: Conformance, status: Status) -> dict[str, str]:
    return {result.check: result.message for result in found.results if result.status is status}


async def test_reference_service_passes_every_check() -> None:
    found = await run_suite(ReferenceService())
    assert named(found, Status.FAILED) == {}
    assert named(found, Status.SKIPPED) == {}
    assert named(found, Status.WARNING) == {}
    assert [result.check for result in found.results] == [check.name for check in SUITE]
    assert found.conforms


@pytest.mark.parametrize(("service", "checks"), FAULTS, ids=[service.__name__ for service, _ in FAULTS])
async def test_broken_service_fails_its_checks_and_no_other(service: type[ReferenceService], checks: set[str]) -> None:
    found = await run_suite(service())
    failed = named(found, Status.FAILED)
    assert set(failed) == checks, failed
    assert not found.conforms


@pytest.mark.parametrize(("service", "check"), WARNINGS, ids=[service.__name__ for service, _ in WARNINGS])
async def test_unusual_but_allowed_service_gets_a_warning(service: type[ReferenceService], check: str) -> None:
    found = await run_suite(service())
    assert set(named(found, Status.WARNING)) == {check}
    assert named(found, Status.FAILED) == {}
    assert found.conforms


def test_every_check_fails_or_warns_for_some_broken_service() -> None:
    covered = {name for _, checks in FAULTS for name in checks} | {name for _, name in WARNINGS}
    assert covered == {check.name for check in SUITE}


def test_every_check_has_a_unique_name_and_a_rule() -> None:
    assert len({check.name for check in SUITE}) == len(SUITE)
    assert all(check.rule.endswith(".") for check in SUITE)


async def test_unreachable_service_fails_one_check_and_skips_the_rest() -> None:
    service = ReferenceService()
    address = await service.start()
    await service.server.stop(None)
    found = await conform(address, timeout_s=5)
    assert [result.status for result in found.results] == [Status.FAILED, *[Status.SKIPPED] * (len(SUITE) - 1)]
    assert "UNAVAILABLE" in found.results[0].message


async def test_single_checks_can_be_selected() -> None:
    service = ReferenceService()
    address = await service.start()
    started: list[str] = []
    found = await conform(address, only=["nan-audio-is-bad-media"], on_start=lambda check: started.append(check.name))
    await service.server.stop(None)
    assert [result.check for result in found.results] == started == ["nan-audio-is-bad-media"]
