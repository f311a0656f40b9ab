"""What a run's folder holds of its plan: configuration, items and rubrics, written when a run starts and read back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from omnigap.digest import digest_of
from omnigap.vocabulary import Modality
from omnigap_orchestrator.carriers import MediaStore
from omnigap_orchestrator.config import Config, ConfigError, JudgeConfig
from omnigap_orchestrator.config.config import RECALLED
from omnigap_orchestrator.config.removed import without_removed
from omnigap_orchestrator.fleet import Roster
from omnigap_orchestrator.items import Item, write_items
from omnigap_orchestrator.items.row import collect, jsonl_rows
from omnigap_orchestrator.journal import Journal, Records
from omnigap_orchestrator.judging import Rubric, read_rubric, rubric_of
from omnigap_orchestrator.legacy import upgrade_config
from omnigap_orchestrator.pipeline.cells import Cards, PlannedCells
from omnigap_orchestrator.pipeline.folder import FolderError, RunFolder, replacing
from omnigap_orchestrator.pipeline.make_carriers import find_carriers
from omnigap_orchestrator.pipeline.scope import model_specs
from omnigap_orchestrator.plan import Plan, make_plan
from omnigap_orchestrator.validation import FOLDER, faults

StoredPlan = tuple[Config, tuple[Item, ...]]
"""What a run's folder holds of its plan: the configuration as it was understood, and the items."""

RUBRICS_META = "rubrics"
"""The journal's note of the rubrics that its scores follow from."""


def save_plan(folder: RunFolder, journal: Journal, cells: PlannedCells, store: MediaStore) -> Iterator[str]:
    """Writes items and configuration into the folder; yields what a person should know where the plan changed."""
    plan = cells.plan

    def media_path(item: Item, modality: Modality) -> str | None:
        carrier = cells.carriers.get(item.id, modality, 0)
        return None if carrier is None else str(store.path(carrier.sha).relative_to(folder.root))

    with replacing(folder.items) as path:
        write_items(path, plan.items, media_path)
    with replacing(folder.config) as path:
        path.write_text(cells.config.model_dump_json(indent=2), encoding="utf-8")
    models = [[spec.name, [condition.name for condition in spec.conditions]] for spec in plan.models]
    controls = [[control.value for control in plan.controls]] if plan.controls else []
    now = digest_of([folder.items.read_text(encoding="utf-8"), models, plan.replicates, *controls])
    before, count, count_now = journal.meta("plan"), journal.meta("cells"), _count(plan)
    if before is not None and before != now:
        yield f"the plan changed: {count} cells before, {count_now} now; answers that still fit are kept"
    journal.set_meta("plan", now)
    journal.set_meta("cells", count_now)


def _count(plan: Plan) -> str:
    return f"{len(plan)} + {plan.control_count} control" if plan.controls else str(len(plan))


def load_plan(folder: RunFolder) -> StoredPlan:
    """The configuration and the items of a run's folder.

    Raises:
        FolderError: where no run was started there, or another version of omnigap wrote it.
    """
    folder.require()
    if not folder.config.is_file() or not folder.items.is_file():
        raise FolderError(f"{folder.root} holds a run that never came to its plan: run it again")
    # As TOML is read, not by pydantic's own JSON mode: that one knows no path that a validator has already made.
    try:
        read = upgrade_config(json.loads(folder.config.read_text(encoding="utf-8")))
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


def load_cells(config: Config, items: tuple[Item, ...], folder: RunFolder, records: Records) -> PlannedCells:
    """The planned cells of a run's folder as it is now, without any service.

    Args:
        config, items: as `load_plan` gives them.
    """
    plan = make_plan(items, model_specs(config, Roster({}, (), ())), config.run.replicates, config.run.controls)
    cards = Cards.last_seen(records)
    carriers = find_carriers(config, plan, MediaStore(folder.media), records, cards.tts_digest)
    return PlannedCells(config, plan, carriers, cards, load_rubrics(records.journal))


def read_rubrics(config: JudgeConfig | None) -> tuple[Rubric, Rubric] | None:
    """The rubrics as their files are now, for items without and with gold answers; None without a judge.

    Raises:
        RubricError: for a file that can't be read or is no rubric.
    """
    return None if config is None else (read_rubric(config.rubric), read_rubric(config.reference_rubric))


def with_rubrics(config: Config, rubrics: Mapping[str, str]) -> Config:
    """The configuration with other rubrics in `[judge]`.

    Raises:
        ConfigError: where nothing is judged, or for a rubric that does not exist.
    """
    if config.judge is None:
        raise ConfigError("the command line", ["--rubric: this run has no judge: run it with a [judge] section"])
    try:
        judge = JudgeConfig.model_validate({**config.judge.model_dump(), **rubrics}, context={FOLDER: Path()})
    except ValidationError as error:
        raise ConfigError("the command line", faults(error)) from None
    return config.model_copy(update={"judge": judge})


def save_rubrics(journal: Journal, rubrics: tuple[Rubric, Rubric] | None) -> None:
    """Writes the rubrics of this call into the journal: the report reads them there, whatever becomes of the files."""
    kept = json.dumps([[rubric.name, rubric.source, _kind(rubric)] for rubric in rubrics or ()])
    if journal.meta(RUBRICS_META) != kept:
        journal.set_meta(RUBRICS_META, kept)


def load_rubrics(journal: Journal) -> tuple[Rubric, Rubric] | None:
    """The rubrics of the last call."""
    kept = [rubric_of(name, source, kind) for name, source, kind in json.loads(journal.meta(RUBRICS_META) or "[]")]
    return (kept[0], kept[1]) if len(kept) == 2 else None


def _kind(rubric: Rubric) -> str:
    return ".txt" if rubric.prompt == rubric.source.strip() else ".toml"
