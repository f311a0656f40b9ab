"""The cells of a run, how many are done, and the estimated time left, without calling a service."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from omnigap.vocabulary import Condition, Control
from omnigap_orchestrator.carriers import MediaStore
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.services import ModelConfig
from omnigap_orchestrator.fleet import Endpoints
from omnigap_orchestrator.items import Item
from omnigap_orchestrator.journal import Journal, Records
from omnigap_orchestrator.pipeline.cells import Cards, PlannedCells
from omnigap_orchestrator.pipeline.folder import RunFolder
from omnigap_orchestrator.pipeline.make_carriers import find_carriers
from omnigap_orchestrator.pipeline.scope import model_specs, planned_models
from omnigap_orchestrator.plan import Cell, conditions_of, make_plan

_Group = tuple[str, Condition, Control | None]


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """Cells of one model, condition and control.

    Attributes:
        seconds_left: None until an answer was measured.
        control: kind of control; empty for the cells of the results.
    """

    model: str
    condition: str
    cells: int
    done: int
    seconds_left: float | None
    control: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    items: int
    cells: int
    rows: tuple[PreviewRow, ...]
    control_cells: int = 0


def preview(config: Config, items: Sequence[Item], folder: RunFolder) -> Preview:
    """Counts cells and estimates the time left.

    The estimate is the number of open cells times the mean compute time so far in the same condition. It is an upper
    bound for services that batch, since it assumes one cell after the other.
    """
    # As in a run, the models of the fleet become part of the configuration: the plan depends on them.
    models = config.models or tuple(ModelConfig(name=name) for name in planned_models(config))
    config = config.model_copy(update={"models": models})
    plan = make_plan(items, model_specs(config, Endpoints({}, (), ())), config.run.replicates, config.run.controls)
    done: dict[_Group, int] = defaultdict(int)
    compute: dict[_Group, float] = defaultdict(float)
    if folder.exists():
        journal = Journal(folder.journal)
        try:
            records = Records(journal)
            cards = Cards.last_seen(records)
            carriers = find_carriers(config, plan, MediaStore(folder.media), records, cards.tts_digest)
            # Done means that the journal has the answer under its current key, as in a run.
            for cell, seconds in _answered(PlannedCells(config, plan, carriers, cards), records):
                done[cell.model, cell.condition, cell.control] += 1
                compute[cell.model, cell.condition, cell.control] += seconds
        finally:
            journal.close()
    rows = []
    for control in (None, *plan.controls):
        for spec in plan.models:
            for condition in conditions_of(control, spec.conditions):
                group = (spec.name, condition, control)
                cells = plan.count(condition, control)
                left = (cells - done[group]) * compute[group] / done[group] if done[group] else None
                name = "" if control is None else control.value
                rows.append(PreviewRow(spec.name, condition.name, cells, done[group], left, name))
    return Preview(len(plan.items), len(plan), tuple(rows), plan.control_count)


def _answered(cells: PlannedCells, records: Records) -> Iterator[tuple[Cell, float]]:
    """Answered cells with the seconds of compute of their answer; of both passes, for a two-pass control."""
    for planned in chain(cells, cells.controls()):
        row, before = records.answers.get(planned.key or ""), 0.0
        if row is not None and planned.is_first_pass:
            before = row.compute_s
            row = records.answers.get(cells.second_pass(planned, row.own_text).key or "")
        if row is not None:
            yield planned.cell, before + row.compute_s
