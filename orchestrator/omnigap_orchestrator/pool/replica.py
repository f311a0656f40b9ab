"""The replicas of a service: their state, and the slots that calls take on them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from omnigap.client import GenerateClient
from omnigap_orchestrator.pool.addresses import Place
from omnigap_orchestrator.pool.policy import Unavailable

# An answer may take this many times what the service says, or what its slowest answer took.
DEADLINE_FACTOR, SLOWEST_FACTOR = 5.0, 2.0
# Longest deadline that follows from a card, in seconds, and longest one that follows from time-outs and slow answers,
# in multiples of the configured or declared one.
MAX_DECLARED_S, MAX_STRETCH = 3_600.0, 4.0


@dataclass(slots=True, eq=False)
class Attempt:
    """A call in flight on a replica.

    Attributes:
        limit: its timeout, by which it is interrupted.
        started: time of the event loop.
    """

    limit: asyncio.Timeout
    started: float
    interrupted: bool = False

    def interrupt(self) -> None:
        """Ends the attempt at once with a TimeoutError, unless it is about to end."""
        if not self.limit.expired():
            self.interrupted = True
            self.limit.reschedule(self.started)


@dataclass(slots=True, eq=False)
class Replica:
    """State of one replica; only its pool changes it.

    Attributes:
        limit: maximum number of calls in flight, from `max_concurrent` of its card.
        batch: calls that it answers at once, from `max_batch_size`.
        answer_s: seconds that one answer may take by its card; 0: unknown.
        up: False while it is ejected.
        place: where it is; None for an endpoint that never changes.
        exclusive: True while a call that may have crashed a replica runs here on its own.
        consecutive_failures: failed calls of different cells since the last success.
        ejections: number of ejections because of consecutive failures.
        heard_at: time of the event loop at which it last sent anything, or got its first call.
    """

    endpoint: GenerateClient
    limit: int
    batch: int = 1
    answer_s: float = 0.0
    up: bool = True
    place: Place | None = None
    exclusive: bool = False
    in_flight: int = 0
    consecutive_failures: int = 0
    ejections: int = 0
    heard_at: float = 0.0
    attempts: set[Attempt] = field(default_factory=set)

    @property
    def address(self) -> str:
        return self.endpoint.address

    def has_room(self, exclusive: bool) -> bool:
        """Whether another call may start here; an exclusive one needs an idle replica."""
        if not self.up or self.exclusive:
            return False
        return self.in_flight == 0 if exclusive else self.in_flight < self.limit

    def interrupt(self) -> None:
        """Ends its calls in flight at once."""
        for attempt in self.attempts:
            attempt.interrupt()


def deadline_s(timeout_s: float, replica: Replica, slowest_s: float, timeouts: int) -> float:
    """Deadline of one attempt in seconds.

    Args:
        timeout_s: `[run] request_timeout_s`.
        replica: where it runs, with its slot taken.
        slowest_s: latency of the slowest answer of the service so far.
        timeouts: time-outs before, each of which doubles the deadline.
    """
    batches = -(-replica.in_flight // replica.batch)
    least = max(timeout_s, min(MAX_DECLARED_S, DEADLINE_FACTOR * replica.answer_s * batches))
    return float(min(MAX_STRETCH * least, max(least, SLOWEST_FACTOR * slowest_s) * 2.0 ** min(timeouts, 8)))


@dataclass(slots=True, eq=False)
class _Waiter:
    found: asyncio.Future[Replica]
    exclusive: bool
    avoid: Collection[str]


class Slots:
    """Assigns calls to the replica with the fewest calls in flight; calls that find no slot wait in order.

    Attributes:
        replicas: those in use; a removed one gets no further call.
        gave_up: why the service is given up; None while it is not.
    """

    def __init__(self, replicas: Sequence[Replica]) -> None:
        self.replicas = list(replicas)
        self.gave_up: str | None = None
        self._waiters: deque[_Waiter] = deque()

    @property
    def waiting(self) -> int:
        """Number of calls that wait for a slot."""
        return len(self._waiters)

    @property
    def any_up(self) -> bool:
        return any(replica.up for replica in self.replicas)

    async def acquire(self, exclusive: bool, avoid: Collection[str]) -> Replica:
        """A slot, which the caller releases.

        Args:
            exclusive: wait for an idle replica, and keep other calls from it.
            avoid: addresses of replicas that are used only if no other has a free slot.

        Raises:
            Unavailable: the service is given up.
        """
        self.check()
        # Calls that wait already can't use what is free now, so none of them is overtaken.
        replica = self._pick(exclusive, avoid)
        if replica is not None:
            self._take(replica, exclusive)
            return replica
        waiter = _Waiter(asyncio.get_running_loop().create_future(), exclusive, avoid)
        self._waiters.append(waiter)
        try:
            return await waiter.found
        except asyncio.CancelledError:
            if waiter.found.done() and not waiter.found.cancelled() and waiter.found.exception() is None:
                # The slot was assigned in the moment in which the call was cancelled.
                self.release(waiter.found.result(), exclusive)
            elif waiter in self._waiters:
                self._waiters.remove(waiter)
            raise

    def release(self, replica: Replica, exclusive: bool) -> None:
        replica.in_flight -= 1
        replica.exclusive = replica.exclusive and not exclusive
        self.assign()

    def check(self) -> None:
        """Raises Unavailable if the service is given up."""
        if self.gave_up is not None:
            raise Unavailable(self.gave_up)

    def assign(self) -> None:
        """Gives free slots to the calls that wait longest."""
        # Waking only calls that get a slot: waking all of them at each release takes time quadratic in their number.
        kept: list[_Waiter] = []
        while self._waiters:
            waiter = self._waiters[0]
            if waiter.found.done():
                self._waiters.popleft()
                continue
            replica = self._pick(waiter.exclusive, waiter.avoid)
            if replica is None:
                # An exclusive call needs an idle replica; the calls behind it need less.
                if not waiter.exclusive:
                    break
                kept.append(self._waiters.popleft())
                continue
            self._waiters.popleft()
            self._take(replica, waiter.exclusive)
            waiter.found.set_result(replica)
        self._waiters.extendleft(reversed(kept))

    def give_up(self, why: str) -> None:
        """Ends all waiting calls and refuses later ones, with Unavailable; the first reason is kept."""
        if self.gave_up is not None:
            return
        self.gave_up = why
        for waiter in self._waiters:
            if not waiter.found.done():
                waiter.found.set_exception(Unavailable(why))
        self._waiters.clear()

    def _pick(self, exclusive: bool, avoid: Collection[str]) -> Replica | None:
        """The replica with the fewest calls in flight; one that failed this call only if no other has a free slot."""
        available = [replica for replica in self.replicas if replica.has_room(exclusive)]
        if avoid:
            available = [r for r in available if r.address not in avoid] or available
        return min(available, key=lambda replica: replica.in_flight, default=None)

    def _take(self, replica: Replica, exclusive: bool) -> None:
        replica.in_flight += 1
        replica.exclusive = exclusive
