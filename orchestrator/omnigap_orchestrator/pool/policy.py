"""What the pool does about each error: whether a call is tried again, how long it may take, and what remains."""

from __future__ import annotations

import random
from dataclasses import dataclass

from omnigap.errors import ContractError, OmnigapError
from omnigap.vocabulary import Reason

# The replica is not there, stopping or still loading: it is ejected until its health service says SERVING.
REPLICA_UNAVAILABLE = frozenset({Reason.TRANSPORT, Reason.DRAINING, Reason.NOT_READY})
# The replica is healthy and full: the call waits, and this does not count as an attempt of the cell.
REPLICA_FULL = frozenset({Reason.BUSY, Reason.RATE_LIMITED})
# The whole service may have become useless if it ends every call like this.
REFUSALS = frozenset({Reason.UPSTREAM_UNAVAILABLE, Reason.DRAINING, Reason.NOT_READY, *REPLICA_FULL})
# The replica will answer no call of this command: another model, a wrong key, or an account without credit.
REPLICA_USELESS = frozenset(
    {Reason.DIGEST_MISMATCH, Reason.UNAUTHENTICATED, Reason.PERMISSION_DENIED, Reason.QUOTA_EXHAUSTED}
)
# Another attempt, on another replica if there is one, may succeed. All other reasons fail the cell at once.
RETRYABLE = frozenset(
    {
        Reason.MODEL_ERROR,
        Reason.INCOMPLETE_STREAM,
        Reason.OUT_OF_MEMORY,
        Reason.UPSTREAM_UNAVAILABLE,
        Reason.CANCELLED,
    }
)
# These say something about the load or the state of a service and nothing about the answer of its model, so a cell that
# ends with one of them is pending and not failed.
LEAVES_PENDING = frozenset({Reason.DEADLINE_EXCEEDED, *REFUSALS})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and for how long calls are retried.

    Attributes:
        max_attempts: failed attempts of one call on healthy replicas before its cell fails.
        max_full: attempts that may be refused because the replica is full, if another call was answered in between.
        first_delay_s, max_delay_s: bounds of the exponential back-off, in seconds.
        patience_s: seconds for which all replicas may be unavailable, or refuse every call, before the service is
            given up.
        quiet_s: seconds without a sign of life after which the health of a replica with calls in flight is checked.
        health_s: timeout of such a check.
    """

    max_attempts: int = 3
    max_full: int = 50
    first_delay_s: float = 0.2
    max_delay_s: float = 10.0
    patience_s: float = 30.0
    quiet_s: float = 30.0
    health_s: float = 10.0

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
# Attempts of one call that may time out or be interrupted on a hung replica.
MAX_TIMEOUTS = 3


class Unavailable(OmnigapError):  # noqa: N818 - a state of the service, not a fault of the program
    """No replica of the planned service can be used: the cell stays pending."""


class CallFailed(OmnigapError):  # noqa: N818
    """The call failed although the service is usable: the cell has failed, or is pending (`leaves_pending`)."""

    def __init__(self, error: ContractError, endpoint: str, attempts: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.endpoint = endpoint
        self.attempts = attempts

    @property
    def leaves_pending(self) -> bool:
        """Whether the cell is pending and not failed, because nothing is known about the model's answer."""
        return self.error.reason in LEAVES_PENDING
