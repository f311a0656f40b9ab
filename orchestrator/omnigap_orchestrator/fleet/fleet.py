"""What a fleet is: something that is entered, says who is where, and cleans up after itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType

from omnigap.errors import OmnigapError
from omnigap_orchestrator.config.services import ServiceRole as Role


class FleetError(OmnigapError):
    """A fleet cannot be had; the message names the service and what mends it."""


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


@dataclass(frozen=True, slots=True)
class Roster:
    """Addresses (`host:port`) by role; a model's name to its replicas."""

    models: Mapping[str, tuple[str, ...]]
    scorer: tuple[str, ...]
    tts: tuple[str, ...]
    reader: tuple[str, ...] = ()
    judge: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a fleet is to bring.

    Attributes:
        models: by name; None: all that it has.
        reader: who reads images back; `verify` alone wants one.
        judge: who rates open answers.
    """

    models: tuple[str, ...] | None = None
    scorer: bool = True
    tts: bool = True
    reader: bool = False
    judge: bool = False

    def covers(self, name: str, role: Role) -> bool:
        """Whether a service of this name and role is wanted."""
        if role is Role.MODEL:
            return self.models is None or name in self.models
        # A part is brought by the options of whoever refers to it.
        others = {Role.SCORER: self.scorer, Role.TTS: self.tts, Role.READER: self.reader, Role.JUDGE: self.judge}
        return others.get(role, False)


class Fleet(ABC):
    """Entered, it gives the roster; left, it stops what it started."""

    @property
    @abstractmethod
    def description(self) -> str:
        """One line that says which fleet this is, and why."""

    @abstractmethod
    async def __aenter__(self) -> Roster: ...

    @abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...
