"""The circuit breaker of a service: decides from the ends of all its calls when the service is given up."""

from __future__ import annotations

from collections.abc import Iterable

from omnigap.vocabulary import Reason

# Time-outs in a row, for each replica, after which a service counts as hung.
MAX_TIMEOUTS_IN_A_ROW = 3
# A call that runs for longer than refusals take was accepted: the service works, however many others it refuses. In
# multiples of the slowest refusal, and as a share of the patience.
_ACCEPTED_FACTOR, _ACCEPTED_SHARE = 2.0, 1 / 30


class Breaker:
    """Counts time-outs and refusals since the last answer. Times are seconds of one monotonic clock.

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
        """Whether the last call that ended without a refusal timed out."""
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
