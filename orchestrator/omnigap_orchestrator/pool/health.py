"""Health of replicas: ejects and probes them, finds hung ones, and reports absent replicas and silent services."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING

from omnigap_orchestrator.pool.addresses import HostNames
from omnigap_orchestrator.pool.policy import MAX_CONSECUTIVE_FAILURES, RetryPolicy
from omnigap_orchestrator.pool.replica import Replica, Slots

if TYPE_CHECKING:
    from omnigap_orchestrator.pool.service import Service

# Seconds between health probes of an ejected replica: first and longest interval; longest ejection after failures.
FIRST_PROBE_S, MAX_PROBE_S, MAX_EJECTION_S = 0.25, 5.0, 60.0
# What a health check of a hung process returns; one that is stopping or gone answers or is refused.
_NO_HEALTH = "gRPC status DEADLINE_EXCEEDED"
# A process must miss this many health checks in a row before it counts as hung.
_HEALTH_CHECKS = 2


class Health:
    """Changes `up` of replicas. `close` ends its tasks."""

    def __init__(
        self,
        slots: Slots,
        policy: RetryPolicy,
        on_note: Callable[[str], None],
        on_absence: Callable[[], None],
        names: HostNames,
    ) -> None:
        """
        Args:
            slots: replicas that are not up are probed, and join when they are healthy.
            on_absence: called when no replica was up for `patience_s`.
            names: finds the new address of an ejected replica.
        """
        self._slots = slots
        self._policy = policy
        self._note = on_note
        self._names = names
        self._on_absence = on_absence
        self._absence: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        # asyncio keeps only weak references to tasks, so they are held here until they are done.
        self._tasks: set[asyncio.Task[None]] = set()
        for replica in slots.replicas:
            if not replica.up:
                self._start(self._probe(replica))
        self._start(self._watch())

    async def close(self) -> None:
        if self._absence is not None:
            self._absence.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def eject(self, replica: Replica, why: str) -> None:
        """Takes a replica out until it is healthy."""
        if not replica.up:
            return
        replica.up = False
        self._note(f"{why}; not used until it is healthy")
        self._start(self._probe(replica))
        self.check_absence()

    def check_absence(self) -> None:
        """Starts to wait for a replica if none is left."""
        if not self._slots.any_up and self._absence is None:
            self._absence = self._loop.call_later(self._policy.patience_s, self._on_absence)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _probe(self, replica: Replica) -> None:
        """Probes an ejected replica until it is SERVING, and puts it back."""
        tries = 0
        while True:
            interval_s = min(MAX_PROBE_S, FIRST_PROBE_S * 1.5**tries)
            # A replica that says that it is healthy and fails its calls stays out for longer each time.
            ejection_s = FIRST_PROBE_S * 2.0 ** min(replica.ejections, 16) if replica.ejections else 0.0
            await asyncio.sleep(max(interval_s, min(MAX_EJECTION_S, ejection_s)))
            tries = min(tries + 1, 16)
            # First: another service may have got the old address.
            await self._follow(replica)
            if await replica.endpoint.serving(timeout_s=3.0):
                break
        self._note(f"{replica.address} serves again")
        # One that failed calls before is ejected again at its next failure.
        replica.consecutive_failures = MAX_CONSECUTIVE_FAILURES - 1 if replica.ejections else 0
        replica.up = True
        if self._absence is not None and self._slots.any_up:
            self._absence.cancel()
            self._absence = None
        self._slots.assign()

    async def _follow(self, replica: Replica) -> None:
        """Moves a replica whose host name no longer has its address to one that no other replica uses."""
        place = replica.place
        # Calls in flight: a service that is stopping still answers them.
        if place is None or not place.ip or replica.attempts:
            return
        ips = await self._names.addresses(place.endpoint)
        used = {other.place.key for other in self._slots.replicas if other.place is not None}
        free = [moved for ip in ips if (moved := place.at(ip)).key not in used]
        if place.ip in ips or not free or replica.attempts:
            return
        old, replica.place, replica.endpoint = replica.endpoint, free[0], free[0].client(self._names.proxy)
        replica.ejections = 0
        self._note(f"{old.address} is gone: {replica.address} replaces it")
        await old.close()

    async def _watch(self) -> None:
        """Checks the health of replicas that have calls in flight and have sent nothing for `quiet_s`."""
        # A busy service answers health checks and a hung process does not, so it is found long before a deadline.
        while True:
            await asyncio.sleep(self._policy.quiet_s / 2)
            since = self._loop.time() - self._policy.quiet_s
            quiet = [replica for replica in self._slots.replicas if replica.attempts and replica.heard_at < since]
            await asyncio.gather(*(self._check_health(replica) for replica in quiet))

    async def _check_health(self, replica: Replica) -> None:
        for _ in range(_HEALTH_CHECKS):
            if await replica.endpoint.health(timeout_s=self._policy.health_s) != _NO_HEALTH:
                return
        self.eject(replica, f"{replica.address} answers neither calls nor health checks")
        # Elsewhere its calls are answered. Without another replica they wait, in case it was only slow.
        if self._slots.any_up:
            replica.interrupt()


FIRST_NOTE_S = 30.0
"""Seconds without an answer until the first note."""
# A slow service is silent for as long as its answers take; only more than that is worth a note.
_SLOWEST_FACTOR = 2.0
_LONGEST_INTERVAL_S = 600.0


class WaitNotes:
    """Watches the services of a command and notes those that do not answer, also if progress is not shown."""

    def __init__(
        self, services: Sequence[Service], note: Callable[[str], None], first_note_s: float = FIRST_NOTE_S
    ) -> None:
        """
        Args:
            services: read at each check, so services may be added.
        """
        self._services = services
        self._note = note
        self._first_note_s = first_note_s
        # Silence, in seconds, at which each silent service is noted next.
        self._next: dict[str, float] = {}

    async def run(self) -> None:
        """Looks at the services until it is cancelled."""
        while True:
            await asyncio.sleep(self._first_note_s / 10)
            self.look()

    def look(self) -> None:
        """Notes the services that have been silent for long enough."""
        due = []
        for service in self._services:
            pool = service.pool
            silent_s, name = pool.silent_s, service.name
            first = max(self._first_note_s, _SLOWEST_FACTOR * pool.slowest_s)
            if silent_s < first:
                # It answered: the next silence is noted from its beginning.
                self._next.pop(name, None)
            elif silent_s >= self._next.get(name, first):
                self._next[name] = silent_s + min(silent_s, _LONGEST_INTERVAL_S)
                calls = f"{pool.in_flight} calls in flight, {pool.waiting} waiting"
                due.append(f"{name} has not answered for {silent_s:.0f} s ({calls})")
        if due:
            self._note(f"no progress: {'; '.join(due)}")
