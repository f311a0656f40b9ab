"""Reads `systems.toml`: one table a system, every condition answered for, every claim with its source."""

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
        service: the service of this repository that serves it; empty where none does yet.
        run_here: how it is run here, or why it cannot be run yet.
        conditions: what the system itself can do in each of the six conditions.
        reason: of every condition that is not native.
        memory: of accelerators, as text.
        source: where the facts were read.
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


def load_registry() -> tuple[System, ...]:
    """All known systems, in the order of the file.

    Raises:
        ValueError: where a row leaves a condition out.
    """
    tables = tomllib.loads(files(__package__).joinpath("systems.toml").read_text(encoding="utf-8"))
    return tuple(_system(name, table) for name, table in tables.items())


def _system(name: str, table: Mapping[str, str]) -> System:
    native = set(table["native"].split())
    assisted = set(table["assisted"].split())
    unknown = (native | assisted) - {condition.name for condition in CONDITIONS}
    if unknown or native & assisted:
        raise ValueError(f"{name}: {', '.join(sorted(unknown or native & assisted))} is no condition, or stands twice")
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
