"""A service and the pool of its replicas: the least busy first, sick ones out until healthy, suspects asked alone."""

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


# A replica that fails so many different cells in a row, while others do well, is taken out for a while.
STRIKES_OUT = 5
# A call under which the service vanished once may have been a neighbour; then it is asked alone, and twice is proof.
MOST_LOSSES = 3
# A service whose health says SERVING and that still turns a call away so often is not well.
MOST_TURNED_AWAY = 20
# Seconds between two looks at the health of a replica that is out.
FIRST_LOOK_S, LAST_LOOK_S, LONGEST_REST_S = 0.25, 5.0, 60.0


class Unavailable(OmnigapError):  # noqa: N818 - a state of the world, not a fault of the program
    """No replica is there, or what is there is not what the plan was made for: the cell stays pending."""


class CallFailed(OmnigapError):  # noqa: N818
    """The call failed for good while the service is well: the cell has failed."""

    def __init__(self, error: ContractError, endpoint: str, attempts: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.endpoint = endpoint
        self.attempts = attempts


@dataclass(slots=True)
class _History:
    """How one call went so far.

    Attributes:
        failures: on replicas that are well; `avoid` holds their addresses.
        full: times that there was no room.
        lost: times that the replica vanished under it.
        turned_away: times that the replica was just starting or stopping.
    """

    failures: int = 0
    full: int = 0
    lost: int = 0
    turned_away: int = 0
    avoid: set[str] = field(default_factory=set)

    @property
    def tries(self) -> int:
        return self.failures + self.full + self.lost + self.turned_away


class Pool:
    """Sends calls to the replica with the fewest in flight, and decides by which side failures cluster on."""

    def __init__(self, replicas: Sequence[Replica], policy: RetryPolicy, on_note: Callable[[str], None]) -> None:
        self._replicas = list(replicas)
        self._endpoints = [replica.endpoint for replica in replicas]
        self._policy = policy
        self._note = on_note
        self._changed = asyncio.Condition()
        self._reviving: set[asyncio.Task[None]] = set()
        self._gave_up = False

    @property
    def capacity(self) -> int:
        """Calls that may be in flight over all replicas."""
        return sum(replica.limit for replica in self._replicas)

    async def close(self) -> None:
        for task in self._reviving:
            task.cancel()
        await asyncio.gather(*self._reviving, return_exceptions=True)
        for endpoint in self._endpoints:
            await endpoint.close()

    async def call(self, request: pb.GenerateRequest, timeout_s: float) -> Answer:
        """One answer, after as many tries as the policy grants.

        Raises:
            Unavailable: no replica was there within the policy's patience, or all of them changed their digest.
            CallFailed: the service is well, but this call fails.
        """
        history = _History()
        while True:
            async with self._slot(history) as replica:
                try:
                    answer = await replica.endpoint.generate(request, timeout_s)
                except ContractError as error:
                    self._count_failure(replica, error, history)
                else:
                    replica.strikes = 0
                    return answer
            await asyncio.sleep(self._policy.delay_s(history.tries))

    def _count_failure(self, replica: Replica, error: ContractError, history: _History) -> None:
        """Records one failed try; raises where there is to be no other."""
        address = replica.endpoint.address
        if error.reason in REPLICA_GONE:
            self._take_out(replica, f"{address} is away ({error.message})")
            if error.reason is Reason.TRANSPORT:
                history.lost += 1
            else:
                history.turned_away += 1
            if history.lost >= MOST_LOSSES or history.turned_away >= MOST_TURNED_AWAY:
                raise CallFailed(error, address, history.tries) from error
        elif error.reason in REPLICA_FULL:
            history.full += 1
            if history.full > self._policy.max_full:
                raise CallFailed(error, address, history.tries) from error
        elif error.reason is Reason.DIGEST_MISMATCH:
            self._dismiss(replica, error)
        elif error.reason in WORTH_ANOTHER_TRY:
            history.failures += 1
            if address not in history.avoid:
                self._strike(replica)
            history.avoid.add(address)
            if history.failures >= self._policy.max_attempts:
                raise CallFailed(error, address, history.tries) from error
        else:
            raise CallFailed(error, address, history.tries + 1) from error

    def _strike(self, replica: Replica) -> None:
        replica.strikes += 1
        others_do_well = any(other.up and other.strikes == 0 for other in self._replicas if other is not replica)
        if replica.up and replica.strikes >= STRIKES_OUT and others_do_well:
            replica.rests += 1
            failed = f"{replica.endpoint.address} failed {replica.strikes} cells in a row"
            self._take_out(replica, f"{failed}, while the other replicas failed none")

    def _dismiss(self, replica: Replica, error: ContractError) -> None:
        """Parts for good from a replica that became another service; raises Unavailable where it was the last one."""
        why = f"{replica.endpoint.address} is not the service that the plan was made for: {error.message}"
        if replica in self._replicas:
            self._replicas.remove(replica)
            if self._replicas:
                self._note(f"{why}; the run goes on without it")
        if not self._replicas:
            self._gave_up = True
            raise Unavailable(why) from error

    def _take_out(self, replica: Replica, why: str) -> None:
        if not replica.up:
            return
        replica.up = False
        self._note(f"{why}; taken out until it is healthy")
        self._watch(replica)

    def watch_absent(self) -> None:
        """Waits in the background for replicas that were away from the start."""
        for replica in self._replicas:
            if not replica.up:
                self._watch(replica)

    def _watch(self, replica: Replica) -> None:
        task = asyncio.create_task(self._revive(replica))
        self._reviving.add(task)
        task.add_done_callback(self._reviving.discard)

    async def _revive(self, replica: Replica) -> None:
        """Asks the replica's health, ever more rarely, until it serves again; who fails while well rests longer."""
        tries = 0
        while True:
            look_s = min(LAST_LOOK_S, FIRST_LOOK_S * 1.5**tries)
            rest_s = min(LONGEST_REST_S, FIRST_LOOK_S * 2.0 ** min(replica.rests, 16)) if replica.rests else 0.0
            await asyncio.sleep(max(look_s, rest_s))
            tries += 1
            if await replica.endpoint.serving(timeout_s=3.0):
                break
        self._note(f"{replica.endpoint.address} serves again")
        async with self._changed:
            replica.up, replica.strikes = True, 0
            self._changed.notify_all()

    @asynccontextmanager
    async def _slot(self, history: _History) -> AsyncIterator[Replica]:
        """A place on the least busy replica; a call whose service vanished under it gets the replica to itself."""
        alone = history.lost > 0
        replica = await self._place(alone, history.avoid)
        replica.in_flight += 1
        replica.alone = alone
        try:
            yield replica
        finally:
            async with self._changed:
                replica.in_flight -= 1
                replica.alone = replica.alone and not alone
                self._changed.notify_all()

    async def _place(self, alone: bool, avoid: set[str]) -> Replica:
        async with self._changed:
            while True:
                replica = self._best(alone, avoid)
                if replica is not None:
                    return replica
                if self._gave_up:
                    raise Unavailable("the service is away")
                if any(replica.up for replica in self._replicas):
                    await self._changed.wait()
                    continue
                await self._wait_for_one_up()

    async def _wait_for_one_up(self) -> None:
        """Called with the condition held, while every replica is out."""
        try:
            async with asyncio.timeout(self._policy.patience_s):
                await self._changed.wait_for(lambda: any(replica.up for replica in self._replicas) or self._gave_up)
        except TimeoutError:
            self._gave_up = True
            self._changed.notify_all()
            raise Unavailable(f"the service was away for {self._policy.patience_s:g} s") from None

    def _best(self, alone: bool, avoid: set[str]) -> Replica | None:
        """The replica with room and the fewest calls in flight; one that failed this cell only for want of another."""
        if self._gave_up:
            return None
        roomy = [replica for replica in self._replicas if replica.has_room(alone)]
        fresh = [replica for replica in roomy if replica.endpoint.address not in avoid]
        return min(fresh or roomy, key=lambda replica: replica.in_flight, default=None)


class ServiceError(OmnigapError):
    """A service cannot be used as configured; the message names the key to change."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service that answers now.

    Attributes:
        name: the name in this run (a model's configured name, `scorer`, `tts`).
        card: what it said of itself.
        pool: its replicas; those that did not answer at the start join when they are healthy.
    """

    name: str
    card: pb.DescribeResponse
    pool: Pool

    @property
    def digest(self) -> str:
        return self.card.digest


def support_in(card: pb.DescribeResponse, condition: Condition) -> tuple[Support, str]:
    """What a card says of a condition; what it does not list is unsupported."""
    for capability in card.conditions:
        if convert.condition_from_proto(capability) == condition:
            return convert.support_from_proto(capability.support), capability.reason
    return Support.UNSUPPORTED, f"{card.name} does not declare {condition.name}"


async def connect(
    name: str, addresses: Sequence[str], policy: RetryPolicy, on_note: Callable[[str], None], proxy: str = ""
) -> Service | None:
    """Connects to a service's replicas; None where none of them answers.

    Args:
        proxy: the configuration's `[network] proxy`; loopback addresses are never called through it.

    Raises:
        ServiceError: where replicas of one service differ in what changes answers.
    """
    endpoints = [GenerateClient(address, proxy) for address in addresses]
    cards = await asyncio.gather(*(_card(endpoint) for endpoint in endpoints))
    present = [(endpoint, card) for endpoint, card in zip(endpoints, cards, strict=True) if card is not None]
    if not present:
        await asyncio.gather(*(endpoint.close() for endpoint in endpoints))
        if behind := [address for address in addresses if proxy_for(address, proxy)]:
            on_note(
                f"{name} was called through the proxy {proxy} ([network] proxy): does it lead to {', '.join(behind)}?"
            )
        return None
    first, card = present[0]
    for endpoint, other in present[1:]:
        if other.digest != card.digest:
            await asyncio.gather(*(endpoint.close() for endpoint in endpoints))
            raise ServiceError(
                f"the replicas of {name} differ: {first.address} has digest {card.digest[:12]}, {endpoint.address} has "
                f"{other.digest[:12]}. Start both from one image and configuration, or list them as two [[models]]"
            )
    limit = max(1, card.max_concurrent)
    # A replica that is away now may join later; calls carry the digest, so a different one is refused then.
    replicas = [
        Replica(endpoint, limit, up=found is not None) for endpoint, found in zip(endpoints, cards, strict=True)
    ]
    pool = Pool(replicas, policy, on_note)
    pool.watch_absent()
    return Service(name, card, pool)


async def _card(endpoint: GenerateClient) -> pb.DescribeResponse | None:
    """The card of a replica that serves now."""
    if not await endpoint.serving():
        return None
    try:
        return await endpoint.describe()
    except ContractError:
        return None
