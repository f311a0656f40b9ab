"""The pool of a service's replicas: least-loaded balancing, retries, deadlines, and ejection of unhealthy replicas.

The pool has to distinguish a bad request from a bad replica and from a bad service: a request that fails on several
replicas fails its cell; a replica on which many requests fail is ejected until its health service says SERVING; a
service that answers nothing is given up, and its cells stay pending.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from omnigap.answer import Answer
from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_orchestrator.pool.addresses import HostNames
from omnigap_orchestrator.pool.breaker import Breaker
from omnigap_orchestrator.pool.health import Health
from omnigap_orchestrator.pool.policy import (
    MAX_CONSECUTIVE_FAILURES,
    MAX_LOST,
    MAX_REFUSED,
    MAX_TIMEOUTS,
    REFUSALS,
    REPLICA_FULL,
    REPLICA_UNAVAILABLE,
    REPLICA_USELESS,
    RETRYABLE,
    CallFailed,
    RetryPolicy,
    Unavailable,
)
from omnigap_orchestrator.pool.replica import Attempt, Replica, Slots, deadline_s

# gRPC ends a call at its deadline; the margin is for a call that it does not end.
_MARGIN_S = 2.0


@dataclass(slots=True, eq=False)
class _Call:
    """One call with its attempts so far.

    Attributes:
        failures: failures on healthy replicas, whose addresses are in `avoid`.
        full, refused: attempts refused by a full replica, and by one that was starting or stopping.
        lost: attempts during which the connection to the replica was lost.
        timeouts: attempts that timed out, or were interrupted on a hung replica.
        passed_over: refusals as full, since each of which the service has answered another call.
        failed_at: time of the last failure.
        late: what it fails with if the service is given up after a time-out.
    """

    request: pb.GenerateRequest
    timeout_s: float
    failures: int = 0
    full: int = 0
    lost: int = 0
    refused: int = 0
    timeouts: int = 0
    passed_over: int = 0
    failed_at: float = math.inf
    late: CallFailed | None = None
    avoid: set[str] = field(default_factory=set)

    @property
    def tries(self) -> int:
        return self.failures + self.full + self.lost + self.refused + self.timeouts


class Pool:
    """Sends each call to the replica with the fewest calls in flight; retries calls and ejects replicas."""

    def __init__(
        self, replicas: Sequence[Replica], policy: RetryPolicy, on_note: Callable[[str], None], names: HostNames
    ) -> None:
        """
        Args:
            replicas: those that are not up are probed, and join when they are healthy.
            names: finds the new address of a replica whose host name no longer has its old one.
        """
        self._slots = Slots(replicas)
        self._every = tuple(replicas)
        self._policy = policy
        self._note = on_note
        self._breaker = Breaker(len(replicas), policy.patience_s)
        self._loop = asyncio.get_running_loop()
        self._gone = asyncio.Event()
        # Number of calls that have not ended, and since when there is one.
        self._open = 0
        self._open_since = 0.0
        self._health = Health(self._slots, policy, on_note, self._on_absence, names)

    @property
    def capacity(self) -> int:
        """Maximum number of calls in flight over all replicas."""
        return sum(replica.limit for replica in self._slots.replicas)

    @property
    def gave_up(self) -> str | None:
        """Why the service was given up; None while it is in use."""
        return self._slots.gave_up

    @property
    def in_flight(self) -> int:
        """Number of calls that a replica works on."""
        return sum(len(replica.attempts) for replica in self._every)

    @property
    def waiting(self) -> int:
        """Number of calls that wait for a replica, or for their next attempt."""
        return self._open - self.in_flight

    @property
    def silent_s(self) -> float:
        """Seconds for which calls have waited without any answer of the service; 0 if there is no call."""
        return self._loop.time() - max(self._breaker.answered_at, self._open_since) if self._open else 0.0

    @property
    def slowest_s(self) -> float:
        """Latency of the slowest answer so far, in seconds."""
        return self._breaker.slowest_s

    async def close(self) -> None:
        """Ends all calls, with Unavailable, and closes the connections."""
        self._give_up("the connection was closed", interrupt=True)
        # Health checks first: they use the endpoints.
        await self._health.close()
        await asyncio.gather(*(replica.endpoint.close() for replica in self._every))

    async def call(self, request: pb.GenerateRequest, timeout_s: float) -> Answer:
        """One answer, after as many attempts as the policy allows.

        Args:
            timeout_s: shortest deadline of an attempt, in seconds; it is longer for a service that needs more time.

        Raises:
            Unavailable: the service was given up: it was absent or refused every call for `patience_s`, it hangs, it is
                another one than at connect, or it refuses the credentials.
            CallFailed: this call failed, or timed out.
        """
        call = _Call(request, timeout_s)
        if not self._open:
            self._open_since = self._loop.time()
        self._open += 1
        try:
            while True:
                exclusive = call.lost > 0
                replica = await self._slots.acquire(exclusive, call.avoid)
                try:
                    return await self._attempt(call, replica)
                except ContractError as error:
                    self._count_failure(call, replica, error)
                finally:
                    self._slots.release(replica, exclusive)
                # Outside of the slot: a call that backs off must not keep the replica from others.
                await self._back_off(call)
        except Unavailable as error:
            if call.late is not None:
                # What happened to this call says more than that the service was given up.
                raise call.late from error
            raise
        finally:
            self._open -= 1

    async def _attempt(self, call: _Call, replica: Replica) -> Answer:
        """One attempt.

        Raises:
            ContractError: it failed, or it was interrupted because its replica hangs.
            Unavailable: it was interrupted because the service was given up.
        """
        started = self._loop.time()
        if not replica.attempts:
            replica.heard_at = started

        def heard(_: pb.Delta) -> None:
            replica.heard_at = self._loop.time()

        # A service that timed out since its last answer gets more time before it is given up.
        timeouts = max(call.timeouts, int(self._breaker.silent))
        deadline = deadline_s(call.timeout_s, replica, self._breaker.slowest_s, timeouts)
        attempt = Attempt(asyncio.timeout(deadline + _MARGIN_S), started)
        replica.attempts.add(attempt)
        try:
            async with attempt.limit:
                answer = await replica.endpoint.generate(call.request, deadline, heard)
        except TimeoutError:
            if attempt.interrupted:
                self._slots.check()
                raise ContractError(Reason.DEADLINE_EXCEEDED, f"{replica.address} answers no health check") from None
            error = ContractError(Reason.DEADLINE_EXCEEDED, "")
            raise self._late(call, replica, error, started, deadline) from None
        except ContractError as error:
            replica.attempts.discard(attempt)
            if error.reason is Reason.DEADLINE_EXCEEDED:
                raise self._late(call, replica, error, started, deadline) from error
            replica.heard_at = self._loop.time()
            if error.reason in REFUSALS:
                self._count_refusal(error, started)
            raise
        finally:
            replica.attempts.discard(attempt)
        replica.consecutive_failures = 0
        replica.heard_at = now = self._loop.time()
        self._breaker.answered(now, now - started)
        return answer

    def _late(
        self, call: _Call, replica: Replica, error: ContractError, started: float, deadline: float
    ) -> ContractError:
        """Records a time-out of the service; returns its error, which says how long the call waited."""
        now = self._loop.time()
        if why := self._breaker.timed_out(call, started, now):
            self._give_up(why, interrupt=True)
        if now - started < 0.9 * deadline:
            # The service's own limit ended the call; its message says which.
            return error
        text = f"{replica.address} did not answer within {deadline:.3g} s: raise [run] request_timeout_s if it is slow"
        return ContractError(Reason.DEADLINE_EXCEEDED, text)

    def _count_refusal(self, error: ContractError, started: float) -> None:
        running = [attempt.started for replica in self._every for attempt in replica.attempts]
        why = self._breaker.refused(error.reason, error.message, started, self._loop.time(), running)
        if why:
            # Calls that were accepted meanwhile end by themselves.
            self._give_up(why, interrupt=False)

    async def _back_off(self, call: _Call) -> None:
        """Waits before the next attempt; ends early if the service is given up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._policy.delay_s(call.tries)):
                await self._gone.wait()

    def _count_failure(self, call: _Call, replica: Replica, error: ContractError) -> None:
        """Records a failed attempt; raises if there is no further one."""
        reason, is_last = error.reason, False
        answers_others = self._breaker.answered_at >= call.failed_at
        call.failed_at = self._loop.time()
        if reason in REPLICA_USELESS:
            self._remove(replica, error)
        elif reason in REPLICA_UNAVAILABLE:
            self._health.eject(replica, f"{replica.address} is unavailable ({error.message})")
            if reason is Reason.TRANSPORT:
                call.lost += 1
            else:
                call.refused += 1
            is_last = call.lost >= MAX_LOST or call.refused >= MAX_REFUSED
        elif reason in REPLICA_FULL or (reason is Reason.UPSTREAM_UNAVAILABLE and not answers_others):
            call.full += 1
            # If the service answers no other call either, the breaker decides.
            call.passed_over += answers_others
            is_last = call.passed_over > self._policy.max_full
        elif reason is Reason.DEADLINE_EXCEEDED:
            call.timeouts += 1
            self._count_against(replica, call)
            call.late = CallFailed(error, replica.address, call.tries)
            is_last = call.timeouts >= min(MAX_TIMEOUTS, self._policy.max_attempts)
        else:
            call.failures += 1
            if reason in RETRYABLE:
                self._count_against(replica, call)
            is_last = reason not in RETRYABLE or call.failures >= self._policy.max_attempts
        if is_last:
            raise CallFailed(error, replica.address, call.tries) from error

    def _count_against(self, replica: Replica, call: _Call) -> None:
        """Counts a failure of a cell on a replica, and ejects the replica if others succeed."""
        # One bad request retried here several times is one failure of the replica, not several.
        if replica.address in call.avoid:
            return
        call.avoid.add(replica.address)
        replica.consecutive_failures += 1
        # If every replica fails, the requests or the model are at fault, and ejecting replicas would not help.
        others = (other for other in self._slots.replicas if other is not replica)
        others_succeed = any(other.up and other.consecutive_failures == 0 for other in others)
        if replica.up and replica.consecutive_failures >= MAX_CONSECUTIVE_FAILURES and others_succeed:
            replica.ejections += 1
            failed = f"{replica.address} failed {replica.consecutive_failures} cells in a row"
            self._health.eject(replica, f"{failed}, while the other replicas failed none")

    def _remove(self, replica: Replica, error: ContractError) -> None:
        """Removes a replica that is of no use for the rest of the run; raises Unavailable if it was the last one."""
        why = f"{replica.address} refuses every call ({error.reason}: {error.message})"
        if error.reason is Reason.DIGEST_MISMATCH:
            # Another digest is another model, whose answers must not be stored under the planned one.
            why = f"{replica.address} changed since the plan was made: {error.message}"
        # Several calls in flight may report the same change.
        if replica in self._slots.replicas:
            self._slots.replicas.remove(replica)
            if self._slots.replicas:
                self._note(f"{why}; the run continues without it")
        if not self._slots.replicas:
            # Answers that are on their way are kept.
            self._give_up(why, interrupt=False)
            raise Unavailable(why) from error
        self._health.check_absence()

    def _give_up(self, why: str, *, interrupt: bool) -> None:
        """Gives the service up for this command: the other calls end at once instead of waiting as long each.

        Args:
            interrupt: also end the calls in flight.
        """
        self._slots.give_up(why)
        self._gone.set()
        for replica in self._every if interrupt else ():
            replica.interrupt()

    def _on_absence(self) -> None:
        self._give_up(f"the service was unavailable for {self._policy.patience_s:g} s", interrupt=True)
