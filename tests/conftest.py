"""Servers in the event loop of a test, the flag `--fast`, which leaves out slow tests, and the end of all processes."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from xdist.scheduler import LoadFileScheduling

from omnigap_services.adapter import Adapter
from omnigap_services.server import Server, ServerOptions
from tests.helpers.leftovers import leftovers, mark_run, name_of
from tests.helpers.real_weights import real_weights
from tests.helpers.served_doubles import Serve, ServeWire, Wire

__all__ = ["host", "host_wire", "real_weights"]

TESTS = Path(__file__).parent
NOT_FAST = (
    "chaos",
    "compose",
    "e2e",
    "services/anygpt",
    "services/asr/test_multilingual_checkpoint.py",
    "services/hf",
    "services/qwen_omni",
    "services/torch_utils",
    "services/triton_server",
)
"""Tests that need containers, PyTorch or Triton, or run the shipped services from end to end."""
HEAVY = frozenset({"torch", "transformers", "tritonclient", "playwright"})
_NEEDS = re.compile(rf"^\s*(?:from|import) ({'|'.join(HEAVY)})\b|importorskip\(\"({'|'.join(HEAVY)})\b", re.MULTILINE)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fast",
        action="store_true",
        help="Leave out tests with containers, a browser, PyTorch, Triton or real weights.",
    )
    parser.addoption("--images", action="store_true", help="Also run the container tests that build large images.")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if not config.getoption("--fast"):
        return None
    if TESTS in collection_path.parents and collection_path.relative_to(TESTS).as_posix() in NOT_FAST:
        return True
    if collection_path.suffix != ".py":
        return None
    return True if _NEEDS.search(collection_path.read_text(encoding="utf-8")) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--fast"):
        left_out = [item for item in items if any(map(item.get_closest_marker, ("browser", "compose", "real_weights")))]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


class _ByFile(LoadFileScheduling):
    """One worker for each file, and one for all container tests: two workers would wait for each other's containers."""

    def _split_scope(self, nodeid: str) -> str:
        return _ENGINE if nodeid.startswith(_ENGINE) else super()._split_scope(nodeid)


_ENGINE = "tests/compose/"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling | None:
    return _ByFile(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_configure() -> None:
    mark_run()


# Last: the runner ends fixtures of the session, and xdist its workers, in hooks of the same name.
@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    # A worker of xdist can't tell its own processes from those of the other workers; the controller checks all.
    if not hasattr(session.config, "workerinput") and (left := leftovers(patience_s=10)):
        names = "\n  ".join(map(name_of, left))
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        pytest.exit(f"processes outlived the tests that started them (killed now):\n  {names}", 1)
    # A new test that imports one of these must be listed in NOT_FAST; otherwise `--fast` becomes slow unnoticed.
    if session.config.getoption("--fast") and (found := HEAVY & sys.modules.keys()):
        pytest.exit(f"--fast imported {', '.join(sorted(found))}: add the test to NOT_FAST in {__file__}", 1)


@pytest.fixture
async def host() -> AsyncIterator[Serve]:
    """Serves an adapter with the server of the project; returns its address."""
    servers: list[Server] = []

    async def start(adapter: Adapter) -> str:
        server = Server(adapter, ServerOptions(drain_seconds=0))
        servers.append(server)
        await server.start()
        return server.address

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
async def host_wire() -> AsyncIterator[ServeWire]:
    """Serves a double in plain gRPC, without the server of the project; returns its address."""
    wires: list[Wire] = []

    async def start(wire: Wire) -> str:
        wires.append(wire)
        await wire.start()
        return wire.address

    yield start
    for wire in wires:
        await wire.stop()
