"""Faults of services: one model a fault in one run, and an honest model beside them; then the faults end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.chaos.fault_server import HONEST, SCORER
from tests.chaos.kinds import BY_NAME, KINDS, PER_ANSWER, Group, Kind
from tests.chaos.processes import Ended, FaultServer, fault_server, orchestrate
from tests.chaos.table import Row
from tests.chaos.verdict import after, asked_twice, during, seen
from tests.helpers.running import Setting, item

ITEMS = 4
MEMORY_MB = 1_500.0
"""No answer may cost the orchestrator more memory than this; a run of this size takes 200."""
TIMEOUT_S = {Group.TIME: 2.0, Group.SIZES: 20.0}
ROUNDS = (
    (Group.IDENTITY, Group.NUMBERS, Group.EVENTS, Group.BYTES),
    (Group.STATUS,),
    (Group.SIZES,),
    (Group.TIME,),
    (Group.HEALTH, Group.CARDS),
)
"""Groups of kinds that share a run."""
SCORER_KINDS = ("digest_other", "digest_swapped", "never_answers", "always_busy", "unauthenticated", "concurrent_max")
"""Faults of a whole scorer."""
_HONEST = replace(BY_NAME["single_letters"], name=HONEST, whole=False)


def setting_of(folder: Path, server: FaultServer, names: Sequence[str], items: int, **run: object) -> Setting:
    """A run of models of a fault server."""
    rows = [item(f"q-{n}", question=f"Item {n}: what is the capital?", answers=["Paris"]) for n in range(items)]
    table = {"conditions": ["t2t", "t2s"], "patience_s": 1.5, "max_retries": 1, "request_timeout_s": 5, **run}
    scorer = next(name for name in server.ports if name.partition(":")[0] == SCORER)
    models = {name: [server.address(name)] for name in names}
    return Setting(folder, models, [server.address(scorer)], [], items=rows, tables={"run": table})


async def all_rounds(folder: Path, limit_s: float, groups: Sequence[Group] = tuple(Group)) -> list[Row]:
    """Runs all kinds of these groups once, those of a round in one run; returns a row a kind."""
    rows = []
    for number, round_groups in enumerate(ROUNDS):
        kinds = [kind for kind in KINDS if kind.group in round_groups and kind.group in groups]
        if kinds:
            rows += await one_round(folder / f"round-{number}", kinds, limit_s)
    return rows


async def one_round(folder: Path, kinds: Sequence[Kind], limit_s: float) -> list[Row]:
    """Runs kinds together; if the run as a whole was harmed, each alone, which shows which of them did it."""
    rows, harmed = await _run(folder / "together", kinds, limit_s)
    if not harmed or len(kinds) == 1:
        return rows
    gate = asyncio.Semaphore(2)

    async def alone(kind: Kind) -> Row:
        async with gate:
            return (await _run(folder / kind.name, [kind], limit_s))[0][0]

    return list(await asyncio.gather(*map(alone, kinds)))


async def _run(folder: Path, kinds: Sequence[Kind], limit_s: float) -> tuple[list[Row], bool]:
    """One run with faults and one after them. Returns a row a kind, and whether the run itself was harmed."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [*(kind.name for kind in kinds), HONEST]
    rows = {kind.name: Row(kind.name) for kind in kinds}
    async with fault_server([*names, SCORER], folder / "asked.jsonl") as server:
        timeout_s = max(TIMEOUT_S.get(kind.group, 5.0) for kind in kinds)
        setting = setting_of(folder, server, names, ITEMS, request_timeout_s=timeout_s)
        config, run = setting.write(), setting.folder.root
        first = await orchestrate("run", "--config", config, folder=folder, limit_s=limit_s)
        now, count = seen(run, server.requests()), len(server.requests())
        before = dict(now.keys)
        for kind in kinds:
            during(rows[kind.name], kind, ITEMS, now)
            _check_words(rows[kind.name], kind, first)
        beside = Row("honest model beside")
        during(beside, _HONEST, ITEMS, now)
        twice = asked_twice(server.requests()[:count], now.keys)
        server.calm()
        second = first
        # A second time, because the pool may have given up a service that the first command still found faulty.
        for _ in range(2):
            second = await orchestrate("run", "--config", config, folder=folder, limit_s=limit_s)
            if second.code == 0:
                break
        later = server.requests()[count:]
        last = seen(run, later)
        for kind in kinds:
            after(rows[kind.name], kind.name, ITEMS, last)
        after(beside, HONEST, ITEMS, last)
        twice += asked_twice(later, before)
    for name, number in Counter(text.partition(" ")[0] for text in twice).items():
        rows.get(name, beside).fail("twice", f"{number} requests after the answer was journalled", number)
    harmed = _check_end(beside, first, (0, 3)) | _check_end(beside, second, (0,))
    # What harms the neighbour is a fault of the kinds of this run; of several, `one_round` finds which.
    rows[kinds[0].name].add(replace(beside, tries=0))
    return list(rows.values()), harmed or bool(beside.found)


