"""What a run would do, told from its configuration and its journal, without asking any service."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from omnigap_orchestrator.carriers import MediaStore
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.services import ModelConfig
from omnigap_orchestrator.config.services import ServiceRole as Role
from omnigap_orchestrator.fleet import Roster
from omnigap_orchestrator.items import Item
from omnigap_orchestrator.journal import AnswerRow, Journal
from omnigap_orchestrator.plan import make_plan
from omnigap_orchestrator.run.book import Book, last_seen
from omnigap_orchestrator.run.carriers import CarrierFinder
from omnigap_orchestrator.run.folder import RunFolder
from omnigap_orchestrator.run.settings import model_specs, services_of


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """Cells of one model and condition; `seconds_left` is None where nothing was measured yet."""

    model: str
    condition: str
    cells: int
    done: int
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class Preview:
    items: int
    cells: int
    rows: tuple[PreviewRow, ...]


def preview(config: Config, items: Sequence[Item], folder: RunFolder) -> Preview:
    """Counts cells and estimates the time left: open cells times the compute time measured so far in that condition.

    The estimate takes each model's cells one after the other; a service that batches is quicker.
    """
    models = config.models or tuple(ModelConfig(name=s.name) for s in services_of(config) if s.role is Role.MODEL)
    config = config.model_copy(update={"models": models})
    plan = make_plan(items, model_specs(config, Roster({}, (), ())), config.run.replicates)
    per_condition = len(plan.items) * plan.replicates
    done: dict[tuple[str, str], int] = defaultdict(int)
    compute: dict[tuple[str, str], float] = defaultdict(float)
    if folder.exists():
        journal = Journal(folder.journal)
        try:
            cards = last_seen(journal)
            tts_digest = cards.tts.digest if cards.tts is not None else ""
            finder = CarrierFinder(config, MediaStore(folder.media), journal, tts_digest)
            finder.missing(plan)
            seconds = {row.key: row.compute_s for row in journal.all(AnswerRow)}
            for entry in Book(config, plan, finder.set, cards):
                if entry.key in seconds:
                    place = (entry.cell.model, entry.cell.condition.name)
                    done[place] += 1
                    compute[place] += seconds[entry.key]
        finally:
            journal.close()
    rows = []
    for spec in plan.models:
        for condition in spec.conditions:
            place = (spec.name, condition.name)
            left = (per_condition - done[place]) * compute[place] / done[place] if done[place] else None
            rows.append(PreviewRow(*place, per_condition, done[place], left))
    return Preview(len(plan.items), len(plan), tuple(rows))
