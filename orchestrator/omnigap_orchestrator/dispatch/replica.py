"""One replica as the pool sees it: up or out, and how many calls are in flight."""

from __future__ import annotations

from dataclasses import dataclass

from omnigap.client import GenerateClient


@dataclass(slots=True)
class Replica:
    """Mutable state of one replica; the pool alone changes it.

    Attributes:
        limit: calls in flight beyond which more give no more throughput.
        up: False while it is taken out.
        alone: True while a suspect call has it to itself.
        strikes: calls in a row, of different cells, that failed here.
        rests: times that it was taken out for its strikes.
    """

    endpoint: GenerateClient
    limit: int
    up: bool = True
    alone: bool = False
    in_flight: int = 0
    strikes: int = 0
    rests: int = 0

    def has_room(self, alone: bool) -> bool:
        if not self.up or self.alone:
            return False
        return self.in_flight == 0 if alone else self.in_flight < self.limit
