"""Skips tests that need Docker if it is missing, with a summary at the end of the session."""

from __future__ import annotations

import pytest

from tests.compose.compose_project import missing_cli, missing_engine

_SKIPPED: dict[str, str] = {}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips before any fixture builds an image."""
    if item.get_closest_marker("compose") and (reason := missing_engine()):
        _skip(item, reason)
    if item.get_closest_marker("images") and not item.config.getoption("--images"):
        pytest.skip("NOT RUN: builds large images: make test-images")


@pytest.fixture
def compose_cli(request: pytest.FixtureRequest) -> None:
    """Requires the Compose plugin, but no engine."""
    if reason := missing_cli():
        _skip(request.node, reason)


def _skip(item: pytest.Item, reason: str) -> None:
    _SKIPPED[item.nodeid] = reason
    pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints a warning: skipped container tests are easily taken for passed ones."""
    if not _SKIPPED:
        return
    terminalreporter.section("CONTAINER TESTS DID NOT RUN", sep="!", red=True, bold=True)
    for reason in sorted(set(_SKIPPED.values())):
        count = sum(reason == other for other in _SKIPPED.values())
        terminalreporter.line(f"{count} skipped: {reason}")
    terminalreporter.line("Start a Docker engine with the Compose plugin and run: pytest tests/compose")
