"""An event loop in its own thread, on which synchronous code runs coroutines and can cancel them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import wait
from typing import Any, TypeVar

# How often a waiting thread checks whether its caller has gone away.
_POLL_S = 0.02
_CLOSE_PATIENCE_S = 10.0

ResultT = TypeVar("ResultT")

Gone = Callable[[], bool]
"""Returns True once the caller of an answer has gone away."""


class LoopThread:
    """Runs coroutines for any number of threads."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        # A daemon: a call that never returns must not keep the process alive.
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, call: Coroutine[Any, Any, ResultT], gone: Gone = lambda: False) -> ResultT:
        """The call's result, or the exception that it raised. The call is cancelled once `gone` is true.

        Raises:
            concurrent.futures.CancelledError: after it was cancelled.
        """
        future = asyncio.run_coroutine_threadsafe(call, self._loop)
        # Polled: `gone` is a deadline or a flag of another thread, and neither can wake this one.
        while not wait([future], timeout=_POLL_S).done:
            if gone():
                future.cancel()
        return future.result()

    def close(self) -> None:
        """Cancels the coroutines that still run, and stops the loop once they have ended."""
        wait([asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop)], timeout=_CLOSE_PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSE_PATIENCE_S)
        # A loop cannot be closed while it runs; then it ends with the process.
        if not self._thread.is_alive():
            self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
