"""The plan: which cells there are, in the order in which they are asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from omnigap.errors import OmnigapError
from omnigap.vocabulary import CONDITIONS, Architecture, Condition, Control
from omnigap_orchestrator.config.services import DecodingConfig
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.plan.cell import Cell
from omnigap_orchestrator.plan.controls import conditions_of, fits


class PlanError(OmnigapError, ValueError):
    """Nothing can be planned; the message says which flag or key mends it."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model of a run, as its user configured it.

    Attributes:
        name: what reports call it.
        endpoints: `host:port` of each replica.
        conditions: what is planned for it.
        architecture: overrides what the service declares.
    """

    name: str
    endpoints: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = CONDITIONS
    architecture: Architecture | None = None
    system_prompt: str = ""
    decoding: DecodingConfig = field(default_factory=DecodingConfig)
    voice: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All cells of a run. Iterating gives them item by item, so that an interrupted run holds whole items.

    Control cells are counted and iterated apart: they are asked after the cells that they control.
    """

    items: tuple[Item, ...]
    models: tuple[ModelSpec, ...]
    replicates: int = 1
    controls: tuple[Control, ...] = ()

    def __len__(self) -> int:
        return len(self.items) * self.replicates * sum(len(model.conditions) for model in self.models)

    def __iter__(self) -> Iterator[Cell]:
        for replicate in range(self.replicates):
            for item in self.items:
                for model in self.models:
                    for condition in model.conditions:
                        yield Cell(model.name, item.id, condition, replicate)

    @property
    def control_count(self) -> int:
        """How many control cells there are."""
        return sum(
            self.count(condition, control)
            for control in self.controls
            for model in self.models
            for condition in conditions_of(control, model.conditions)
        )

    def count(self, condition: Condition, control: Control | None = None) -> int:
        """How many cells one model has in a condition that it is asked in, or of a control in it."""
        return self.replicates * sum(fits(control, condition, item) for item in self.items)

    def control_cells(self) -> Iterator[Cell]:
        """The control cells, item by item as well."""
        for replicate in range(self.replicates if self.controls else 0):
            for item in self.items:
                for model in self.models:
                    for control in self.controls:
                        for condition in conditions_of(control, model.conditions):
                            if fits(control, condition, item):
                                yield Cell(model.name, item.id, condition, replicate, control)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions that at least one model is asked in, in the order of the vocabulary."""
        planned = {condition for model in self.models for condition in model.conditions}
        return tuple(condition for condition in CONDITIONS if condition in planned)


def make_plan(
    items: Sequence[Item], models: Sequence[ModelSpec], replicates: int = 1, controls: Sequence[Control] = ()
) -> Plan:
    """Checks that a plan can be made of these.

    Raises:
        PlanError: for no items, no models, two models of one name, or less than one replicate.
    """
    if not items:
        raise PlanError("no items are selected: check --items, --task and --limit")
    if not models:
        raise PlanError("no models are configured: add a [[models]] table, or run without --config")
    names = [model.name for model in models]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise PlanError(f"two models are called {twice!r}: give each [[models]] table its own name")
    if replicates < 1:
        raise PlanError(f"replicates is {replicates}: at least 1 is needed ([run] replicates)")
    return Plan(tuple(items), tuple(models), replicates, tuple(controls))
