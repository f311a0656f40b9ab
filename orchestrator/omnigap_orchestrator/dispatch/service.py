"""A service of a run: what it said of itself, and the pool that calls it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from omnigap import convert
from omnigap.channel import proxy_for
from omnigap.client import GenerateClient
from omnigap.errors import ContractError, OmnigapError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Condition, Support
from omnigap_orchestrator.dispatch.pool import Pool
from omnigap_orchestrator.dispatch.replica import Replica
from omnigap_orchestrator.dispatch.retry import RetryPolicy


class ServiceError(OmnigapError):
    """A service cannot be used as configured; the message says which key mends it."""


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

    def support(self, condition: Condition) -> tuple[Support, str]:
        """What it can do in a condition, and why not."""
        return support_in(self.card, condition)


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
