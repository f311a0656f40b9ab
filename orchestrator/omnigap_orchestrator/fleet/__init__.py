"""Where endpoints come from: child processes on this machine, the configuration, or Docker Compose."""

from omnigap_orchestrator.config.services import ServiceRole as Role
from omnigap_orchestrator.fleet.choose import choose
from omnigap_orchestrator.fleet.compose import COMPOSE_PORTS, COMPOSE_PROFILES
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

__all__ = [
    "COMPOSE_PORTS",
    "COMPOSE_PROFILES",
    "DEFAULT_SERVICES",
    "CompletedFleet",
    "EmbeddedFleet",
    "Endpoints",
    "Fleet",
    "FleetError",
    "Required",
    "Role",
    "ServiceSpec",
    "StaticFleet",
    "choose",
    "references",
]
