"""Reads result files of a known benchmark as one frame for the analysis, paired by item id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from omnigap.vocabulary import Outcome
from omnigap_orchestrator.config.items import ColumnConfig
from omnigap_orchestrator.extras.importers.records import Record, read_records, values_from_path
from omnigap_orchestrator.extras.importers.scores import RowScorer
from omnigap_orchestrator.items.columns import ColumnReader
from omnigap_orchestrator.presets.preset import PresetError, ResultsPreset

_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "file": pl.String,
    "model": pl.String,
    "item_id": pl.String,
    "task": pl.String,
    "cluster": pl.String,
    "condition": pl.String,
    "outcome": pl.String,
    "score": pl.Float64,
    "flags": pl.List(pl.String),
    "answer_used": pl.String,
    # Chance of guessing the item right; null if it is unknown.
    "chance": pl.Float64,
    # Values that must be equal in all rows of an item, joined.
    "same": pl.String,
}
PUBLISHED_SCHEMA = pl.Schema(_COLUMNS)


@dataclass(frozen=True, slots=True)
class Published:
    """Results of a benchmark.

    Attributes:
        frame: of `PUBLISHED_SCHEMA`; rows that a condition lacks are added as failed.
        notes: remarks for the reader of the numbers.
        reference: the reference condition of the gaps.
    """

    frame: pl.DataFrame
    notes: tuple[str, ...]
    reference: str


def read_published(
    paths: Sequence[Path],
    preset: ResultsPreset,
    conditions: Sequence[str] = (),
    models: Sequence[str] = (),
) -> Published:
    """Reads and joins result files.

    Args:
        conditions: conditions of the files, in their order; they replace those of the path and the rows. One
            condition applies to all files.
        models: likewise for the models.

    Raises:
        PresetError: a file has another layout, or its condition is unknown.
    """
    for kind, given in (("--condition", conditions), ("--model", models)):
        if given and len(given) not in (1, len(paths)):
            raise PresetError(f"{kind}: {len(given)} values for {len(paths)} files: give one, or one for each file")
    notes: list[str] = []
    frame = pl.concat(
        [_read(path, preset, _of(conditions, number), _of(models, number)) for number, path in enumerate(paths)]
    )
    if preset.item_id.hash:
        hashed = preset.item_id.hash if isinstance(preset.item_id.hash, tuple) else ()
        named = ", ".join(hashed or (*preset.item_id.column, *preset.item_id.first))
        notes.append(f"files without item ids: items are identified by a hash of {named}")
    frame = _without_mismatched_tasks(frame, preset, notes)
    frame = _with_missing_rows(frame, notes)
    repeated = frame.group_by("model", "item_id", "condition").len().filter(pl.col("len") > 1).height
    if repeated:
        notes.append(f"{repeated} items have several rows in a condition: they are averaged as replicates")
    return Published(frame, tuple(notes), preset.reference)


def _of(given: Sequence[str], number: int) -> str | None:
    return None if not given else given[0] if len(given) == 1 else given[number]


def _read(path: Path, preset: ResultsPreset, condition: str | None, model: str | None) -> pl.DataFrame:
    rows = read_records(path, preset)
    names = dict.fromkeys(name for row in rows for name in row)
    file = _File(path, preset, names, condition, model)
    out = []
    for number, row in enumerate(rows, start=1):
        try:
            out.append(file.row(row))
        except ValueError as error:
            raise PresetError(f"{path}: row {number}: {error}") from None
    return pl.DataFrame(out, schema=PUBLISHED_SCHEMA, orient="row")


class _File:
    """Converts the rows of one file."""

    def __init__(
        self,
        path: Path,
        preset: ResultsPreset,
        names: Iterable[str],
        condition: str | None,
        model: str | None,
    ) -> None:
        self._path, self._preset, self._condition, self._model = str(path), preset, condition, model
        self._from_path = values_from_path(path, preset)
        self._reader = ColumnReader(names, str(path))
        self._columns = preset.columns()
        faults = [fault for name, column in self._columns.items() for fault in self._reader.faults(name, column)]
        if faults:
            raise PresetError("\n".join(faults))
        self._scorer = RowScorer(preset, self._reader, str(path))
        self._same, self._choices = (
            [ColumnConfig(first=(name,)) for name in names if self._reader.path_of(name)]
            for names in (preset.same, preset.chance.choices)
        )

    def row(self, row: Record) -> tuple[object, ...]:
        """The values of a row in the order of `PUBLISHED_SCHEMA`.

        Raises:
            ValueError: the row has no item id.
            PresetError: its condition is unknown, or as `RowScorer.score`.
        """
        preset = self._preset
        condition = self._condition or self._text("condition", row) or preset.default_condition
        if condition is None:
            raise PresetError(f"{self._path}: the condition is unknown: give one for each file with --condition")
        model = self._model or self._text("model", row) or "model"
        task, own_id = self._text("task", row) or "all", self._text("item_id", row)
        if own_id is None:
            raise ValueError("has no item id")
        # Many benchmarks number the items of each task from 0.
        item_id = own_id if task == "all" else f"{task}/{own_id}"
        answer = self._text("answer", row)
        # Most benchmarks write an empty answer when a call failed.
        failed = preset.answer is not None and not preset.blank_is_answer and not (answer or "").strip()
        score, flags = (None, ()) if failed else self._scorer.score(row, task, own_id)
        same = [value for column in self._same if (value := self._reader.values(column, row)[0]) is not None]
        return (
            self._path,
            model,
            item_id,
            task,
            self._text("cluster", row) or item_id,
            # --condition is taken literally; names in the file are mapped to ours.
            condition if self._condition is not None else preset.conditions.get(condition, condition),
            (Outcome.FAILED if score is None else Outcome.ANSWERED).value,
            score,
            list(flags),
            answer,
            self._chance(row, task),
            # The unit separator does not occur in text, so different values can't give the same string.
            "\x1f".join(map(str, same)) if len(same) == len(self._same) > 0 else None,
        )

    def _chance(self, row: Record, task: str) -> float | None:
        """The chance of guessing the item of a row right; None if it is unknown."""
        chance = self._preset.chance
        found = [value for column in self._choices if (value := self._reader.values(column, row)[0])]
        if len(found) == 1 and isinstance(found[0], list | tuple | dict):
            found = list(found[0])
        # One choice is no choice: a text that holds all of them, for example.
        if len(found) > 1:
            return 1 / len(found)
        return chance.tasks.get(task, chance.value)

    def _text(self, name: str, row: Record) -> str | None:
        """A value from the mapped column, from the name of an entry, or from the path."""
        column = self._columns.get(name)
        if column is not None:
            return self._reader.text(column, row, "/")
        own = row.get(name) if self._preset.entries is not None else None
        return str(own) if own is not None else self._from_path.get(name)


def _without_mismatched_tasks(frame: pl.DataFrame, preset: ResultsPreset, notes: list[str]) -> pl.DataFrame:
    """Removes tasks whose items are different questions in different conditions: they can't be paired."""
    if not preset.same:
        return frame
    place = ["model", "task"]
    items = frame.group_by(*place, "item_id").agg(differs=pl.col("same").drop_nulls().n_unique() > 1)
    # The whole task is removed: if some ids differ, the equal ones may be equal by chance.
    tasks = items.group_by(place).agg(differing=pl.col("differs").sum(), items=pl.len())
    tasks = tasks.filter(pl.col("differing") > 0)
    columns = ", ".join(preset.same)
    for model, task, differing, count in tasks.sort(place).iter_rows():
        notes.append(
            f"{model}, task {task}: left out, because {differing} of its {count} items differ between files in "
            f"{columns}: rows with the same id are not answers to the same question"
        )
    kept = frame.join(tasks.select(place), on=place, how="anti")
    if not kept.height:
        raise PresetError("no task is left: the same id belongs to different questions, so nothing can be paired")
    return kept


def _with_missing_rows(frame: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    """Adds the rows that a condition lacks, as failed calls."""
    # Files often omit failed calls. Without these rows a condition would be scored on the items that did not fail,
    # which tend to be easier.
    planned = frame.select("model", "task", "condition").unique()
    items = frame.select("model", "task", "item_id", "cluster").unique(["model", "item_id"], keep="first")
    lacking = planned.join(items, on=["model", "task"]).join(frame, on=["model", "item_id", "condition"], how="anti")
    if lacking.height:
        notes.append(f"{lacking.height} rows are missing in one condition and present in another: counted as failed")
    added = lacking.with_columns(
        outcome=pl.lit(Outcome.FAILED.value),
        **{n: pl.lit(None, t) for n, t in PUBLISHED_SCHEMA.items() if n not in (*lacking.columns, "outcome")},
    )
    return pl.concat([frame, added.select(PUBLISHED_SCHEMA.names()).cast(PUBLISHED_SCHEMA)])
