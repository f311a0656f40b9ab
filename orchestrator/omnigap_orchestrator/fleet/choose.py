"""Chooses the fleet of a command: configured endpoints, Compose if it answers, else child processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from omnigap.client import GenerateClient
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.services import FleetKind, ServiceConfig
from omnigap_orchestrator.config.services import ServiceRole as Role
from omnigap_orchestrator.fleet.embedded import EmbeddedFleet
from omnigap_orchestrator.fleet.fleet import (
    DEFAULT_SERVICES,
    CompletedFleet,
    Endpoints,
    Fleet,
    FleetError,
    Required,
    ServiceSpec,
    StaticFleet,
    references,
)

# Default roles of shipped services; every other service is a model unless its table says otherwise.
_ROLES = {"espeak": Role.TTS, "asr": Role.SCORER, "ocr": Role.OCR}


def services_of(config: Config) -> tuple[ServiceSpec, ...]:
    """The services that a fleet may start for this configuration; a command starts those that it needs.

    A table with the same name or role replaces a default service: a configured TTS service replaces espeak, configured
    models replace demo. A replaced service that another one still refers to is started as a part of that one.
    """
    configured = _configured(config)
    roles = {spec.role for spec in configured}
    defaults = [spec for spec in DEFAULT_SERVICES if spec.name not in config.fleet.services]
    kept = [spec for spec in defaults if spec.role not in roles]
    started = [spec for spec in (*configured, *kept) if spec.replicas]
    referenced = set[str]().union(*map(references, started))
    parts = [replace(spec, role=Role.PART) for spec in defaults if spec.role in roles and spec.name in referenced]
    return (*started, *parts)


def lists_role(config: Config, role: Role) -> bool:
    """Whether a table of `[fleet.services]` has this role."""
    return any(spec.role is role for spec in _configured(config))


def models_of_fleet(config: Config) -> tuple[str, ...]:
    """Names of the models that a fleet may start for this configuration."""
    return tuple(spec.name for spec in services_of(config) if spec.role is Role.MODEL)


def _configured(config: Config) -> list[ServiceSpec]:
    return [_spec(name, table) for name, table in config.fleet.services.items()]


def _spec(name: str, table: ServiceConfig) -> ServiceSpec:
    service = table.service or name
    role = table.role or _ROLES.get(service, Role.MODEL)
    options = table.options
    if options is None:
        # A table that only changes the replicas of a default service keeps the options of that service.
        default = [spec for spec in DEFAULT_SERVICES if (spec.name, spec.service) == (name, service)]
        return ServiceSpec(name, role, service, default[0].options if default else {}, table.replicas)
    return ServiceSpec(name, role, service, options, table.replicas)


COMPOSE_PORTS = {
    "espeak": (Role.TTS, 50061),
    "asr": (Role.SCORER, 50062),
    "demo": (Role.MODEL, 50063),
    "ocr": (Role.OCR, 50064),
}
"""The loopback ports that compose.yaml publishes, by service; a test compares the two."""

COMPOSE_PROFILES = {"ocr": "ocr"}
"""Services that start only with a Compose profile; no run needs them."""

ENDPOINTS_UNUSED = (
    "the embedded fleet starts its own services and ignores the endpoints of the configuration (--fleet auto uses them)"
)


async def choose(
    kind: FleetKind,
    configured: Endpoints | None,
    services: Sequence[ServiceSpec],
    folder: Path,
    on_note: Callable[[str], None],
    start_timeout_s: float,
    required: Required | None = None,
) -> Fleet:
    """The fleet of a run.

    Args:
        configured: the endpoints of the configuration; None if it has none.
        services: what an embedded fleet may start; empty means the default services.
        folder: for the options and logs of embedded services.
        start_timeout_s: seconds until a started service must be ready.
        required: what the command needs beyond the endpoints of the configuration; nothing else is started.

    Raises:
        FleetError: the kind is `static`, and neither configured endpoints nor Compose provide what is required.
    """
    required = required or Required()
    if kind is FleetKind.EMBEDDED and configured is not None:
        on_note(ENDPOINTS_UNUSED)
        every = [s for s in services or DEFAULT_SERVICES if s.role is not Role.OCR or required.ocr]
        return EmbeddedFleet(every, folder, on_note, start_timeout_s)
    rest = _with_references(
        [s for s in services or DEFAULT_SERVICES if is_required(s.name, s.role, required)], services
    )
    if configured is not None and (kind is FleetKind.STATIC or not rest):
        return StaticFleet(configured, "the endpoints of the configuration")
    if not rest:
        return StaticFleet(Endpoints({}, (), ()), "none needed by this command")
    fleet: Fleet = EmbeddedFleet(rest, folder, on_note, start_timeout_s)
    if kind is FleetKind.EMBEDDED:
        return fleet
    # Configured services are never looked for in Compose, whose ports are those of the default services.
    compose = await _compose_fleet(required) if not services else None
    if compose is not None:
        fleet = compose
    elif kind is FleetKind.STATIC:
        raise FleetError(_no_static_endpoints(required))
    return fleet if configured is None else CompletedFleet(configured, fleet)


def _no_static_endpoints(required: Required) -> str:
    if required.ocr:
        return (
            "--fleet static needs an OCR service: set [ocr] endpoints or --ocr, or "
            "start Compose's with `docker compose --profile ocr up -d --wait`"
        )
    return (
        "--fleet static needs endpoints: set them in --config ([[models]], [scorer] and [tts] endpoints), "
        "or start Compose's services with `docker compose up`"
    )


def _with_references(specs: Sequence[ServiceSpec], services: Sequence[ServiceSpec]) -> tuple[ServiceSpec, ...]:
    """These services and all that they refer to, directly or not, in their original order."""
    known = {spec.name: spec for spec in services or DEFAULT_SERVICES}
    names, found = [spec.name for spec in specs], set()
    while names:
        name = names.pop()
        if name in known and name not in found:
            found.add(name)
            names += references(known[name])
    return tuple(spec for spec in known.values() if spec.name in found)


async def _compose_fleet(required: Required) -> StaticFleet | None:
    """Compose's services if a required model answers or, without a required model, any other required service.

    A required service that does not answer stays in the endpoints; its cells are pending.
    """
    places = {name: (role, f"127.0.0.1:{port}") for name, (role, port) in COMPOSE_PORTS.items()}
    places = {name: (role, address) for name, (role, address) in places.items() if is_required(name, role, required)}
    # All ports at once: each check waits up to a second for a port that nothing listens on.
    answers = await asyncio.gather(*(_serves(address) for _, address in places.values()))
    present = {role for (role, _), answer in zip(places.values(), answers, strict=True) if answer}
    if not present or (Role.MODEL in {role for role, _ in places.values()} and Role.MODEL not in present):
        return None

    def addresses(role: Role) -> dict[str, tuple[str, ...]]:
        return {name: (address,) for name, (its, address) in places.items() if its is role}

    endpoints = Endpoints(
        models=addresses(Role.MODEL),
        scorer=tuple(chain.from_iterable(addresses(Role.SCORER).values())),
        tts=tuple(chain.from_iterable(addresses(Role.TTS).values())),
        ocr=tuple(chain.from_iterable(addresses(Role.OCR).values())),
    )
    ports = ", ".join(f"{name} {COMPOSE_PORTS[name][1]}" for name in places)
    return StaticFleet(endpoints, f"Compose's services answer on their loopback ports ({ports})")


async def _serves(address: str) -> bool:
    async with GenerateClient(address) as client:
        return await client.serving(timeout_s=1.0)


def is_required(name: str, role: Role, required: Required) -> bool:
    """Whether a command requires a service of this name and role."""
    if role is Role.MODEL:
        return required.models is None or name in required.models
    # A part is started by reference only, from the options of the service that calls it.
    others = {
        Role.SCORER: required.scorer,
        Role.TTS: required.tts,
        Role.OCR: required.ocr,
        Role.JUDGE: required.judge,
    }
    return others.get(role, False)
