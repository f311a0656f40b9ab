"""The service follows the contract in front of a real Triton."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Callable
from typing import Any

import pytest

from omnigap_orchestrator.extras.conform.check import Status
from omnigap_orchestrator.extras.conform.suite import conform
from tests.helpers.serve_process import Served
from tests.services.triton_server.triton_env import EXAMPLE
from tests.services.triton_server.triton_options import FILES, OMNI, STREAM
from tests.services.triton_server.triton_process import Triton

# It answers speech with the same clip.
ECHO = {**FILES, "conditions": ["t2t", "s2t", "i2t", "s2s"]}


@pytest.mark.parametrize(("options", "all_six"), [(OMNI, True), (STREAM, False), (ECHO, False)])
def test_a_model_on_triton_conforms(
    triton: Triton, on_triton: Callable[..., Served], options: dict[str, Any], all_six: bool
) -> None:
    # A short queue, so that a short load is an overload.
    service = on_triton(triton, options, max_queue=4)
    found = asyncio.run(conform(service.address))
    found_by_status = {status: {r.check: r.message for r in found.results if r.status is status} for status in Status}
    assert found_by_status[Status.FAILED] == {}
    assert found_by_status[Status.WARNING] == {}
    assert ("undeclared-conditions-are-refused" in found_by_status[Status.SKIPPED]) == all_six


def test_the_scorer_on_triton_conforms(triton: Triton, on_triton: Callable[..., Served]) -> None:
    options = tomllib.loads((EXAMPLE / "asr.toml").read_text(encoding="utf-8"))
    service = on_triton(triton, {**options, "url": triton.url, "concurrency": 2, "max_queue": 2})
    found = asyncio.run(conform(service.address))
    assert [result for result in found.results if result.status is Status.FAILED] == []
    # Its transcript of the suite's noise may be empty, and its speed depends on the machine.
    warned = {result.check for result in found.results if result.status is Status.WARNING}
    assert warned <= {"declared-conditions-answer", "deadlines-are-honoured", "cancelled-calls-free-their-slot"}
