"""A connected service: its card and the pool of its replicas."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from omnigap import convert
from omnigap.channel import proxy_for
from omnigap.client import SERVING, GenerateClient
from omnigap.errors import ContractError, OmnigapError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Condition, Reason, Support
from omnigap_orchestrator.pool.addresses import HostNames, LookUp, Place, look_up
from omnigap_orchestrator.pool.policy import REPLICA_FULL, REPLICA_UNAVAILABLE, RetryPolicy
from omnigap_orchestrator.pool.pool import Pool
from omnigap_orchestrator.pool.replica import Replica

# Seconds between two checks of replicas that are not SERVING yet, and before a note says that they are waited for.
_CHECK_S, _NOTE_AFTER_S = 0.25, 1.0
# Longest wait for one health check. A first check on a busy machine may take that long; a later one must not exceed the
# patience.
_HEALTH_S = 5.0
# Describe may fail like this while a service starts or is full; any other error is there to stay.
_NOT_YET = REPLICA_UNAVAILABLE | REPLICA_FULL | {Reason.DEADLINE_EXCEEDED, Reason.CANCELLED}
# Health says these of something else than a model service, or to a caller without a key.
_WRONG_SERVICE = tuple(f"gRPC status {name}" for name in ("UNIMPLEMENTED", "UNAUTHENTICATED", "PERMISSION_DENIED"))


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
    """The declared support of a condition with its reason; a condition that is not declared is unsupported.

    Args:
        card: may be one that an earlier version stored unchecked: values that the contract does not define count as
            not declared.
    """
    wanted = (convert.modality_to_proto(condition.input), convert.modality_to_proto(condition.output))
    for capability in card.conditions:
        if (capability.input, capability.output) == wanted:
            with contextlib.suppress(ValueError):
                return convert.support_from_proto(capability.support), capability.reason
    return Support.UNSUPPORTED, f"{card.name} does not declare {condition.name}"


async def connect(
    name: str,
    addresses: Sequence[str],
    policy: RetryPolicy,
    on_note: Callable[[str], None],
    proxy: str = "",
    look_up: LookUp = look_up,
) -> Service | None:
    """Connects to the replicas of a service as soon as one of them serves; None if none does within `patience_s`.

    Args:
        addresses: `host:port`; a host name with several addresses has a replica at each of them.
        proxy: `[network] proxy` of the configuration; loopback addresses are never called through it.
        look_up: finds the addresses of host names.

    Raises:
        ServiceError: replicas have different digests.
    """
    candidates = _Candidates(addresses, HostNames(proxy, look_up))
    try:
        await _wait_until_any_serves(name, candidates, policy, on_note)
        if any(candidate.card is not None for candidate in candidates):
            return _service(name, candidates, policy, on_note)
        if proxied := [address for address in addresses if proxy_for(address, proxy)]:
            on_note(
                f"{name} did not answer through the proxy {proxy}: "
                f"check that [network] proxy can reach {', '.join(proxied)}"
            )
    except BaseException:
        await candidates.close()
        raise
    await candidates.close()
    return None


@dataclass(slots=True)
class _Candidate:
    """A replica at connect, and what its last check found.

    Attributes:
        card: None if it does not serve.
        state: why not.
        final: whether waiting can't change that.
    """

    place: Place
    endpoint: GenerateClient
    card: pb.DescribeResponse | None = None
    state: str = ""
    final: bool = False

    async def check(self, timeout_s: float, on_note: Callable[[str], None]) -> None:
        """Checks health and card, unless the result can't change."""
        if self.final:
            return
        self.state = await self.endpoint.health(timeout_s=timeout_s)
        if self.state != SERVING:
            self.final = self.state in _WRONG_SERVICE
            return
        try:
            self.card = await self.endpoint.describe()
        except ContractError as error:
            self.state, self.final = error.message, error.reason not in _NOT_YET
            return
        for note in self.endpoint.notes:
            on_note(note)


class _Candidates:
    """The replicas at the addresses that the endpoints have now."""

    def __init__(self, endpoints: Sequence[str], names: HostNames) -> None:
        self.names = names
        self._endpoints = endpoints
        self._by_place: dict[Place, _Candidate] = {}

    def __iter__(self) -> Iterator[_Candidate]:
        return iter(self._by_place.values())

    async def update(self) -> list[str]:
        """Looks up the names again, as containers may start meanwhile; returns a note for each endpoint left out."""
        places, notes = await self.names.places(self._endpoints)
        before = self._by_place
        self._by_place = {
            place: before.get(place) or _Candidate(place, place.client(self.names.proxy)) for place in places
        }
        await _close([before[place].endpoint for place in before.keys() - self._by_place.keys()])
        return notes

    async def close(self) -> None:
        await _close([candidate.endpoint for candidate in self])


async def _wait_until_any_serves(
    name: str, candidates: _Candidates, policy: RetryPolicy, on_note: Callable[[str], None]
) -> None:
    """Checks all replicas until one serves, none can, or the patience ends."""
    loop = asyncio.get_running_loop()
    start, is_noted, timeout_s = loop.time(), False, _HEALTH_S
    while True:
        left_out = await candidates.update()
        await asyncio.gather(*(candidate.check(timeout_s, on_note) for candidate in candidates))
        left = start + policy.patience_s - loop.time()
        if (
            any(candidate.card is not None for candidate in candidates)
            or all(candidate.final for candidate in candidates)
            or left <= 0
        ):
            break
        if not is_noted and loop.time() - start >= min(_NOTE_AFTER_S, policy.patience_s / 2):
            is_noted = True
            states = ", ".join(f"{candidate.endpoint.address}: {candidate.state}" for candidate in candidates)
            on_note(f"waiting up to {policy.patience_s:g} s ([run] patience_s) for {name} ({states})")
        await asyncio.sleep(min(_CHECK_S, left))
        timeout_s = min(_HEALTH_S, max(_CHECK_S, left))
    for candidate in candidates:
        if candidate.final:
            on_note(f"{name}: {candidate.endpoint.address} can't be used: {candidate.state}")
    for note in left_out:
        on_note(f"{name}: {note}")


def _service(name: str, candidates: _Candidates, policy: RetryPolicy, on_note: Callable[[str], None]) -> Service:
    """The service of the replicas that were seen.

    Raises:
        ServiceError: their digests differ.
    """
    present = [(candidate.endpoint.address, candidate.card) for candidate in candidates if candidate.card is not None]
    first, card = present[0]
    for address, other in present[1:]:
        if other.digest != card.digest:
            # Answers of different digests would be mixed under one model name.
            raise ServiceError(
                f"the replicas of {name} differ: {first} has digest {card.digest[:12]}, {address} has "
                f"{other.digest[:12]}. Start both from one image and configuration, or list them as two [[models]]"
            )
    # An unavailable replica may join later. Every request carries the digest, so a different one is refused then.
    replicas = [
        Replica(
            candidate.endpoint,
            limit=max(1, card.max_concurrent),
            batch=max(1, card.max_batch_size),
            answer_s=card.answer_seconds,
            up=candidate.card is not None,
            place=candidate.place,
        )
        for candidate in candidates
    ]
    return Service(name, card, Pool(replicas, policy, on_note, candidates.names))


async def _close(endpoints: Sequence[GenerateClient]) -> None:
    await asyncio.gather(*(endpoint.close() for endpoint in endpoints))
