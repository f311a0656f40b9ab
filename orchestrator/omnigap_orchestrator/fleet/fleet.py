"""Fleets: async context managers that provide the endpoints of services and stop on exit what they started."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType

from omnigap.errors import OmnigapError
from omnigap_orchestrator.config.services import FleetKind
from omnigap_orchestrator.config.services import ServiceRole as Role


class FleetError(OmnigapError):
    """A fleet can't be started or found; the message names the service and the fix."""


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """A service for a fleet to start.

    Attributes:
        name: its name in the run.
        service: its name in `omnigap-serve --list`.
        options: its configuration; a value `@NAME` is replaced by the address of the service NAME.
        replicas: number of processes.
        tiny: start it with tiny random weights (`omnigap-serve --tiny`).
    """

    name: str
    role: Role
    service: str
    options: Mapping[str, object] = field(default_factory=dict)
    replicas: int = 1
    tiny: bool = False


DEFAULT_SERVICES = (
    ServiceSpec("espeak", Role.TTS, "espeak"),
    ServiceSpec("asr", Role.SCORER, "asr"),
    ServiceSpec("demo", Role.MODEL, "demo", {"tts": "@espeak"}),
    ServiceSpec("ocr", Role.OCR, "ocr"),
)
"""Services that run on a laptop without GPU, Docker or network; each is started only if a command needs it."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses (`host:port`) by role; for models, the addresses of the replicas by name."""

    models: Mapping[str, tuple[str, ...]]
    scorer: tuple[str, ...]
    tts: tuple[str, ...]
    ocr: tuple[str, ...] = ()
    judge: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Required:
    """The services that a fleet has to provide.

    Attributes:
        models: names; None means all models that it has.
        ocr: needed only by `verify`.
        judge: needed only by a run with a [judge] section.
    """

    models: tuple[str, ...] | None = None
    scorer: bool = True
    tts: bool = True
    ocr: bool = False
    judge: bool = False


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


class Fleet(ABC):
    """An async context manager: returns the endpoints on entry, stops what it started on exit.

    Attributes:
        kind: `compose` or `embedded`, which is stored in a run's folder; None if all endpoints are configured.
    """

    kind: FleetKind | None = None

    @property
    @abstractmethod
    def description(self) -> str:
        """One line: the kind of fleet, and where its endpoints come from."""

    @abstractmethod
    async def __aenter__(self) -> Endpoints: ...

    @abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class StaticFleet(Fleet):
    """Fixed endpoints; starts and stops nothing."""

    def __init__(self, endpoints: Endpoints, source: str, kind: FleetKind | None = None) -> None:
        self._endpoints = endpoints
        self._source = source
        self.kind = kind

    @property
    def description(self) -> str:
        return f"{self.kind or FleetKind.STATIC} fleet: {self._source}"

    async def __aenter__(self) -> Endpoints:
        return self._endpoints

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class CompletedFleet(Fleet):
    """The endpoints of the configuration, completed by another fleet."""

    def __init__(self, configured: Endpoints, rest: Fleet) -> None:
        self._configured = configured
        self._rest = rest
        self.kind = rest.kind

    @property
    def description(self) -> str:
        return f"static fleet: the endpoints of the configuration; for other services, {self._rest.description}"

    async def __aenter__(self) -> Endpoints:
        # Configured endpoints override those of the fleet, per model and per role.
        rest, configured = await self._rest.__aenter__(), self._configured
        return Endpoints(
            models={**rest.models, **configured.models},
            scorer=configured.scorer or rest.scorer,
            tts=configured.tts or rest.tts,
            ocr=configured.ocr or rest.ocr,
            judge=configured.judge or rest.judge,
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._rest.__aexit__(kind, value, trace)


def references(spec: ServiceSpec) -> set[str]:
    """The services that the options of a service refer to, as `@NAME`."""
    return {value[1:] for value in spec.options.values() if isinstance(value, str) and value.startswith("@")}
