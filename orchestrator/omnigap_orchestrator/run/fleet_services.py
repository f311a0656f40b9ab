"""What a fleet may start for a configuration: the tables of `[fleet.services]`, and default services beside them."""

from __future__ import annotations

from dataclasses import replace

from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.services import ServiceConfig
from omnigap_orchestrator.fleet import DEFAULT_SERVICES, Role, ServiceSpec, references

# Roles of the services that this project ships; every other service that a fleet starts is a model.
_ROLES = {"espeak": Role.TTS, "asr": Role.SCORER, "ocr": Role.READER}


def services_of(config: Config) -> tuple[ServiceSpec, ...]:
    """What a fleet may start for this configuration; a call starts of it what it wants.

    A default service stands aside for a table of its name or of its role: a voice of one's own speaks instead of
    espeak, models of one's own are asked instead of cascade. One that is still referred to by name goes on as a part.
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
