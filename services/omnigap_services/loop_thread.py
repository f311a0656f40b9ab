"""An event loop in a thread of its own, whose calls other threads wait for and can take back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import wait
from typing import Any, TypeVar

_POLL_S = 0.02
_PATIENCE_S = 10.0

ResultT = TypeVar("ResultT")

Gone = Callable[[], bool]
"""True once nobody waits for an answer."""


class LoopThread:
    """Runs coroutines for any number of threads."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, call: Coroutine[Any, Any, ResultT], gone: Gone = lambda: False) -> ResultT:
        """The call's result, or what it raised; once `gone` is true it is cancelled.

        Raises:
            concurrent.futures.CancelledError: after it was cancelled.
        """
        future = asyncio.run_coroutine_threadsafe(call, self._loop)
        while not wait([future], timeout=_POLL_S).done:
            if gone():
                future.cancel()
        return future.result()

    def close(self) -> None:
        """Ends the loop; what still runs is left where it is."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_S)
        if not self._thread.is_alive():
            self._loop.close()
