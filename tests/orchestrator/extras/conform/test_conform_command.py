"""`omnigap-orchestrate conform`: what it prints, and how it exits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from broken_refusals import HearsNan
from click.testing import CliRunner, Result
from honest_service import Honest

from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.extras.conform.suite import SUITE

DOCS = Path(__file__).parents[4] / "docs" / "contract.md"


@pytest.fixture
async def serving() -> AsyncIterator[list[Honest]]:
    """Services that the test appends are stopped at its end."""
    services: list[Honest] = []
    yield services
    for service in services:
        await service.server.stop(None)


async def call(*arguments: str) -> Result:
    """The command in a thread of its own, while the service runs on this test's loop."""
    return await asyncio.to_thread(CliRunner().invoke, main, ["conform", *arguments])


async def test_a_service_that_conforms_exits_with_0_and_a_row_for_each_check(serving: list[Honest]) -> None:
    serving.append(Honest())
    result = await call(await serving[0].start())
    assert result.exit_code == 0, result.output
    rows = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("passed ")]
    assert rows == [check.name for check in SUITE]
    assert f"It conforms: {len(SUITE)} passed, 0 warning, 0 failed, 0 skipped" in result.stdout


async def test_a_failure_exits_with_1_and_says_the_rule_and_what_was_seen(serving: list[Honest]) -> None:
    serving.append(HearsNan())
    result = await call(await serving[0].start(), "--check", "nan-audio-is-bad-media")
    assert result.exit_code == 1
    words = " ".join(result.stdout.split())
    assert "asked: A 32-bit float WAV with a NaN sample is refused with BAD_MEDIA." in words
    assert "seen: answered instead of being refused: refuse it with BAD_MEDIA" in words
    assert "It does not conform: 0 passed, 0 warning, 1 failed, 0 skipped" in words


async def test_json_holds_every_check_with_its_rule_and_finding(serving: list[Honest]) -> None:
    serving.append(HearsNan())
    address = await serving[0].start()
    names = ("nan-audio-is-bad-media", "empty-audio-is-bad-media")
    result = await call(address, "--json", *(word for name in names for word in ("--check", name)))
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["address"], found["name"], found["conforms"]) == (address, "honest", False)
    assert {row["check"]: row["status"] for row in found["checks"]} == dict(
        zip(names, ("failed", "passed"), strict=True)
    )
    assert all(row["asks"] and row["message"] for row in found["checks"])


@pytest.mark.parametrize("address", ["localhost", "http://localhost:50051", "50051", ":50051"])
async def test_an_address_without_host_or_port_is_a_usage_error(address: str) -> None:
    result = await call(address)
    assert result.exit_code == 2
    assert "HOST:PORT" in result.stderr


async def test_an_unknown_check_is_named_with_those_that_exist() -> None:
    result = await call("localhost:1", "--check", "be-nice")
    assert result.exit_code == 2
    assert "'be-nice'" in result.stderr
    assert SUITE[0].name in result.stderr


def test_the_documentation_tells_the_rule_of_every_check() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert [check.name for check in SUITE if check.name not in text] == []


async def test_a_proxy_that_cannot_be_used_is_a_usage_error() -> None:
    result = await call("model.example:1", "--proxy", "proxy:3128")
    assert result.exit_code == 2
    assert "http://HOST:PORT" in result.stderr
