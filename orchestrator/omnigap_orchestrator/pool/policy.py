"""What the pool does about each error: what is tried again, for how long, and when a service is given up."""

from __future__ import annotations

import random
from collections.abc import Iterable
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


# Time-outs in a row, for each replica, after which a service counts as hung.
MAX_TIMEOUTS_IN_A_ROW = 3
# A call that runs for longer than refusals take was accepted: the service works, however many others it refuses. In
# multiples of the slowest refusal, and as a share of the patience.
_ACCEPTED_FACTOR, _ACCEPTED_SHARE = 2.0, 1 / 30


class Breaker:
    """The circuit breaker of a service: decides from the ends of all its calls when the service is given up.

    Counts time-outs and refusals since the last answer. Times are seconds of one monotonic clock.

    Attributes:
        answered_at: time of the last answer; 0 before the first.
        slowest_s: latency of the slowest answer.
    """

    def __init__(self, replicas: int, patience_s: float) -> None:
        """
        Args:
            patience_s: seconds for which the service may refuse every call.
        """
        self.answered_at = 0.0
        self.slowest_s = 0.0
        self._max_timeouts = MAX_TIMEOUTS_IN_A_ROW * replicas
        self._patience_s = patience_s
        self._reset()

    def _reset(self) -> None:
        self._timeouts = 0
        self._first_timeout_at = 0.0
        self._shortest_s = float("inf")
        self._timed_out: set[object] = set()
        self._again = False
        self._refused_since: float | None = None
        self._slowest_refusal_s = 0.0

    @property
    def silent(self) -> bool:
        """Whether a call timed out since the last answer."""
        return self._timeouts > 0

    def answered(self, now: float, latency_s: float) -> None:
        """Records an answer, which ends every series of time-outs and refusals."""
        self.answered_at = now
        self.slowest_s = max(self.slowest_s, latency_s)
        if self._timeouts or self._refused_since is not None:
            self._reset()

    def timed_out(self, call: object, started: float, now: float) -> str:
        """Records a time-out; returns why the service is given up, empty while it is not.

        Args:
            call: identifies the call; its attempts count as one call.
        """
        if not self._timeouts:
            self._first_timeout_at = now
        self._timeouts += 1
        self._timed_out.add(call)
        self._shortest_s = min(self._shortest_s, now - started)
        # Calls that started together time out together, also on a machine that is only slow. So one of them must have
        # started after the first time-out; it had more time by then.
        self._again = self._again or started >= self._first_timeout_at
        # One call that never ends is a fault of this call.
        if self._timeouts < self._max_timeouts or len(self._timed_out) < 2 or not self._again:
            return ""
        return (
            f"did not answer {self._timeouts} calls in a row within {round(self._shortest_s, 1):g} s each: "
            "restart it if it hangs, or raise [run] request_timeout_s if it is slow"
        )

    def refused(self, reason: Reason, message: str, started: float, now: float, running: Iterable[float]) -> str:
        """Records a refusal as full or without upstream; returns why the service is given up, empty while it is not.

        Args:
            running: start times of the calls in flight.
        """
        if self._refused_since is None:
            self._refused_since = started
        self._slowest_refusal_s = max(self._slowest_refusal_s, now - started)
        if now - self._refused_since <= self._patience_s:
            return ""
        longest = _ACCEPTED_FACTOR * self._slowest_refusal_s + _ACCEPTED_SHARE * self._patience_s
        if any(now - other > longest for other in running):
            return ""
        return f"refused every call as {reason} for {now - self._refused_since:.0f} s ({message})"
