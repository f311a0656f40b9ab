"""A connected service: its card and the pool of its replicas."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from omnigap import convert
from omnigap.channel import proxy_for
from omnigap.client import GenerateClient
from omnigap.errors import ContractError, OmnigapError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Condition, Reason, Support
from omnigap_orchestrator.pool.policy import RetryPolicy
from omnigap_orchestrator.pool.pool import Pool
from omnigap_orchestrator.pool.replica import Replica


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
    name: str, addresses: Sequence[str], policy: RetryPolicy, on_note: Callable[[str], None], proxy: str = ""
) -> Service | None:
    """Connects to the replicas of a service; None if none of them answers.

    Args:
        proxy: `[network] proxy` of the configuration; loopback addresses are never called through it.

    Raises:
        ServiceError: replicas have different digests.
    """
    endpoints = [GenerateClient(address, proxy) for address in addresses]
    cards = await asyncio.gather(*(_card(endpoint, on_note) for endpoint in endpoints))
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


async def _card(endpoint: GenerateClient, on_note: Callable[[str], None]) -> pb.DescribeResponse | None:
    """The card of a replica; None if it is not serving, or its card violates the contract."""
    if not await endpoint.serving():
        return None
    try:
        card = await endpoint.describe()
    except ContractError as error:
        if error.reason is Reason.MODEL_ERROR:
            on_note(error.message)
        return None
    for note in endpoint.notes:
        on_note(note)
    return card
