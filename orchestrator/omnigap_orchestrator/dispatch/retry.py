"""What each reason of failure means: ask again, blame the replica, or let the cell fail."""

from __future__ import annotations

import random
from dataclasses import dataclass

from omnigap.vocabulary import Reason

# The replica is gone, going, or not there yet: it is taken out until its health service says SERVING again.
REPLICA_GONE = frozenset({Reason.TRANSPORT, Reason.DRAINING, Reason.NOT_READY})
# The replica is well but has no room: wait, and it costs the cell no attempt.
REPLICA_FULL = frozenset({Reason.BUSY, Reason.RATE_LIMITED})
# Another attempt, on another replica where there is one, may go well.
WORTH_ANOTHER_TRY = frozenset(
    {
        Reason.MODEL_ERROR,
        Reason.DEADLINE_EXCEEDED,
        Reason.INCOMPLETE_STREAM,
        Reason.OUT_OF_MEMORY,
        Reason.UPSTREAM_UNAVAILABLE,
        Reason.CANCELLED,
    }
)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently.

    Attributes:
        max_attempts: tries of one cell that may fail on a replica that is well.
        max_full: times that BUSY is waited out.
        first_delay_s, max_delay_s: bounds of the jittered exponential back-off.
        patience_s: how long a service may be away before its cells are left pending.
    """

    max_attempts: int = 3
    max_full: int = 50
    first_delay_s: float = 0.2
    max_delay_s: float = 10.0
    patience_s: float = 30.0

    def delay_s(self, failures: int) -> float:
        """Full jitter: uniform between 0 and the exponential bound, so that retries of many cells spread out."""
        bound: float = min(self.max_delay_s, self.first_delay_s * 2.0 ** min(failures, 16))
        return random.uniform(0.0, bound)
