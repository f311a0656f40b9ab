"""What a run's folder says of itself: the items and the configuration that its plan was made of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from omnigap.digest import digest_of
from omnigap.vocabulary import Modality
from omnigap_orchestrator.carriers import MediaStore
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.load import without_removed
from omnigap_orchestrator.config.model import RECALLED
from omnigap_orchestrator.fleet import Roster
from omnigap_orchestrator.items import Item, write_items
from omnigap_orchestrator.items.collect import collect
from omnigap_orchestrator.items.jsonl import jsonl_rows
from omnigap_orchestrator.journal import Journal
from omnigap_orchestrator.plan import Plan, make_plan
from omnigap_orchestrator.run.atomic import replacing
from omnigap_orchestrator.run.book import Book, last_seen
from omnigap_orchestrator.run.carriers import CarrierFinder
from omnigap_orchestrator.run.folder import FolderError, RunFolder
from omnigap_orchestrator.run.judge import kept_rubrics
from omnigap_orchestrator.run.settings import model_specs


def remember_plan(folder: RunFolder, journal: Journal, book: Book, store: MediaStore) -> Iterator[str]:
    """Writes items and configuration into the folder; yields what a person should know where the plan changed."""
    plan = book.plan

    def media_path(item: Item, modality: Modality) -> str | None:
        carrier = book.carriers.get(item.id, modality, 0)
        return None if carrier is None else str(store.path(carrier.sha).relative_to(folder.root))

    with replacing(folder.items) as path:
        write_items(path, plan.items, media_path)
    with replacing(folder.config) as path:
        path.write_text(book.config.model_dump_json(indent=2), encoding="utf-8")
    models = [[spec.name, [condition.name for condition in spec.conditions]] for spec in plan.models]
    controls = [[control.value for control in plan.controls]] if plan.controls else []
    now = digest_of([folder.items.read_text(encoding="utf-8"), models, plan.replicates, *controls])
    before, cells, cells_now = journal.meta("plan"), journal.meta("cells"), _cells(plan)
    if before is not None and before != now:
        yield f"the plan changed: {cells} cells before, {cells_now} now; answers that still fit are kept"
    journal.set_meta("plan", now)
    journal.set_meta("cells", cells_now)


def _cells(plan: Plan) -> str:
    return f"{len(plan)} + {plan.control_count} control" if plan.controls else str(len(plan))


def recall(folder: RunFolder) -> tuple[Config, tuple[Item, ...]]:
    """The configuration and the items of a run's folder.

    Raises:
        FolderError: where no run was started there, or another version of omnigap wrote it.
    """
    folder.require()
    if not folder.config.is_file() or not folder.items.is_file():
        raise FolderError(f"{folder.root} holds a run that never came to its plan: run it again")
    # As TOML is read, not by pydantic's own JSON mode: that one knows no path that a validator has already made.
    try:
        read = json.loads(folder.config.read_text(encoding="utf-8"))
        if isinstance(read, dict):
            read, removed = without_removed(read)
            _refuse(folder, removed)
        config = Config.model_validate(read, context={RECALLED: True})
    except ValueError as error:
        text = f"{folder.config} is not what this omnigap writes ({error})"
        raise FolderError(f"{text}: give the run's own --config again, or choose another --run-dir") from error
    return config, collect(jsonl_rows(folder.items))


def _refuse(folder: RunFolder, removed: Sequence[str]) -> None:
    if removed:
        told = "\n".join(f"{folder.config}: {fault}" for fault in removed)
        raise FolderError(f"{told}, or give the run's own --config without it")


def open_book(folder: RunFolder, journal: Journal) -> Book:
    """The book of a run as it stands, without any service: what `report` and `score` read.

    Raises:
        FolderError: where no run was started there.
    """
    config, items = recall(folder)
    plan = make_plan(items, model_specs(config, Roster({}, (), ())), config.run.replicates, config.run.controls)
    cards = last_seen(journal)
    finder = CarrierFinder(config, MediaStore(folder.media), journal, cards.tts.digest if cards.tts is not None else "")
    finder.missing(plan)
    finder.missing_blanks(plan)
    return Book(config, plan, finder.set, cards, kept_rubrics(journal))
