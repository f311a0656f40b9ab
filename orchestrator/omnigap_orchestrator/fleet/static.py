"""Services that run already: the addresses come from the configuration, or are Compose's fixed ports."""

from __future__ import annotations

from types import TracebackType

from omnigap_orchestrator.fleet.fleet import Fleet, Roster


class StaticFleet(Fleet):
    """Starts and stops nothing."""

    def __init__(self, roster: Roster, source: str) -> None:
        self._roster = roster
        self._source = source

    @property
    def description(self) -> str:
        return f"static fleet: {self._source}"

    async def __aenter__(self) -> Roster:
        return self._roster

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None
