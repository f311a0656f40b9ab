"""Services that run already, at addresses of the configuration or Compose's fixed ports; alone or with other ones."""

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


class CompletedFleet(Fleet):
    """The endpoints of a configuration, and another fleet for what they leave out."""

    def __init__(self, configured: Roster, rest: Fleet) -> None:
        self._configured = configured
        self._rest = rest

    @property
    def description(self) -> str:
        return f"static fleet: the endpoints of the configuration; for the rest, {self._rest.description}"

    async def __aenter__(self) -> Roster:
        rest, configured = await self._rest.__aenter__(), self._configured
        return Roster(
            models={**rest.models, **configured.models},
            scorer=configured.scorer or rest.scorer,
            tts=configured.tts or rest.tts,
            reader=configured.reader or rest.reader,
            judge=configured.judge or rest.judge,
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._rest.__aexit__(kind, value, trace)
