"""The parts of the suite by name, in a full and in a short form."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import files, hostile, kills, load, media, network, services
from tests.chaos.kinds import BY_NAME, Group
from tests.chaos.table import Row, grouped


@dataclass(frozen=True)
class Settings:
    """How much is tried.

    Attributes:
        folder: for the runs; kept.
        repeats: of the faults of services and connections.
        kills: of the orchestrator, over each kind of fleet; `service_kills` of services.
        damages, load_s: number of damages, seconds of load.
        say: gets lines of progress.
    """

    folder: Path
    seed: int
    say: Callable[[str], None]
    repeats: int = 2
    kills: int = 100
    service_kills: int = 24
    damages: int = 60
    load_s: float = 600.0
    short: bool = False

    @classmethod
    def brief(cls, folder: Path, seed: int, say: Callable[[str], None]) -> Settings:
        """The short form, for continuous integration."""
        return cls(folder, seed, say, 1, 3, 2, 4, 10.0, short=True)

    def draw(self, part: str) -> random.Random:
        """The source of chance of a part: independent of which other parts run."""
        return random.Random(f"{self.seed} {part}")


Part = Callable[[Settings], Awaitable[list[Row]]]


async def of_services(settings: Settings) -> list[Row]:
    """Each kind of `kinds.KINDS`; a row a group."""
    rows = []
    for number in range(settings.repeats):
        limit_s = 120.0 if settings.short else 240.0
        for row in await services.all_rounds(settings.folder / f"services-{number}", limit_s):
            kind = BY_NAME[row.fault]
            row.details = [f"{kind.group} / {line}" for line in row.details]
            row.fault = kind.group
            rows.append(row)
    order = [group.value for group in Group]
    return sorted(grouped(rows), key=lambda row: order.index(row.fault))


async def of_scorers(settings: Settings) -> list[Row]:
    whole = services.SCORER_KINDS[:1] if settings.short else services.SCORER_KINDS
    rows = await services.scorer_rounds(settings.folder / "scorer", 120.0, whole)
    for row in rows[1:]:
        row.fault = "scorer: the whole service"
    return grouped(rows)


async def of_connections(settings: Settings) -> list[Row]:
    rows = []
    for number in range(settings.repeats):
        seed = settings.draw(f"network {number}").randrange(10**9)
        for row in await network.all_spoils(settings.folder / f"network-{number}", seed, 180.0):
            row.details = [f"connection / {line}" for line in row.details]
            row.fault = f"connection: {row.fault}"
            rows.append(row)
    return grouped(rows)


async def of_kills(settings: Settings) -> list[Row]:
    draw = settings.draw("kills")
    return await kills.killed_orchestrators(settings.folder / "kills", settings.kills, settings.kills, draw)


async def of_service_kills(settings: Settings) -> list[Row]:
    return await kills.killed_services(settings.folder / "killed", settings.service_kills, settings.draw("services"))


async def of_media(settings: Settings) -> list[Row]:
    cases = list(hostile.hostile())
    names: tuple[str, ...] = media.SERVICES
    if settings.short:
        settings.draw("media").shuffle(cases)
        cases, names = cases[:30], ("echo",)
    rows = await media.all_services(settings.folder / "media", cases, names)
    return [*rows, await media.as_items(settings.folder / "items", cases[:2] if settings.short else cases, 30.0)]


async def of_files(settings: Settings) -> list[Row]:
    draw = settings.draw("files")
    return await files.damaged(settings.folder / "files", files.sample(settings.damages, draw), draw)


async def of_load(settings: Settings) -> list[Row]:
    return [await load.echo_load(settings.folder / "load", settings.load_s, settings.say)]


PARTS: dict[str, Part] = {
    "services": of_services,
    "scorer": of_scorers,
    "connections": of_connections,
    "kills": of_kills,
    "service-kills": of_service_kills,
    "media": of_media,
    "files": of_files,
    "load": of_load,
}
