"""The service keeps the contract in front of a real Triton."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
from served import Served
from triton_env import EXAMPLE
from triton_options import FILES, OMNI, STREAM
from triton_process import Triton

from omnigap_orchestrator.extras.conform.check import Status
from omnigap_orchestrator.extras.conform.suite import conform

# It speaks where it hears: it gives the clip back.
PARROT = {**FILES, "conditions": ["t2t", "s2t", "i2t", "s2s"]}


@pytest.mark.parametrize(("options", "all_six"), [(OMNI, True), (STREAM, False), (PARROT, False)])
def test_a_model_on_triton_conforms(
    triton: Triton, on_triton: Callable[..., Served], options: dict[str, Any], all_six: bool
) -> None:
    # A short queue, so that a short load is an overload.
    service = on_triton(triton, options, max_queue=4)
    found = asyncio.run(conform(service.address))
    told = {status: {r.check: r.message for r in found.results if r.status is status} for status in Status}
    assert told[Status.FAILED] == {}
    assert told[Status.WARNING] == {}
    assert ("undeclared-conditions-are-refused" in told[Status.SKIPPED]) == all_six


def test_the_scorer_on_triton_conforms(triton: Triton, on_triton: Callable[..., Served]) -> None:
    options = tomllib.loads((EXAMPLE / "asr.toml").read_text(encoding="utf-8"))
    service = on_triton(triton, {**options, "url": triton.url, "concurrency": 2, "max_queue": 2})
    found = asyncio.run(conform(service.address))
    assert [result for result in found.results if result.status is Status.FAILED] == []
    # What it hears in the suite's noise is its own affair, and may be nothing; how long it takes is the machine's.
    warned = {result.check for result in found.results if result.status is Status.WARNING}
    assert warned <= {"declared-conditions-answer", "deadlines-are-honoured", "cancelled-calls-free-their-slot"}
