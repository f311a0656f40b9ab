"""`omnigap-orchestrate models`: the registry of known models, and which services answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import click

from omnigap_orchestrator.cli.options import config_option, friendly
from omnigap_orchestrator.cli.terminal import Terminal, print_json

_MARKS = {"native": "N", "assisted": "a", "unsupported": "-"}


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """A service that was called, with its declared support by condition; empty if it did not answer."""

    name: str
    address: str
    digest: str
    architecture: str
    conditions: dict[str, str]
    random_weights: bool = False


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print the models as JSON.")
@friendly
def models(config: Path | None, as_json: bool) -> None:
    """Show the known models, their support of the six conditions, and which services answer.

    Services are the endpoints of --config; without it, Compose's loopback ports.
    """
    # Local imports keep `--help` fast.
    from omnigap_orchestrator.systems import load_systems

    systems = load_systems()
    services = asyncio.run(_call_all(config))
    if as_json:
        known = [
            {
                "name": system.name,
                "title": system.title,
                "architecture": system.architecture.value,
                "checkpoint": system.checkpoint,
                "licence": system.licence,
                "memory": system.memory,
                "service": system.service,
                "run_here": system.run_here,
                "conditions": {c.name: s.value for c, s in system.conditions.items()},
                "reason": system.reason,
                "source": system.source,
            }
            for system in systems
        ]
        now = [
            {
                "name": a.name,
                "address": a.address,
                "digest": a.digest,
                "conditions": a.conditions,
                "random_weights": a.random_weights,
            }
            for a in services
        ]
        print_json({"known": known, "services": now})
        return
    _print(services)


def _print(services: list[ServiceStatus]) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from omnigap.terminal import visible
    from omnigap.vocabulary import CONDITIONS
    from omnigap_orchestrator.systems import load_systems

    console = Terminal()
    table = Table(box=None, header_style="bold", title="N native, a assisted, - unsupported", title_justify="left")
    for heading in ("system", "architecture", *(condition.name for condition in CONDITIONS), "adapter"):
        table.add_column(heading, no_wrap=True, min_width=3)
    for system in load_systems():
        marks = [_MARKS[system.conditions[condition].value] for condition in CONDITIONS]
        table.add_row(system.name, system.architecture.value, *marks, system.service or "none yet")
    console.print(table)
    for system in load_systems():
        console.print(Text.assemble("\n", (system.name, "bold"), f"  {system.title}, {system.checkpoint}"))
        lines = [system.run_here, system.reason, f"memory: {system.memory}; licence: {system.licence}", system.source]
        for line in filter(None, lines):
            console.print(Padding(line, (0, 0, 0, 4)), style="dim" if line is lines[-1] else None)
    console.print()
    for service in services:
        if service.digest:
            can = " ".join(name for name, support in service.conditions.items() if support != "unsupported")
            console.print(
                Text.assemble(
                    ("answers", "green"),
                    f"   {service.name} at {service.address}: {can}, digest {visible(service.digest[:12])}",
                    (", random weights (--tiny)" * service.random_weights, "red"),
                )
            )
        else:
            console.print(Text.assemble(("no answer", "yellow"), f" {service.name} at {service.address}"))


async def _call_all(config_path: Path | None) -> list[ServiceStatus]:
    from omnigap_orchestrator.config import load_config
    from omnigap_orchestrator.fleet.compose import COMPOSE_PORTS, compose_address
    from omnigap_orchestrator.pipeline.scope import endpoints_of

    config = load_config(config_path)
    endpoints = endpoints_of(config) if config_path is not None else None
    # Without configured endpoints, the services of compose.yaml are the likely ones.
    if endpoints is None:
        places = [(name, address) for name in COMPOSE_PORTS if (address := compose_address(name))]
    else:
        places = [(name, address) for name, addresses in endpoints.models.items() for address in addresses]
        places += [("scorer", address) for address in endpoints.scorer] + [
            ("tts", address) for address in endpoints.tts
        ]
    return list(await asyncio.gather(*(_describe(name, address, config.network.proxy) for name, address in places)))


async def _describe(name: str, address: str, proxy: str) -> ServiceStatus:
    from omnigap.card import has_random_weights
    from omnigap.client import GenerateClient
    from omnigap.convert import architecture_from_proto
    from omnigap.errors import ContractError
    from omnigap.vocabulary import CONDITIONS
    from omnigap_orchestrator.pool import support_in

    async with GenerateClient(address, proxy) as client:
        try:
            card = await client.describe(timeout_s=2.0)
        except ContractError:
            return ServiceStatus(name, address, "", "", {})
    conditions = {condition.name: support_in(card, condition)[0].value for condition in CONDITIONS}
    architecture = architecture_from_proto(card.architecture)
    declared = "" if architecture is None else architecture.value
    return ServiceStatus(name, address, card.digest, declared, conditions, has_random_weights(card))
