"""Faults of connections: models behind proxies that each spoil bytes in another way, then the faults end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.chaos.fault_server import HONEST, SCORER
from tests.chaos.kinds import BY_NAME
from tests.chaos.processes import fault_server
from tests.chaos.proxy import SPOILS, Proxy, Spoil
from tests.chaos.resumed import Resumed, setting_of
from tests.chaos.table import Row
from tests.chaos.verdict import Place, after, during, is_right

ITEMS = 4
_HONEST = replace(BY_NAME["single_letters"], name=HONEST)


async def all_spoils(folder: Path, seed: int, limit_s: float, spoils: Sequence[Spoil] = SPOILS) -> list[Row]:
    """One run with a model behind each proxy; returns a row a fault, and one of an honest model beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [spoil.name for spoil in spoils]
    async with fault_server([*names, HONEST, SCORER], folder / "asked.jsonl") as server:
        proxies = [Proxy(spoil, server.ports[spoil.name], seed) for spoil in spoils]
        for proxy in proxies:
            await proxy.start()
            server.ports[proxy.spoil.name] = proxy.port
        try:
            setting = setting_of(folder, server, [*names, HONEST], ITEMS, request_timeout_s=3)
            done = await Resumed.run(setting, server, lambda: [proxy.reset() for proxy in proxies], limit_s)
        finally:
            for proxy in proxies:
                await proxy.stop()
    rows = []
    for proxy in proxies:
        row, name = Row(proxy.spoil.name, tries=proxy.spoilt), proxy.spoil.name
        _judge(row, proxy, done.during.cells, is_final=False)
        _judge(row, proxy, done.after.cells, is_final=True)
        if twice := [text for text in done.twice if text.startswith(f"{name} ")]:
            row.fail("twice", f"{twice[0]} and others", len(twice))
        rows.append(row)
    beside = Row("an honest model beside")
    during(beside, _HONEST, HONEST, range(ITEMS), done.during)
    after(beside, HONEST, range(ITEMS), done.after)
    done.judge(beside)
    return [*rows, beside]


def _judge(row: Row, proxy: Proxy, cells: Mapping[Place, Mapping[str, Any]], is_final: bool) -> None:
    name, altered = proxy.spoil.name, 0
    for item in range(ITEMS):
        for output in ("text", "speech"):
            cell = cells.get((name, item, output))
            if cell is not None and cell["outcome"] == "answered":
                fault = is_right(name, item, cell)
                # A digest or a number is checked by the client; a letter can't be.
                if fault and proxy.spoil.alters and fault.startswith(("own text", "transcript")):
                    altered += 1
                elif fault:
                    row.fail("wrong", f"item {item} {output}: {fault}")
            elif is_final:
                what = "no row" if cell is None else f"{cell['outcome']} ({cell['error_message']})"
                row.fail("lost", f"item {item} {output} after the fault: {what}")
            elif cell is not None and cell["error_reason"]:
                row.say(f"{cell['error_reason']}: {cell['error_message']}")
    if altered and is_final:
        row.say(f"{altered} answers with other letters: plain TCP can't show that")
