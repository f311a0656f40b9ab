"""The pool of a service's replicas: least-loaded balancing, retries, and ejection of unhealthy replicas.

The pool has to distinguish a bad request from a bad replica: a request that fails on several replicas fails its cell; a
replica on which many requests fail is ejected until its health service says SERVING.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from omnigap.answer import Answer
from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_orchestrator.pool.policy import (
    FIRST_PROBE_S,
    MAX_CONSECUTIVE_FAILURES,
    MAX_EJECTION_S,
    MAX_LOST,
    MAX_PROBE_S,
    MAX_REFUSED,
    REPLICA_FULL,
    REPLICA_UNAVAILABLE,
    RETRYABLE,
    CallFailed,
    RetryPolicy,
    Unavailable,
)
from omnigap_orchestrator.pool.replica import Replica


@dataclass(slots=True)
class _History:
    """Attempts of one call so far.

    Attributes:
        failures: failures on healthy replicas, whose addresses are in `avoid`.
        full, refused: attempts refused by a full replica, and by one that was starting or stopping.
        lost: attempts during which the connection to the replica was lost.
    """

    failures: int = 0
    full: int = 0
    lost: int = 0
    refused: int = 0
    avoid: set[str] = field(default_factory=set)

    @property
    def tries(self) -> int:
        return self.failures + self.full + self.lost + self.refused


class Pool:
    """Sends each call to the replica with the fewest calls in flight; retries calls and ejects replicas."""

    def __init__(self, replicas: Sequence[Replica], policy: RetryPolicy, on_note: Callable[[str], None]) -> None:
        self._replicas = list(replicas)
        self._endpoints = [replica.endpoint for replica in replicas]
        self._policy = policy
        self._note = on_note
        self._changed = asyncio.Condition()
        self._probes: set[asyncio.Task[None]] = set()
        self._gave_up = False

    @property
    def capacity(self) -> int:
        """Maximum number of calls in flight over all replicas."""
        return sum(replica.limit for replica in self._replicas)

    async def close(self) -> None:
        # Probes first: they use the endpoints.
        for task in self._probes:
            task.cancel()
        await asyncio.gather(*self._probes, return_exceptions=True)
        for endpoint in self._endpoints:
            await endpoint.close()

    async def call(self, request: pb.GenerateRequest, timeout_s: float) -> Answer:
        """One answer, after as many attempts as the policy allows.

        Raises:
            Unavailable: no replica was available within `patience_s`, or all of them changed their digest.
            CallFailed: the service is healthy, but this call failed.
        """
        history = _History()
        while True:
            async with self._slot(history) as replica:
                try:
                    answer = await replica.endpoint.generate(request, timeout_s)
                except ContractError as error:
                    self._count_failure(replica, error, history)
                else:
                    replica.consecutive_failures = 0
                    return answer
            # Outside of the slot: a call that backs off must not keep the replica from others.
            await asyncio.sleep(self._policy.delay_s(history.tries))

    def _count_failure(self, replica: Replica, error: ContractError, history: _History) -> None:
        """Records a failed attempt; raises if there is no further one."""
        address = replica.endpoint.address
        if error.reason in REPLICA_UNAVAILABLE:
            self._eject(replica, f"{address} is unavailable ({error.message})")
            if error.reason is Reason.TRANSPORT:
                history.lost += 1
            else:
                history.refused += 1
            if history.lost >= MAX_LOST or history.refused >= MAX_REFUSED:
                raise CallFailed(error, address, history.tries) from error
        elif error.reason in REPLICA_FULL:
            history.full += 1
            if history.full > self._policy.max_full:
                raise CallFailed(error, address, history.tries) from error
        elif error.reason is Reason.DIGEST_MISMATCH:
            # Another digest is another model, whose answers must not be stored under the planned one.
            self._remove(replica, error)
        elif error.reason in RETRYABLE:
            history.failures += 1
            # One bad request retried here several times is one failure of the replica, not several.
            if address not in history.avoid:
                self._count_consecutive_failure(replica)
            history.avoid.add(address)
            if history.failures >= self._policy.max_attempts:
                raise CallFailed(error, address, history.tries) from error
        else:
            # Plus one: no counter has this attempt.
            raise CallFailed(error, address, history.tries + 1) from error

    def _count_consecutive_failure(self, replica: Replica) -> None:
        """Counts a failure of a cell on a replica, and ejects the replica if others succeed."""
        replica.consecutive_failures += 1
        # If every replica fails, the requests or the model are at fault, and ejecting replicas would not help.
        others = (other for other in self._replicas if other is not replica)
        others_succeed = any(other.up and other.consecutive_failures == 0 for other in others)
        if replica.up and replica.consecutive_failures >= MAX_CONSECUTIVE_FAILURES and others_succeed:
            replica.ejections += 1
            failed = f"{replica.endpoint.address} failed {replica.consecutive_failures} cells in a row"
            self._eject(replica, f"{failed}, while the other replicas failed none")

    def _remove(self, replica: Replica, error: ContractError) -> None:
        """Removes a replica whose digest changed for the rest of the run; raises Unavailable if it was the last one."""
        why = f"{replica.endpoint.address} changed since the plan was made: {error.message}"
        # Several calls in flight may report the same change.
        if replica in self._replicas:
            self._replicas.remove(replica)
            if self._replicas:
                self._note(f"{why}; the run continues without it")
        if not self._replicas:
            self._gave_up = True
            raise Unavailable(why) from error

    def _eject(self, replica: Replica, why: str) -> None:
        if not replica.up:
            return
        replica.up = False
        self._note(f"{why}; not used until it is healthy")
        self._start_probe(replica)

    def probe_absent(self) -> None:
        """Probes the replicas that were unavailable at connect; they join when they are healthy."""
        for replica in self._replicas:
            if not replica.up:
                self._start_probe(replica)

    def _start_probe(self, replica: Replica) -> None:
        task = asyncio.create_task(self._probe(replica))
        self._probes.add(task)
        task.add_done_callback(self._probes.discard)

    async def _probe(self, replica: Replica) -> None:
        """Probes an ejected replica until it is SERVING, and puts it back."""
        tries = 0
        while True:
            interval_s = min(MAX_PROBE_S, FIRST_PROBE_S * 1.5**tries)
            # A replica that says that it is healthy and fails its calls stays out for longer each time.
            ejection_s = FIRST_PROBE_S * 2.0 ** min(replica.ejections, 16) if replica.ejections else 0.0
            await asyncio.sleep(max(interval_s, min(MAX_EJECTION_S, ejection_s)))
            tries += 1
            if await replica.endpoint.serving(timeout_s=3.0):
                break
        self._note(f"{replica.endpoint.address} serves again")
        async with self._changed:
            replica.up, replica.consecutive_failures = True, 0
            self._changed.notify_all()

    @asynccontextmanager
    async def _slot(self, history: _History) -> AsyncIterator[Replica]:
        """A slot of the least loaded replica; an idle one, exclusively, for a call during which a replica was lost."""
        exclusive = history.lost > 0
        replica = await self._wait_for_replica(exclusive, history.avoid)
        # No other task runs between choosing and counting, since nothing in between suspends.
        replica.in_flight += 1
        replica.exclusive = exclusive
        try:
            yield replica
        finally:
            async with self._changed:
                replica.in_flight -= 1
                replica.exclusive = replica.exclusive and not exclusive
                self._changed.notify_all()

    async def _wait_for_replica(self, exclusive: bool, avoid: set[str]) -> Replica:
        """The replica for the next attempt, as soon as one is below its limit."""
        async with self._changed:
            while True:
                replica = self._pick(exclusive, avoid)
                if replica is not None:
                    return replica
                if self._gave_up:
                    raise Unavailable("the service is unavailable")
                if any(replica.up for replica in self._replicas):
                    await self._changed.wait()
                    continue
                await self._wait_for_any()

    async def _wait_for_any(self) -> None:
        """Waits until a replica is up; the caller holds the condition, and all replicas are ejected."""
        try:
            async with asyncio.timeout(self._policy.patience_s):
                await self._changed.wait_for(lambda: any(replica.up for replica in self._replicas) or self._gave_up)
        except TimeoutError:
            # Giving up is final for this command: the other calls fail at once instead of waiting as long each.
            self._gave_up = True
            self._changed.notify_all()
            raise Unavailable(f"the service was unavailable for {self._policy.patience_s:g} s") from None

    def _pick(self, exclusive: bool, avoid: set[str]) -> Replica | None:
        """The replica with the fewest calls in flight; one that failed this call only if no other has a free slot."""
        if self._gave_up:
            return None
        available = [replica for replica in self._replicas if replica.has_room(exclusive)]
        untried = [replica for replica in available if replica.endpoint.address not in avoid]
        return min(untried or available, key=lambda replica: replica.in_flight, default=None)
