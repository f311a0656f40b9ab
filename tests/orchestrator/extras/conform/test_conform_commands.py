"""`omnigap-orchestrate conform`: output and exit codes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from omnigap.v1 import model_service_pb2 as pb
from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.extras.conform.suite import SUITE
from tests.orchestrator.extras.conform.broken_refusals import AcceptsNanAudio
from tests.orchestrator.extras.conform.reference_service import ReferenceService

DOCS = Path(__file__).parents[4] / "docs" / "contract.md"


@pytest.fixture
async def serving() -> AsyncIterator[list[ReferenceService]]:
    """Services that the test appends; they are stopped at its end."""
    services: list[ReferenceService] = []
    yield services
    for service in services:
        await service.server.stop(None)


async def call(*arguments: str) -> Result:
    """Runs the command in a thread, while the service runs in the event loop of the test."""
    return await asyncio.to_thread(CliRunner().invoke, main, ["conform", *arguments])


async def test_conforming_service_exits_with_0_and_one_row_per_check(serving: list[ReferenceService]) -> None:
    serving.append(ReferenceService())
    result = await call(await serving[0].start())
    assert result.exit_code == 0, result.output
    rows = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("passed ")]
    assert rows == [check.name for check in SUITE]
    assert f"{len(SUITE)} passed, 0 warning, 0 failed, 0 skipped" in result.stdout


@pytest.mark.parametrize("random", [False, True])
async def test_random_weights_are_shown(serving: list[ReferenceService], random: bool) -> None:
    class Served(ReferenceService):
        def card(self) -> pb.DescribeResponse:
            card = super().card()
            card.random_weights = random
            return card

    serving.append(Served())
    address = await serving[0].start()
    for flag in ((), ("--json",)):
        result = await call(address, "--check", SUITE[0].name, *flag)
        assert ("random weights (--tiny)" in result.stdout or '"random_weights": true' in result.stdout) is random


async def test_failure_exits_with_1_and_prints_the_rule_and_the_observation(serving: list[ReferenceService]) -> None:
    serving.append(AcceptsNanAudio())
    result = await call(await serving[0].start(), "--check", "nan-audio-is-bad-media")
    assert result.exit_code == 1
    words = " ".join(result.stdout.split())
    (check,) = [check for check in SUITE if check.name == "nan-audio-is-bad-media"]
    assert f"rule: {check.rule}" in words
    assert "observed: answered instead of being refused" in words
    assert "0 passed, 0 warning, 1 failed, 0 skipped" in words


async def test_json_has_every_check_with_its_rule_and_finding(serving: list[ReferenceService]) -> None:
    serving.append(AcceptsNanAudio())
    address = await serving[0].start()
    names = ("nan-audio-is-bad-media", "empty-audio-is-bad-media")
    result = await call(address, "--json", *(word for name in names for word in ("--check", name)))
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["address"], found["name"], found["conforms"]) == (address, "reference", False)
    assert {row["check"]: row["status"] for row in found["checks"]} == dict(
        zip(names, ("failed", "passed"), strict=True)
    )
    assert all(row["rule"] and row["message"] for row in found["checks"])


@pytest.mark.parametrize("address", ["localhost", "http://localhost:50051", "50051", ":50051"])
async def test_address_without_host_or_port_is_a_usage_error(address: str) -> None:
    result = await call(address)
    assert result.exit_code == 2
    assert "HOST:PORT" in result.stderr


async def test_unknown_check_is_a_usage_error_that_lists_the_checks() -> None:
    result = await call("localhost:1", "--check", "unknown-check")
    assert result.exit_code == 2
    assert "'unknown-check'" in result.stderr
    assert SUITE[0].name in result.stderr


def test_documentation_lists_every_check() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert [check.name for check in SUITE if check.name not in text] == []


async def test_invalid_proxy_is_a_usage_error() -> None:
    result = await call("model.example:1", "--proxy", "proxy:3128")
    assert result.exit_code == 2
    assert "http://HOST:PORT" in result.stderr
