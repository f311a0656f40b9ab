"""Where the services of a call come from: configured endpoints, Compose if it answers, else child processes."""

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

# Roles of the services that this project ships; every other service that a fleet starts is a model.
_ROLES = {"espeak": Role.TTS, "asr": Role.SCORER, "ocr": Role.OCR}


def services_of(config: Config) -> tuple[ServiceSpec, ...]:
    """What a fleet may start for this configuration; a call starts of it what it wants.

    A table with the same name or role replaces a default service: a voice of one's own speaks instead of
    espeak, models of one's own are asked instead of demo. One that is still referred to by name goes on as a part.
    """
    listed = _listed(config)
    taken = {spec.role for spec in listed}
    free = [spec for spec in DEFAULT_SERVICES if spec.name not in config.fleet.services]
    beside = [spec for spec in free if spec.role not in taken]
    started = [spec for spec in (*listed, *beside) if spec.replicas]
    called = set[str]().union(*map(references, started))
    parts = [replace(spec, role=Role.PART) for spec in free if spec.role in taken and spec.name in called]
    return (*started, *parts)


def lists_role(config: Config, role: Role) -> bool:
    """Whether a table of `[fleet.services]` is for this role."""
    return any(spec.role is role for spec in _listed(config))


def models_of_fleet(config: Config) -> tuple[str, ...]:
    """Names of the models that a fleet may start for this configuration."""
    return tuple(spec.name for spec in services_of(config) if spec.role is Role.MODEL)


def _listed(config: Config) -> list[ServiceSpec]:
    return [_spec(name, table) for name, table in config.fleet.services.items()]


def _spec(name: str, table: ServiceConfig) -> ServiceSpec:
    service = table.service or name
    role = table.role or _ROLES.get(service, Role.MODEL)
    options = table.options
    if options is None:
        alike = [spec for spec in DEFAULT_SERVICES if (spec.name, spec.service) == (name, service)]
        return ServiceSpec(name, role, service, alike[0].options if alike else {}, table.replicas)
    return ServiceSpec(name, role, service, options, table.replicas)


COMPOSE_PORTS = {
    "espeak": (Role.TTS, 50061),
    "asr": (Role.SCORER, 50062),
    "demo": (Role.MODEL, 50063),
    "ocr": (Role.OCR, 50064),
}
"""The loopback ports that compose.yaml publishes for what a fleet may bring; a test holds the two together."""

COMPOSE_PROFILES = {"ocr": "ocr"}
"""Those of them that come up with a profile alone: a run needs none of these."""

ENDPOINTS_UNUSED = (
    "the fleet is embedded and starts its own services: the endpoints of the configuration are not used"
    " (--fleet auto uses them)"
)


async def choose(
    kind: FleetKind,
    configured: Endpoints | None,
    services: Sequence[ServiceSpec],
    folder: Path,
    on_note: Callable[[str], None],
    start_timeout_s: float,
    wanted: Required | None = None,
) -> Fleet:
    """The fleet of a run.

    Args:
        configured: the endpoints of the configuration, None where it gives none.
        services: what an embedded fleet may start; empty means the default services.
        folder: where embedded services keep their options and logs.
        wanted: what a call needs beyond the endpoints of the configuration; nothing else is started.

    Raises:
        FleetError: where `static` is asked for and nothing is there.
    """
    wanted = wanted or Required()
    if kind is FleetKind.EMBEDDED and configured is not None:
        on_note(ENDPOINTS_UNUSED)
        every = [s for s in services or DEFAULT_SERVICES if s.role is not Role.OCR or wanted.ocr]
        return EmbeddedFleet(every, folder, on_note, start_timeout_s)
    rest = _with_references([s for s in services or DEFAULT_SERVICES if is_wanted(s.name, s.role, wanted)], services)
    if configured is not None and (kind is FleetKind.STATIC or not rest):
        return StaticFleet(configured, "the endpoints of the configuration")
    if not rest:
        return StaticFleet(Endpoints({}, (), ()), "none, this call needs no service")
    fleet: Fleet = EmbeddedFleet(rest, folder, on_note, start_timeout_s)
    if kind is FleetKind.EMBEDDED:
        return fleet
    compose = await _compose_roster(wanted) if not services else None
    if compose is not None:
        fleet = compose
    elif kind is FleetKind.STATIC:
        raise FleetError(_nothing_static(wanted))
    return fleet if configured is None else CompletedFleet(configured, fleet)


def _nothing_static(wanted: Required) -> str:
    if wanted.ocr:
        return (
            "--fleet static needs somebody who reads images: name one in [ocr] endpoints or --ocr, or "
            "bring Compose's up with `docker compose --profile ocr up -d --wait`"
        )
    return (
        "--fleet static needs endpoints: name them in --config ([[models]] endpoints, [scorer], [tts]), "
        "or bring Compose's services up with `docker compose up`"
    )


def _with_references(specs: Sequence[ServiceSpec], services: Sequence[ServiceSpec]) -> tuple[ServiceSpec, ...]:
    """These services, and all that they refer to, in the order of the whole."""
    known = {spec.name: spec for spec in services or DEFAULT_SERVICES}
    names, found = [spec.name for spec in specs], set()
    while names:
        name = names.pop()
        if name in known and name not in found:
            found.add(name)
            names += references(known[name])
    return tuple(spec for spec in known.values() if spec.name in found)


async def _compose_roster(wanted: Required) -> StaticFleet | None:
    """Compose's services, if a wanted model of theirs answers, or where none is wanted, any other that is.

    A part that is away stays listed, and pending.
    """
    places = {name: (role, f"127.0.0.1:{port}") for name, (role, port) in COMPOSE_PORTS.items()}
    places = {name: (role, address) for name, (role, address) in places.items() if is_wanted(name, role, wanted)}
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


def is_wanted(name: str, role: Role, wanted: Required) -> bool:
    """Whether a call wants a service of this name and role."""
    if role is Role.MODEL:
        return wanted.models is None or name in wanted.models
    # A part is brought by the options of whoever refers to it.
    others = {Role.SCORER: wanted.scorer, Role.TTS: wanted.tts, Role.OCR: wanted.ocr, Role.JUDGE: wanted.judge}
    return others.get(role, False)
