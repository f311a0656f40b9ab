"""The embedded fleet: services as child processes of this machine, on free ports, gone when the run ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from types import TracebackType

import tomli_w

from omnigap_orchestrator.config.services import START_TIMEOUT_S
from omnigap_orchestrator.config.services import ServiceRole as Role
from omnigap_orchestrator.fleet.child import Child
from omnigap_orchestrator.fleet.fleet import Fleet, FleetError, Roster, ServiceSpec

DEFAULT_SERVICES = (
    ServiceSpec("espeak", Role.TTS, "espeak"),
    ServiceSpec("asr", Role.SCORER, "asr"),
    ServiceSpec("cascade", Role.MODEL, "cascade", {"tts": "@espeak"}),
    ServiceSpec("ocr", Role.READER, "ocr"),
)
"""What runs on a laptop without GPU, Docker or network; each is started only by a call that wants it."""


class EmbeddedFleet(Fleet):
    """Starts services in the order of their references, the independent ones side by side."""

    def __init__(
        self,
        services: Sequence[ServiceSpec],
        folder: Path,
        on_note: Callable[[str], None],
        start_timeout_s: float = START_TIMEOUT_S,
    ) -> None:
        self._services = tuple(services)
        self._folder = folder
        self._note = on_note
        self._start_timeout_s = start_timeout_s
        self._all: list[Child] = []
        self._children: dict[str, list[Child]] = {}

    @property
    def description(self) -> str:
        return f"embedded fleet: {', '.join(spec.name for spec in self._services)} as child processes of this machine"

    async def __aenter__(self) -> Roster:
        waiting = list(self._services)
        try:
            while waiting:
                ready = [spec for spec in waiting if references(spec) <= self._children.keys()]
                if not ready:
                    unknown = sorted(set().union(*map(references, waiting)) - self._children.keys())
                    names = ", ".join(spec.name for spec in waiting)
                    raise FleetError(
                        f"{names} wait for {', '.join(unknown)}: no service of that name can start before them"
                    )
                async with asyncio.TaskGroup() as group:
                    for spec in ready:
                        group.create_task(self._start(spec))
                waiting = [spec for spec in waiting if spec not in ready]
        except BaseException:
            await self._stop()
            raise
        return self._roster()

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _start(self, spec: ServiceSpec) -> None:
        options = {key: self._resolved(value) for key, value in spec.options.items()}
        options_file = self._folder / f"{spec.name}.toml"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            options_file.write_text(tomli_w.dumps(options))
        except OSError as error:
            raise FleetError(
                f"{options_file} cannot be written ({error.strerror}): choose another --run-dir"
            ) from error
        names = [spec.name, *(f"{spec.name}-{number}" for number in range(2, spec.replicas + 1))]
        children = [Child(n, spec.service, options_file, self._folder / f"{n}.log", self._note) for n in names]
        self._all += children
        async with asyncio.TaskGroup() as group:
            for child in children:
                group.create_task(child.start(self._start_timeout_s))
        self._children[spec.name] = children

    async def _stop(self) -> None:
        # Last started first: who calls others stops before those whom it calls.
        for child in reversed(self._all):
            await child.stop()

    def _resolved(self, value: object) -> object:
        return self._children[value[1:]][0].address if isinstance(value, str) and value.startswith("@") else value

    def _roster(self) -> Roster:
        def addresses(role: Role) -> dict[str, tuple[str, ...]]:
            names = [spec.name for spec in self._services if spec.role is role]
            return {name: tuple(child.address for child in self._children[name]) for name in names}

        return Roster(
            models=addresses(Role.MODEL),
            scorer=tuple(chain.from_iterable(addresses(Role.SCORER).values())),
            tts=tuple(chain.from_iterable(addresses(Role.TTS).values())),
            reader=tuple(chain.from_iterable(addresses(Role.READER).values())),
            judge=tuple(chain.from_iterable(addresses(Role.JUDGE).values())),
        )


def references(spec: ServiceSpec) -> set[str]:
    """The services whose addresses a service's options ask for."""
    return {value[1:] for value in spec.options.values() if isinstance(value, str) and value.startswith("@")}
