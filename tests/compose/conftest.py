"""Skips what has no Docker here, and says so loudly where the session ends."""

from __future__ import annotations

import pytest
from compose_project import missing_cli, missing_engine

_SKIPPED: dict[str, str] = {}


@pytest.fixture(autouse=True)
def _docker_or_loud_skip(request: pytest.FixtureRequest) -> None:
    """For the markers `compose` (an engine) and `compose_cli` (the command alone, as a fixture of its own)."""
    if request.node.get_closest_marker("compose") and (reason := missing_engine()):
        skip_loudly(request, reason)


@pytest.fixture
def compose_cli(request: pytest.FixtureRequest) -> None:
    """The Compose plugin; no engine is needed."""
    if reason := missing_cli():
        skip_loudly(request, reason)


def skip_loudly(request: pytest.FixtureRequest, reason: str) -> None:
    """Skips the test, and has it said once more where the session ends."""
    _SKIPPED[request.node.nodeid] = reason
    pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Shouts: a skipped container test is easily taken for a passed one."""
    if not _SKIPPED:
        return
    terminalreporter.section("CONTAINER TESTS DID NOT RUN", sep="!", red=True, bold=True)
    for reason in sorted(set(_SKIPPED.values())):
        count = sum(reason == other for other in _SKIPPED.values())
        terminalreporter.line(f"{count} skipped: {reason}")
    terminalreporter.line("Start a Docker engine with the Compose plugin and run: pytest tests/compose")
