"""Faults of connections: models behind proxies that each spoil bytes in another way, then the faults end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.chaos.fault_server import HONEST, SCORER
from tests.chaos.kinds import BY_NAME, Must
from tests.chaos.processes import fault_server, orchestrate
from tests.chaos.proxy import SPOILS, Proxy, Spoil
from tests.chaos.services import ITEMS, _check_end, setting_of
from tests.chaos.table import Row
from tests.chaos.verdict import asked_twice, is_right, seen

_KIND = replace(BY_NAME["single_letters"], must=Must.ANY, whole=True)


async def all_spoils(folder: Path, seed: int, limit_s: float, spoils: Sequence[Spoil] = SPOILS) -> list[Row]:
    """One run with a model behind each proxy; returns a row a fault."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = {spoil.name: Row(spoil.name) for spoil in spoils}
    beside = Row("honest model beside")
    names = [spoil.name for spoil in spoils]
    async with fault_server([*names, HONEST, SCORER], folder / "asked.jsonl") as server:
        proxies = [Proxy(spoil, server.ports[spoil.name], seed) for spoil in spoils]
        for proxy in proxies:
            await proxy.start()
        direct, ports = dict(server.ports), {proxy.spoil.name: proxy.port for proxy in proxies}
        server.ports = {**direct, **ports}
        try:
            setting = setting_of(folder, server, [*names, HONEST], ITEMS, request_timeout_s=3)
            config, run = setting.write(), setting.folder.root
            first = await orchestrate("run", "--config", config, folder=folder, limit_s=limit_s)
            requests = server.requests()
            now = seen(run, requests)
            for proxy in proxies:
                _judge(rows[proxy.spoil.name], proxy, now.cells, final=False)
            for proxy in proxies:
                proxy.reset()
            second = first
            for _ in range(2):
                second = await orchestrate("run", "--config", config, folder=folder, limit_s=limit_s)
                if second.code == 0:
                    break
            later = server.requests()[len(requests) :]
            last = seen(run, later)
            for proxy in proxies:
                _judge(rows[proxy.spoil.name], proxy, last.cells, final=True)
            for text in asked_twice(later, now.keys):
                rows.get(text.partition(" ")[0], beside).fail("twice", text)
            _judge_beside(beside, now.cells)
        finally:
            for proxy in proxies:
                await proxy.stop()
    _check_end(beside, first, (0, 3))
    _check_end(beside, second, (0,))
    return [*rows.values(), beside]


def _judge(row: Row, proxy: Proxy, cells: dict, final: bool) -> None:
    name = proxy.spoil.name
    altered = 0
    for item in range(ITEMS):
        for output in ("text", "speech"):
            cell = cells.get((name, item, output))
            row.tries += not final
            if cell is not None and cell["outcome"] == "answered":
                fault = is_right(name, item, cell)
                if fault and proxy.spoil.alters and not fault.startswith(("model digest", "scorer digest", "numbers")):
                    altered += 1
                elif fault:
                    row.fail("wrong", f"item {item} {output}: {fault}")
            elif final:
                what = "no row" if cell is None else f"{cell['outcome']} ({cell['error_message']})"
                row.fail("lost", f"item {item} {output} after the fault: {what}")
            elif cell is not None and cell["error_reason"]:
                row.say(f"{cell['error_reason']}: {cell['error_message']}")
    if altered and final:
        row.say(f"{altered} answers with other letters: plain TCP can't show that")


def _judge_beside(row: Row, cells: dict) -> None:
    for item in range(ITEMS):
        for output in ("text", "speech"):
            cell = cells.get((HONEST, item, output))
            row.tries += 1
            if cell is None or cell["outcome"] != "answered":
                row.fail("lost", f"item {item} {output}: {'no row' if cell is None else cell['outcome']}")
            elif fault := is_right(HONEST, item, cell):
                row.fail("wrong", f"item {item} {output}: {fault}")
