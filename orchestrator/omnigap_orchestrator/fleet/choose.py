"""Chooses the fleet of a command: configured endpoints, Compose if it answers, else child processes.

A run keeps the fleet that it used first: a container that is restarting must not be replaced by a child process, whose
answers would be those of another scorer or voice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.services import FleetKind, ServiceConfig
from omnigap_orchestrator.config.services import ServiceRole as Role
from omnigap_orchestrator.fleet.compose import (
    COMPOSE_MODELS,
    COMPOSE_PORTS,
    COMPOSE_PROFILES,
    ComposeService,
    compose_fleet,
    in_compose,
    look_for_compose,
    waiting_note,
)
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
    is_required,
    references,
)

__all__ = ["COMPOSE_PORTS", "COMPOSE_PROFILES", "choose", "lists_role", "models_of_fleet", "services_of"]

# Default roles of shipped services; every other service is a model unless its table says otherwise.
_ROLES = {"espeak": Role.TTS, "piper": Role.TTS, "asr": Role.SCORER, "ocr": Role.OCR}


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
    """Names of the models that a fleet may start for this configuration, or that Compose has."""
    if config.fleet.kind is FleetKind.COMPOSE:
        return COMPOSE_MODELS
    return tuple(spec.name for spec in services_of(config) if spec.role is Role.MODEL)


def _configured(config: Config) -> list[ServiceSpec]:
    return [_spec(name, table) for name, table in config.fleet.services.items()]


def _spec(name: str, table: ServiceConfig) -> ServiceSpec:
    service = table.service or name
    role = table.role or _ROLES.get(service, Role.MODEL)
    options: Mapping[str, object] | None = table.options
    if options is None:
        # A table that only changes the replicas of a default service keeps the options of that service.
        default = [spec for spec in DEFAULT_SERVICES if (spec.name, spec.service) == (name, service)]
        options = default[0].options if default else {}
    return ServiceSpec(name, role, service, options, table.replicas, table.tiny)


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
    *,
    remembered: FleetKind | None = None,
    patience_s: float = 30.0,
    setup: str = "",
) -> Fleet:
    """The fleet of a run.

    Args:
        configured: the endpoints of the configuration; None if it has none.
        services: what an embedded fleet may start; empty means the default services.
        folder: for the options and logs of embedded services.
        start_timeout_s: seconds until a started service must be ready.
        required: what the command needs beyond the endpoints of the configuration; nothing else is started.
        remembered: the fleet that the run's folder used so far, which `auto` keeps; None if there is none.
        patience_s: seconds for which the command waits for absent services; for messages only.
        setup: the command that fetches what the services need; for messages only.

    Raises:
        FleetError: the kind is `static`, and nothing that is required has endpoints; or the run used Compose so far,
            and the configuration now lists services to start.
    """
    required = required or Required()
    if kind is FleetKind.EMBEDDED and configured is not None:
        on_note(ENDPOINTS_UNUSED)
        every = [s for s in services or DEFAULT_SERVICES if s.role is not Role.OCR or required.ocr]
        return EmbeddedFleet(every, folder, on_note, start_timeout_s, setup)
    if kind is FleetKind.COMPOSE and services:
        on_note("the tables of [fleet.services] are not used with Compose's services (--fleet embedded uses them)")
        services = ()
    rest = _with_references(
        [s for s in services or DEFAULT_SERVICES if is_required(s.name, s.role, required)], services
    )
    if configured is not None and (kind is FleetKind.STATIC or not rest):
        return StaticFleet(configured, "the endpoints of the configuration")
    if not rest:
        return StaticFleet(Endpoints({}, (), ()), "none needed by this command")
    if kind is FleetKind.STATIC:
        raise FleetError(_no_endpoints(required))
    # Configured services are never looked for in Compose, whose ports are those of the default services.
    ignores_compose = kind is FleetKind.EMBEDDED or (kind is FleetKind.AUTO and services)
    found = () if ignores_compose else await look_for_compose(required)
    if kind is FleetKind.AUTO:
        kind = _kept_or_found(remembered, found, services, on_note)
    if remembered not in (None, kind):
        on_note(f"this command uses the {kind} fleet; the run used the {remembered} fleet so far")
    fleet: Fleet
    if kind is FleetKind.COMPOSE:
        if absent := [each for each in found if not each.serves]:
            on_note(waiting_note(absent, patience_s))
        fleet = compose_fleet(found)
    else:
        fleet = EmbeddedFleet(rest, folder, on_note, start_timeout_s, setup)
    return fleet if configured is None else CompletedFleet(configured, fleet)


def _kept_or_found(
    remembered: FleetKind | None,
    found: Sequence[ComposeService],
    services: Sequence[ServiceSpec],
    on_note: Callable[[str], None],
) -> FleetKind:
    """What `auto` means: the fleet of the run so far; without one, Compose if any of its services answers."""
    if services:
        if remembered is FleetKind.COMPOSE:
            raise FleetError(
                "this run used Compose's services so far, and [fleet.services] lists services to start as child "
                "processes: --fleet embedded changes to them, and --fleet compose keeps Compose's"
            )
        return FleetKind.EMBEDDED
    answering = [each for each in found if each.answers]
    for other in found:
        if other.is_foreign:
            on_note(f"{other.address}, the port of Compose's {other.name}, is used by another program: {other.state}")
    if in_compose():
        # The orchestrator's container has no services to start.
        return FleetKind.COMPOSE
    if remembered is FleetKind.EMBEDDED:
        if answering:
            named = ", ".join(f"{each.name} at {each.address}" for each in answering)
            on_note(
                f"Compose answers too ({named}): this run keeps its embedded services; --fleet compose changes that"
            )
        return FleetKind.EMBEDDED
    # No run needs a service of a profile: if it is not started, a child process is used instead.
    kept = remembered is FleetKind.COMPOSE and any(not each.on_demand for each in found)
    return FleetKind.COMPOSE if answering or kept else FleetKind.EMBEDDED


def _no_endpoints(required: Required) -> str:
    if required.ocr:
        return (
            "--fleet static needs an OCR service: set [ocr] endpoints or --ocr, or use Compose's: "
            "`docker compose --profile ocr up -d --wait` and --fleet compose"
        )
    return (
        "--fleet static needs endpoints: set them in --config ([[models]], [scorer] and [tts] endpoints), or use "
        "Compose's services: `docker compose up -d --wait` and --fleet compose"
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
