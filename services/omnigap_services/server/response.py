"""The log of one answer's events on the event loop, which any number of callers follow."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb

# Approximate memory of one kept event without its payload, for the memory limit of the replay cache.
_EVENT_OVERHEAD_BYTES = 512


class ResponseLog:
    """The events of one answer, kept from the first, so that a caller who joins late gets all of them.

    It belongs to the event loop; other threads may only read `abandoned`. It ends exactly once, with or without an
    error. If the last caller leaves before that, the answer is abandoned.
    """

    __slots__ = ("_callers", "_deadline", "_on_end", "_waiters", "callers_left", "created", "ended", "error", "events")

    def __init__(self, on_end: Callable[[ResponseLog], None]) -> None:
        self._on_end = on_end
        self.created = time.monotonic()
        self.events: list[pb.GenerateResponse] = []
        self.error: ContractError | None = None
        self.ended = False
        self.callers_left = False
        self._callers = 0
        # None until the first caller joins. The worker thread may take the answer before that and must not find it
        # expired.
        self._deadline: float | None = None
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def expired(self) -> bool:
        """True once the latest deadline of all callers has passed."""
        return self._deadline is not None and time.monotonic() > self._deadline

    @property
    def abandoned(self) -> bool:
        """True once no caller waits for this answer. May be read from any thread."""
        return self.callers_left or self.expired

    @property
    def size(self) -> int:
        """Approximate memory of the events, in bytes."""
        return sum(event.ByteSize() + _EVENT_OVERHEAD_BYTES for event in self.events)

    def join(self, seconds: float | None) -> None:
        """Adds a caller with a deadline in `seconds`; None: without a deadline."""
        self._callers += 1
        deadline = math.inf if seconds is None else time.monotonic() + seconds
        # The latest deadline counts: a caller with a short one must not end the answer for the others.
        self._deadline = deadline if self._deadline is None else max(self._deadline, deadline)

    def leave(self) -> bool:
        """Removes a caller; True if it was the last one of an unfinished answer."""
        self._callers -= 1
        if self._callers or self.ended:
            return False
        self.callers_left = True
        return True

    def push(self, event: pb.GenerateResponse) -> None:
        self.events.append(event)
        self._wake()

    def end(self, error: ContractError | None = None) -> None:
        """Ends the log; later calls are ignored, since a drain may end a log that the worker still writes to."""
        if self.ended:
            return
        self.error = error
        self.ended = True
        self._on_end(self)
        self._wake()

    async def follow(self) -> AsyncIterator[pb.GenerateResponse]:
        """Yields every event from the first on, as it arrives.

        Raises:
            ContractError: the error that the answer ended with.
        """
        position = 0
        while True:
            while position < len(self.events):
                yield self.events[position]
                position += 1
            if self.ended:
                break
            # One future per wait instead of an asyncio.Condition: there is no lock to take, and a follower that is
            # cancelled leaves only a done future behind, which `_wake` drops.
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        if self.error is not None:
            raise self.error

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()
