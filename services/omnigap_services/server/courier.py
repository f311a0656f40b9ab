"""From worker threads to the event loop: many events, few wake-ups."""

from __future__ import annotations

import asyncio
from collections import deque

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap_services.server.answer import Answer

Event = pb.GenerateResponse | ContractError
"""A response to pass on; `complete` or an error ends the answer."""


class Courier:
    """Hands events of any thread to their answers, in order, on the loop that made it.

    `call_soon_threadsafe` writes to a pipe every time. One pending wake-up serves all that is posted until it runs.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._posted: deque[tuple[Answer, Event]] = deque()
        self._scheduled = False

    def post(self, answer: Answer, event: Event) -> None:
        """May be called from any thread; once the loop is closed, nobody waits and the event is dropped."""
        self._posted.append((answer, event))
        if not self._scheduled:
            self._scheduled = True
            try:
                self._loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:
                self._posted.clear()

    def _deliver(self) -> None:
        # Cleared first: what is posted from here on either is still seen below or schedules another round.
        self._scheduled = False
        for _ in range(len(self._posted)):
            answer, event = self._posted.popleft()
            if isinstance(event, ContractError):
                answer.end(event)
                continue
            answer.push(event)
            if event.HasField("complete"):
                answer.end()
