"""Notes about services that a command waits for: after 30 s without an answer, then at growing intervals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from omnigap_orchestrator.pool import Service

FIRST_NOTE_S = 30.0
"""Seconds without an answer until the first note."""
# A slow service is silent for as long as its answers take; only more than that is worth a note.
_SLOWEST_FACTOR = 2.0
_LONGEST_INTERVAL_S = 600.0


class WaitNotes:
    """Watches the services of a command and notes those that do not answer, also if progress is not shown."""

    def __init__(
        self, services: Sequence[Service], note: Callable[[str], None], first_note_s: float = FIRST_NOTE_S
    ) -> None:
        """
        Args:
            services: read at every look, so services may be added.
        """
        self._services = services
        self._note = note
        self._first_note_s = first_note_s
        # Silence, in seconds, at which each silent service is noted next.
        self._next: dict[str, float] = {}

    async def run(self) -> None:
        """Looks at the services until it is cancelled."""
        while True:
            await asyncio.sleep(self._first_note_s / 10)
            self.look()

    def look(self) -> None:
        """Notes the services that have been silent for long enough."""
        due = []
        for service in self._services:
            pool = service.pool
            silent_s, name = pool.silent_s, service.name
            first = max(self._first_note_s, _SLOWEST_FACTOR * pool.slowest_s)
            if silent_s < first:
                # It answered: the next silence is noted from its beginning.
                self._next.pop(name, None)
            elif silent_s >= self._next.get(name, first):
                self._next[name] = silent_s + min(silent_s, _LONGEST_INTERVAL_S)
                calls = f"{pool.in_flight} calls in flight, {pool.waiting} waiting"
                due.append(f"{name} has not answered for {silent_s:.0f} s ({calls})")
        if due:
            self._note(f"no progress: {'; '.join(due)}")
