"""When a call is tried again, when its replica is ejected, and the errors that remain."""

from __future__ import annotations

import random
from dataclasses import dataclass

from omnigap.errors import ContractError, OmnigapError
from omnigap.vocabulary import Reason

# The replica is not there, stopping or still loading: it is ejected until its health service says SERVING.
REPLICA_UNAVAILABLE = frozenset({Reason.TRANSPORT, Reason.DRAINING, Reason.NOT_READY})
# The replica is healthy and full: the call waits, and this does not count as an attempt of the cell.
REPLICA_FULL = frozenset({Reason.BUSY, Reason.RATE_LIMITED})
# Another attempt, on another replica if there is one, may succeed. All other reasons fail the cell at once.
RETRYABLE = frozenset(
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
    """How often and for how long calls are retried.

    Attributes:
        max_attempts: failed attempts of one call on healthy replicas before its cell fails.
        max_full: attempts that may be refused because the replica is full.
        first_delay_s, max_delay_s: bounds of the exponential back-off, in seconds.
        patience_s: seconds for which all replicas may be unavailable before the cells are left pending.
    """

    max_attempts: int = 3
    max_full: int = 50
    first_delay_s: float = 0.2
    max_delay_s: float = 10.0
    patience_s: float = 30.0

    def delay_s(self, failures: int) -> float:
        """Seconds to wait after a number of failures: exponential back-off with full jitter."""
        # Uniform from 0, so that calls that failed together do not retry together. The exponent is capped: a float
        # overflows at 2.0 ** 1024.
        bound: float = min(self.max_delay_s, self.first_delay_s * 2.0 ** min(failures, 16))
        return random.uniform(0.0, bound)


# A replica is ejected after this many consecutive failures of different cells, if another replica succeeds.
MAX_CONSECUTIVE_FAILURES = 5
# When a replica crashes, each call in flight may be the cause. Each is retried exclusively; one under which further
# replicas crash is the cause, and its cell fails.
MAX_LOST = 3
# Attempts that a replica may refuse as not ready or draining although its health service says SERVING.
MAX_REFUSED = 20
# Seconds between health probes of an ejected replica: first and longest interval; longest ejection after failures.
FIRST_PROBE_S, MAX_PROBE_S, MAX_EJECTION_S = 0.25, 5.0, 60.0


class Unavailable(OmnigapError):  # noqa: N818 - a state of the service, not a fault of the program
    """No replica of the planned service is available: the cell stays pending."""


class CallFailed(OmnigapError):  # noqa: N818
    """The call failed although the service is healthy: the cell has failed."""

    def __init__(self, error: ContractError, endpoint: str, attempts: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.endpoint = endpoint
        self.attempts = attempts
