"""Fleets: entered, one gives the endpoints of services, and left, it stops what it started; fixed endpoints too."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType

from omnigap.errors import OmnigapError
from omnigap_orchestrator.config.services import ServiceRole as Role


class FleetError(OmnigapError):
    """A fleet cannot be had; the message names the service and what to do."""


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """A service that a fleet is to start.

    Attributes:
        name: the name in the run.
        service: what `omnigap-serve` calls it.
        options: its configuration; a value `@NAME` becomes the address of the service NAME.
        replicas: processes of it.
    """

    name: str
    role: Role
    service: str
    options: Mapping[str, object] = field(default_factory=dict)
    replicas: int = 1


DEFAULT_SERVICES = (
    ServiceSpec("espeak", Role.TTS, "espeak"),
    ServiceSpec("asr", Role.SCORER, "asr"),
    ServiceSpec("demo", Role.MODEL, "demo", {"tts": "@espeak"}),
    ServiceSpec("ocr", Role.OCR, "ocr"),
)
"""What runs on a laptop without GPU, Docker or network; each is started only by a call that wants it."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses (`host:port`) by role; a model's name to its replicas."""

    models: Mapping[str, tuple[str, ...]]
    scorer: tuple[str, ...]
    tts: tuple[str, ...]
    ocr: tuple[str, ...] = ()
    judge: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Required:
    """What a fleet is to bring.

    Attributes:
        models: by name; None: all that it has.
        ocr: who reads images back; `verify` alone wants one.
        judge: who rates open answers.
    """

    models: tuple[str, ...] | None = None
    scorer: bool = True
    tts: bool = True
    ocr: bool = False
    judge: bool = False


class Fleet(ABC):
    """Entered, it gives the endpoints; left, it stops what it started."""

    @property
    @abstractmethod
    def description(self) -> str:
        """One line that says which fleet this is, and why."""

    @abstractmethod
    async def __aenter__(self) -> Endpoints: ...

    @abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class StaticFleet(Fleet):
    """Starts and stops nothing."""

    def __init__(self, endpoints: Endpoints, source: str) -> None:
        self._endpoints = endpoints
        self._source = source

    @property
    def description(self) -> str:
        return f"static fleet: {self._source}"

    async def __aenter__(self) -> Endpoints:
        return self._endpoints

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class CompletedFleet(Fleet):
    """The endpoints of a configuration, and another fleet for what they leave out."""

    def __init__(self, configured: Endpoints, rest: Fleet) -> None:
        self._configured = configured
        self._rest = rest

    @property
    def description(self) -> str:
        return f"static fleet: the endpoints of the configuration; for the rest, {self._rest.description}"

    async def __aenter__(self) -> Endpoints:
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
    """The services whose addresses a service's options ask for."""
    return {value[1:] for value in spec.options.values() if isinstance(value, str) and value.startswith("@")}
