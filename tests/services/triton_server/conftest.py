"""The adapter behind the project's gRPC server, in front of a real Triton server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from omnigap_services.triton_server.adapter import TritonAdapter
from tests.helpers.in_process import Host
from tests.helpers.serve_process import Served
from tests.services.triton_server.triton_env import NoTritonError
from tests.services.triton_server.triton_process import Triton

# The first test that needs Triton may have to install it.
_PATIENCE_S = 1_200


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(_PATIENCE_S))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Skips tests in which Triton itself crashed: 2.51 does so now and then when streams are cancelled."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    server = getattr(item, "funcargs", {}).get("triton")
    if report.failed and isinstance(server, Triton) and (crash := server.crash()):
        report.outcome = "skipped"
        report.longrepr = (
            str(item.path),
            (item.location[1] or 0) + 1,
            f"Skipped: NOT CHECKED: Triton crashed: {crash}",
        )


@pytest.fixture(scope="session")
def tritons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Triton]]:
    """The server of all tests that do not break it, with all models; replaced after a crash."""
    started: list[Triton] = []

    def running() -> Triton:
        if not started or started[-1].crash():
            started.append(_start(tmp_path_factory.mktemp("triton"), "omni", "stream", "files", "whisper"))
        return started[-1]

    yield running
    for server in started:
        server.kill()


@pytest.fixture
def triton(tritons: Callable[[], Triton]) -> Triton:
    """A running server with all models."""
    return tritons()


@pytest.fixture
def own_triton(tmp_path: Path) -> Iterator[Triton]:
    """A separate server that the test may break."""
    server = _start(tmp_path, "omni", "stream")
    yield server
    server.kill()


@pytest.fixture
def on_triton(host_adapter: Host) -> Callable[..., Served]:
    """Starts the service in front of a Triton server, with the options of one model and further ones."""

    def start(triton: Triton, options: dict[str, Any], **more: Any) -> Served:
        return host_adapter(TritonAdapter({"url": triton.url, "max_retries": 0, **options, **more}))

    return start


def _start(folder: Path, *models: str) -> Triton:
    try:
        return Triton.start(folder, models)
    except NoTritonError as error:
        pytest.skip(f"NOT CHECKED against a real Triton server: {error}")
