"""A service and the pool of its replicas: least-loaded balancing, retries, and ejection of unhealthy replicas.

The pool has to distinguish a bad request from a bad replica: a request that fails on several replicas fails its cell; a
replica on which many requests fail is ejected until its health service says SERVING.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from omnigap import convert
from omnigap.channel import proxy_for
from omnigap.client import Answer, GenerateClient
from omnigap.errors import ContractError, OmnigapError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Condition, Reason, Support

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


class ServiceError(OmnigapError):
    """A service can't be used as configured; the message names the key to change."""


@dataclass(frozen=True, slots=True)
class Service:
    """A connected service.

    Attributes:
        name: its name in the run: a model's configured name, or a role such as `scorer`.
        card: its Describe response.
        pool: its replicas; those that did not answer at connect join when they are healthy.
    """

    name: str
    card: pb.DescribeResponse
    pool: Pool

    @property
    def digest(self) -> str:
        return self.card.digest


def support_in(card: pb.DescribeResponse, condition: Condition) -> tuple[Support, str]:
    """The declared support of a condition with its reason; a condition that is not declared is unsupported."""
    for capability in card.conditions:
        if convert.condition_from_proto(capability) == condition:
            return convert.support_from_proto(capability.support), capability.reason
    return Support.UNSUPPORTED, f"{card.name} does not declare {condition.name}"


async def connect(
    name: str, addresses: Sequence[str], policy: RetryPolicy, on_note: Callable[[str], None], proxy: str = ""
) -> Service | None:
    """Connects to the replicas of a service; None if none of them answers.

    Args:
        proxy: `[network] proxy` of the configuration; loopback addresses are never called through it.

    Raises:
        ServiceError: replicas have different digests.
    """
    endpoints = [GenerateClient(address, proxy) for address in addresses]
    cards = await asyncio.gather(*(_card(endpoint) for endpoint in endpoints))
    present = [(endpoint, card) for endpoint, card in zip(endpoints, cards, strict=True) if card is not None]
    if not present:
        await asyncio.gather(*(endpoint.close() for endpoint in endpoints))
        if proxied := [address for address in addresses if proxy_for(address, proxy)]:
            on_note(
                f"{name} did not answer through the proxy {proxy}: "
                f"check that [network] proxy can reach {', '.join(proxied)}"
            )
        return None
    first, card = present[0]
    for endpoint, other in present[1:]:
        if other.digest != card.digest:
            await asyncio.gather(*(endpoint.close() for endpoint in endpoints))
            # Answers of different digests would be mixed under one model name.
            raise ServiceError(
                f"the replicas of {name} differ: {first.address} has digest {card.digest[:12]}, {endpoint.address} has "
                f"{other.digest[:12]}. Start both from one image and configuration, or list them as two [[models]]"
            )
    limit = max(1, card.max_concurrent)
    # An unavailable replica may join later. Every request carries the digest, so a different one is refused then.
    replicas = [
        Replica(endpoint, limit, up=found is not None) for endpoint, found in zip(endpoints, cards, strict=True)
    ]
    pool = Pool(replicas, policy, on_note)
    pool.probe_absent()
    return Service(name, card, pool)


async def _card(endpoint: GenerateClient) -> pb.DescribeResponse | None:
    """The card of a replica; None if it is not serving."""
    if not await endpoint.serving():
        return None
    try:
        return await endpoint.describe()
    except ContractError:
        return None