def _check_end(row: Row, ended: Ended, codes: Sequence[int]) -> bool:
    """Whether a command did not end as it should: in time, with one of these exit codes, in bounded memory."""
    found = row.found
    if ended.hung:
        row.fail("hangs", ended.last_line)
    elif ended.code not in codes:
        row.fail("other", f"exit code {ended.code}: {ended.traceback or ended.last_line}")
        row.say(ended.traceback or ended.last_line)
    elif ended.traceback:
        row.fail("other", f"traceback: {ended.traceback}")
    if ended.peak_mb > MEMORY_MB:
        row.fail("other", f"{ended.peak_mb:.0f} MB of memory")
    return row.found > found


def _check_words(row: Row, kind: Kind, ended: Ended) -> None:
    """Whether the user was told: a message of a cell, or a note that names the model."""
    notes = [line for line in ended.err.splitlines() if kind.name in line]
    for note in notes[:1]:
        row.say(note)
    told = " ".join([*row.messages, ended.err])
    if row.tries and kind.says and kind.says.lower() not in told.lower():
        row.fail("other", f"no message says {kind.says!r}")


async def scorer_rounds(folder: Path, limit_s: float, whole: Sequence[str] = SCORER_KINDS) -> list[Row]:
    """Faults of the scorer: single transcripts, and the whole service."""
    rows = [await _spoilt(folder / "spoilt", "spoilt", 2 * len(PER_ANSWER), limit_s)]
    for name in whole:
        rows.append(await _spoilt(folder / name, name, ITEMS, limit_s))
    return rows


async def _spoilt(folder: Path, fault: str, items: int, limit_s: float) -> Row:
    """An honest model and a faulty scorer."""
    folder.mkdir(parents=True, exist_ok=True)
    row, scorer = Row(f"scorer: {fault}"), f"{SCORER}:{fault}"
    whole = fault in BY_NAME
    async with fault_server([HONEST, scorer], folder / "asked.jsonl") as server:
        setting = setting_of(folder, server, [HONEST], items, request_timeout_s=2)
        config, run = setting.write(), setting.folder.root
        first = await orchestrate("run", "--config", config, folder=folder, limit_s=limit_s)
        requests = server.requests()
        now = seen(run, requests)
        hit = {(HONEST, r["item"], "speech") for r in requests if r["name"] == scorer and r["hit"]}
        # The scorer is asked for text; what is hit is the speech answer that it transcribes.
        now.asked = hit
        kind = replace(_HONEST, whole=whole, must=BY_NAME[fault].must if whole else PER_ANSWER[0].must)
        if whole:
            during(row, kind, items, now, scorer)
        else:
            during(row, replace(kind, must=BY_NAME["error_midway"].must), items, now, scorer)
        row.tries = len(hit)
        server.calm()
        second = first
        for _ in range(2):
            second = await orchestrate("run", "--config", config, folder=folder, limit_s=limit_s)
            if second.code == 0:
                break
        later = server.requests()[len(requests) :]
        after(row, HONEST, items, seen(run, later), scorer)
        twice = asked_twice(requests, now.keys) + asked_twice(later, now.keys)
        if twice:
            row.fail("twice", f"{len(twice)} requests after the answer was journalled", len(twice))
    _check_end(row, first, (0, 3))
    _check_end(row, second, (0,))
    return row
