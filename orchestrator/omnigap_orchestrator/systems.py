"""Reads `systems.toml`: one table per system, with its support of every condition and the source of the facts."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from omnigap.vocabulary import CONDITIONS, Architecture, Condition, Support


@dataclass(frozen=True, slots=True)
class System:
    """One known system.

    Attributes:
        service: the omnigap service that serves it; empty if there is none yet.
        run_here: how to run it with omnigap, or why that is not possible yet.
        conditions: the system's own support of each of the six conditions.
        reason: why conditions are not native.
        memory: accelerator memory, as text.
        source: source of the facts.
    """

    name: str
    title: str
    architecture: Architecture
    checkpoint: str
    licence: str
    memory: str
    service: str
    run_here: str
    conditions: Mapping[Condition, Support]
    reason: str
    source: str


def load_systems() -> tuple[System, ...]:
    """Loads all known systems, in the order of the file.

    Raises:
        ValueError: a table names an unknown condition, or names one twice.
    """
    tables = tomllib.loads(files("omnigap_orchestrator").joinpath("systems.toml").read_text(encoding="utf-8"))
    return tuple(_system(name, table) for name, table in tables.items())


def _system(name: str, table: Mapping[str, str]) -> System:
    native = set(table["native"].split())
    assisted = set(table["assisted"].split())
    unknown = (native | assisted) - {condition.name for condition in CONDITIONS}
    if unknown or native & assisted:
        raise ValueError(f"{name}: {', '.join(sorted(unknown or native & assisted))} is unknown or listed twice")
    return System(
        name=name,
        title=table["title"],
        architecture=Architecture(table["architecture"]),
        checkpoint=table["checkpoint"],
        licence=table["licence"],
        memory=table["memory"],
        service=table["service"],
        run_here=table["run_here"],
        conditions={condition: _support(condition.name, native, assisted) for condition in CONDITIONS},
        reason=table["reason"],
        source=table["source"],
    )


def _support(name: str, native: set[str], assisted: set[str]) -> Support:
    if name in native:
        return Support.NATIVE
    return Support.ASSISTED if name in assisted else Support.UNSUPPORTED
