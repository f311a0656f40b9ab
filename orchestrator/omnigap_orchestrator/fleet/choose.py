"""`--fleet auto`: the configuration's endpoints, else Compose's services if they answer, else child processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from omnigap_orchestrator.config.services import FleetKind
from omnigap_orchestrator.config.services import ServiceRole as Role
from omnigap_orchestrator.dispatch.endpoint import Endpoint
from omnigap_orchestrator.fleet.embedded import DEFAULT_SERVICES, EmbeddedFleet
from omnigap_orchestrator.fleet.fleet import Fleet, FleetError, Roster, ServiceSpec
from omnigap_orchestrator.fleet.static import StaticFleet

COMPOSE_PORTS = {"espeak": (Role.TTS, 50061), "asr": (Role.SCORER, 50062), "cascade": (Role.MODEL, 50063)}
"""The loopback ports that compose.yaml publishes; a test holds the two together."""


async def choose(
    kind: FleetKind,
    configured: Roster | None,
    services: Sequence[ServiceSpec],
    folder: Path,
    on_note: Callable[[str], None],
    start_timeout_s: float,
) -> Fleet:
    """The fleet of a run.

    Args:
        configured: the endpoints of the configuration, None where it gives none.
        services: what an embedded fleet starts; empty means the default services.
        folder: where embedded services keep their options and logs.

    Raises:
        FleetError: where `static` is asked for and nothing is there.
    """
    embedded = EmbeddedFleet(services or DEFAULT_SERVICES, folder, on_note, start_timeout_s)
    if kind is FleetKind.EMBEDDED:
        return embedded
    if configured is not None:
        return StaticFleet(configured, "the endpoints of the configuration")
    compose = await _compose_roster() if not services else None
    if compose is not None:
        ports = ", ".join(f"{name} {port}" for name, (_, port) in COMPOSE_PORTS.items())
        return StaticFleet(compose, f"Compose's services answer on their loopback ports ({ports})")
    if kind is FleetKind.STATIC:
        raise FleetError(
            "--fleet static needs endpoints: name them in --config ([[models]] endpoints, [scorer], [tts]), "
            "or bring Compose's services up with `docker compose up`"
        )
    return embedded


async def _compose_roster() -> Roster | None:
    """Compose's services as a roster, if a model of theirs answers; a part that is away stays listed, and pending."""
    addresses = {name: f"127.0.0.1:{port}" for name, (_, port) in COMPOSE_PORTS.items()}
    answers = await asyncio.gather(*(_serves(address) for address in addresses.values()))
    present = {name for name, answer in zip(addresses, answers, strict=True) if answer}
    if not any(COMPOSE_PORTS[name][0] is Role.MODEL for name in present):
        return None
    by_role = {role: [n for n, (r, _) in COMPOSE_PORTS.items() if r is role] for role in Role}
    return Roster(
        models={name: (addresses[name],) for name in by_role[Role.MODEL]},
        scorer=tuple(addresses[name] for name in by_role[Role.SCORER]),
        tts=tuple(addresses[name] for name in by_role[Role.TTS]),
    )


async def _serves(address: str) -> bool:
    async with Endpoint(address) as endpoint:
        return await endpoint.serving(timeout_s=1.0)
