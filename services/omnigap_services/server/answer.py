"""One answer on the event loop: its events as they come, for every caller that joined it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb

# What one kept event costs beside its payload, for the memory bound of replays.
_EVENT_OVERHEAD_BYTES = 512


class Answer:
    """A log of events that any number of callers follow from its beginning.

    It belongs to the event loop; from other threads only `gone` may be read. It is ended exactly once, with an error or
    without; the last caller that leaves before that abandons it.
    """

    __slots__ = ("_callers", "_deadline", "_on_end", "_waiters", "created", "ended", "error", "events", "gone_away")

    def __init__(self, on_end: Callable[[Answer], None]) -> None:
        self._on_end = on_end
        self.created = time.monotonic()
        self.events: list[pb.GenerateResponse] = []
        self.error: ContractError | None = None
        self.ended = False
        self.gone_away = False
        self._callers = 0
        # None until the first caller joins: a worker may have the answer in hand before that.
        self._deadline: float | None = None
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def expired(self) -> bool:
        """True once the most patient caller's deadline passed."""
        return self._deadline is not None and time.monotonic() > self._deadline

    @property
    def gone(self) -> bool:
        """True once nobody waits for this answer any more. May be read from any thread."""
        return self.gone_away or self.expired

    @property
    def size(self) -> int:
        """Bytes that keeping this answer takes, about."""
        return sum(event.ByteSize() + _EVENT_OVERHEAD_BYTES for event in self.events)

    def join(self, seconds: float | None) -> None:
        """Adds a caller who waits at most so many seconds; None waits for ever."""
        self._callers += 1
        deadline = math.inf if seconds is None else time.monotonic() + seconds
        self._deadline = deadline if self._deadline is None else max(self._deadline, deadline)

    def leave(self) -> bool:
        """Removes a caller; True where it was the last one of an answer that still runs."""
        self._callers -= 1
        if self._callers or self.ended:
            return False
        self.gone_away = True
        return True

    def push(self, event: pb.GenerateResponse) -> None:
        self.events.append(event)
        self._wake()

    def end(self, error: ContractError | None = None) -> None:
        """Ends the log; later ends are ignored."""
        if self.ended:
            return
        self.error = error
        self.ended = True
        self._on_end(self)
        self._wake()

    async def follow(self) -> AsyncIterator[pb.GenerateResponse]:
        """Every event from the first on, as it comes.

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
