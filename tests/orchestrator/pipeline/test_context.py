"""Helpers of a command on a run."""

from __future__ import annotations

import asyncio
import threading

import pytest

from omnigap_orchestrator.pipeline.context import in_thread
from tests.helpers.served_doubles import PATIENCE_S


async def test_in_thread_waits_for_its_thread_when_cancelled() -> None:
    began, release, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        assert release.wait(PATIENCE_S)
        ended.set()

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(began.wait, PATIENCE_S)
    task.cancel()
    asyncio.get_running_loop().call_later(0.05, release.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
