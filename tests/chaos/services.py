"""Faults of services: many kinds in one run, an honest model beside them, and the same command after the faults."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from tests.chaos.fault_server import HONEST, SCORER
from tests.chaos.kinds import BY_NAME, KINDS, MIXED, PER_ANSWER, Group, Kind, Must
from tests.chaos.processes import fault_server
from tests.chaos.resumed import Resumed, setting_of
from tests.chaos.table import Row
from tests.chaos.verdict import after, during

ITEMS = 4
MOST = 12
"""More requests than this for one cell in one command, with one retry and little patience, are a loop."""
SCORER_KINDS = ("digest_other", "digest_swapped", "never_answers", "always_busy", "unauthenticated", "concurrent_max")
"""Faults of a whole scorer."""
_HONEST = replace(BY_NAME["single_letters"], name=HONEST)


@dataclass(frozen=True)
class Round:
    """Kinds that share a run.

    Attributes:
        mixed: the model of `MIXED` whose items they hit; empty: a model for each kind.
    """

    name: str
    kinds: tuple[Kind, ...]
    mixed: str = ""
    timeout_s: float = 5.0

    @property
    def models(self) -> list[str]:
        return [self.mixed] if self.mixed else [kind.name for kind in self.kinds]

    @property
    def items(self) -> int:
        return 2 * len(self.kinds) if self.mixed else ITEMS

    def hit(self, kind: Kind) -> tuple[str, range]:
        """The model and the items of a kind: the hit ones, and honest ones beside them."""
        if not self.mixed:
            return kind.name, range(ITEMS)
        place = 2 * self.kinds.index(kind)
        return self.mixed, range(place, place + 2)


def _whole(*groups: Group) -> tuple[Kind, ...]:
    return tuple(kind for kind in KINDS if kind.group in groups and kind.whole)


ROUNDS = (
    Round("answers", MIXED["mixed"], "mixed"),
    Round("sizes", MIXED["mixed-sizes"], "mixed-sizes", timeout_s=20.0),
    Round("identity", _whole(Group.IDENTITY, Group.STATUS)),
    Round("time", _whole(Group.TIME), timeout_s=2.0),
    Round("cards", _whole(Group.HEALTH, Group.CARDS)),
)


async def all_rounds(folder: Path, limit_s: float) -> list[Row]:
    """Runs every kind once; returns a row a kind."""
    # Two at a time: many of them wait for time limits.
    gate = asyncio.Semaphore(2)

    async def one(each: Round) -> list[Row]:
        async with gate:
            return await one_round(folder / each.name, each, limit_s)

    return list(chain.from_iterable(await asyncio.gather(*map(one, ROUNDS))))


async def one_round(folder: Path, together: Round, limit_s: float) -> list[Row]:
    """Runs kinds together; if the run as a whole was harmed, each alone, which shows which of them did it."""
    rows, is_whole = await run_round(folder / "together", together, limit_s)
    if is_whole:
        return rows
    gate = asyncio.Semaphore(2)

    async def alone(kind: Kind) -> Row:
        async with gate:
            single = Round(kind.name, (kind,), timeout_s=together.timeout_s)
            return (await run_round(folder / kind.name, single, limit_s))[0][0]

    return list(await asyncio.gather(*map(alone, together.kinds)))


async def run_round(folder: Path, together: Round, limit_s: float) -> tuple[list[Row], bool]:
    """One run with faults and one after them. Returns a row a kind, and whether the honest model was spared."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [*together.models, HONEST]
    async with fault_server([*names, SCORER], folder / "asked.jsonl") as server:
        setting = setting_of(folder, server, names, together.items, request_timeout_s=together.timeout_s)
        done = await Resumed.run(setting, server, server.calm, limit_s)
    rows = []
    for kind in together.kinds:
        row, (model, items) = Row(kind.name), together.hit(kind)
        during(row, kind, model, items, done.during)
        # These spoil no single answer: the service is what is tried.
        row.tries += kind.group in (Group.HEALTH, Group.CARDS)
        _check_words(row, kind, model, done)
        after(row, model, items, done.after)
        if (most := max((done.during.asked[model, n, o] for n in items for o in ("text", "speech")), default=0)) > MOST:
            row.fail("hangs", f"{most} requests for one cell in one command")
        twice = [text for text in done.twice if text.startswith(tuple(f"{model} item {n} " for n in items))]
        if twice:
            row.fail("twice", f"{twice[0]} and others", len(twice))
        rows.append(row)
    beside = Row("honest model beside")
    during(beside, _HONEST, HONEST, range(together.items), done.during)
    after(beside, HONEST, range(together.items), done.after)
    done.judge(beside)
    # What harms the neighbour is a fault of the kinds of this run; of several, `one_round` finds which.
    rows[0].add(replace(beside, tries=0))
    return rows, not beside.found


def _check_words(row: Row, kind: Kind, model: str, done: Resumed) -> None:
    """Whether the user was told: a message of a cell, or a note that names the model."""
    if model == kind.name:
        for line in done.first.err.splitlines():
            if model in line:
                row.say(line.partition(" s ")[2] or line)
                break
    told = " ".join([*row.messages, done.first.err])
    if row.tries and kind.says and kind.says.lower() not in told.lower():
        row.fail("other", f"no message says {kind.says!r}")


async def scorer_rounds(folder: Path, limit_s: float, whole: Sequence[str] = SCORER_KINDS) -> list[Row]:
    """Faults of the scorer: single transcripts, and the whole service."""
    sizes = {"spoilt": 2 * len(PER_ANSWER), **dict.fromkeys(whole, ITEMS)}
    gate = asyncio.Semaphore(2)

    async def one(fault: str, items: int) -> Row:
        async with gate:
            return await _with_scorer(folder / fault, fault, items, limit_s)

    return list(await asyncio.gather(*(one(fault, items) for fault, items in sizes.items())))


async def _with_scorer(folder: Path, fault: str, items: int, limit_s: float) -> Row:
    """An honest model and a faulty scorer."""
    folder.mkdir(parents=True, exist_ok=True)
    row, scorer = Row(f"scorer: {fault}"), f"{SCORER}:{fault}"
    must, whole = (BY_NAME[fault].must, True) if fault in BY_NAME else (Must.UNANSWERED, False)
    async with fault_server([HONEST, scorer], folder / "asked.jsonl") as server:
        setting = setting_of(folder, server, [HONEST], items, request_timeout_s=2)
        done = await Resumed.run(setting, server, server.calm, limit_s)
    # The scorer is asked for text; what is hit is the speech answer that it transcribes.
    now = replace(
        done.during, asked=Counter((HONEST, item, "speech") for name, item, _ in done.during.asked if name == scorer)
    )
    during(row, replace(_HONEST, must=must, whole=whole), HONEST, range(items), now, scorer)
    after(row, HONEST, range(items), done.after, scorer)
    if done.twice:
        row.fail("twice", f"{done.twice[0]} and others", len(done.twice))
    done.judge(row)
    return row
