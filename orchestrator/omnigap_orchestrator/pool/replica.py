"""State of one replica of a service."""

from __future__ import annotations

from dataclasses import dataclass

from omnigap.client import GenerateClient


@dataclass(slots=True)
class Replica:
    """State of one replica; only its pool changes it.

    Attributes:
        limit: maximum number of calls in flight, from `max_concurrent` of its card.
        up: False while it is ejected.
        exclusive: True while a call that may have crashed a replica runs here on its own.
        consecutive_failures: failed calls of different cells since the last success.
        ejections: number of ejections because of consecutive failures.
    """

    endpoint: GenerateClient
    limit: int
    up: bool = True
    exclusive: bool = False
    in_flight: int = 0
    consecutive_failures: int = 0
    ejections: int = 0

    def has_room(self, exclusive: bool) -> bool:
        """Whether another call may start here; an exclusive one needs an idle replica."""
        if not self.up or self.exclusive:
            return False
        return self.in_flight == 0 if exclusive else self.in_flight < self.limit
