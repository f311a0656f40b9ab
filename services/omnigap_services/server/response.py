"""The log of one answer's events, as they are sent, on the event loop; any number of callers follow it."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections.abc import AsyncIterator, Callable

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason

Result = pb.Complete | ContractError
"""How an answer ends."""

# Memory of one event beyond its bytes object: its place in the list, which has spare room while it grows.
_EVENT_BYTES = 16


class ResponseLog:
    """The events of one answer, kept from the first, so that a caller who joins late gets all of them.

    It belongs to the event loop; other threads may only read `abandoned`. It ends exactly once, with or without an
    error. If the last caller leaves before that, the answer is abandoned.

    Attributes:
        events: serialised GenerateResponse messages. A message object takes about a kilobyte, and an answer may have
            thousands of tiny ones.
        size: memory of the events, in bytes.
    """

    __slots__ = (
        *("_deadline", "_on_end", "_waiters", "callers", "callers_left", "created", "ended", "error", "events"),
        "size",
    )

    def __init__(self, on_end: Callable[[ResponseLog, Result], None]) -> None:
        self._on_end = on_end
        self.created = time.monotonic()
        self.events: list[bytes] = []
        self.size = 0
        self.error: ContractError | None = None
        self.ended = False
        self.callers_left = False
        self.callers = 0
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

    def abandonment(self) -> ContractError:
        """The error of an abandoned answer. A caller whose deadline has just passed may still receive it."""
        if self.callers_left:
            return ContractError(Reason.CANCELLED, "the caller went away before the answer was complete")
        waited = time.monotonic() - self.created
        text = f"the call's deadline passed after {waited:.1f} s: set a longer one, or send fewer calls at once"
        return ContractError(Reason.DEADLINE_EXCEEDED, text)

    def join(self, seconds: float | None) -> None:
        """Adds a caller with a deadline in `seconds`; None: without a deadline."""
        self.callers += 1
        deadline = math.inf if seconds is None else time.monotonic() + seconds
        # The latest deadline counts: a caller with a short one must not end the answer for the others.
        self._deadline = deadline if self._deadline is None else max(self._deadline, deadline)

    def leave(self) -> bool:
        """Removes a caller; True if it was the last one of an unfinished answer."""
        self.callers -= 1
        if self.callers or self.ended:
            return False
        self.callers_left = True
        return True

    def push(self, event: bytes) -> None:
        """Adds a serialised event, unless the log has ended."""
        if not self.ended:
            self._add(event)
            self._wake()

    def end(self, result: Result) -> None:
        """Ends the log; later calls are ignored, since a drain may end a log that the worker still writes to."""
        if self.ended:
            return
        if isinstance(result, ContractError):
            self.error = result
        else:
            self._add(pb.GenerateResponse(complete=result).SerializeToString())
        self.ended = True
        self._on_end(self, result)
        self._wake()

    async def follow(self) -> AsyncIterator[bytes]:
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

    def _add(self, event: bytes) -> None:
        self.events.append(event)
        self.size += sys.getsizeof(event) + _EVENT_BYTES

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()
