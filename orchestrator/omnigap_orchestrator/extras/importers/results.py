"""Reads result files of a known benchmark as one frame for the analysis, paired by item id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from omnigap.vocabulary import Outcome
from omnigap_orchestrator.config.items import ColumnConfig
from omnigap_orchestrator.extras.importers.files import ResultFile, check_values, listed, result_files, value_for
from omnigap_orchestrator.extras.importers.join import FILE, joined
from omnigap_orchestrator.extras.importers.records import SUFFIXES, Record, read_records, values_from_path
from omnigap_orchestrator.extras.importers.scores import RowScorer
from omnigap_orchestrator.extras.importers.select import RowSelection, Where
from omnigap_orchestrator.items.columns import ColumnReader, path_tail
from omnigap_orchestrator.presets.preset import PresetError, ResultsPreset
from omnigap_orchestrator.validation import names_shown

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
    "gold": pl.String,
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
        frame: of `PUBLISHED_SCHEMA`; rows that a condition lacks are added as pending.
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
    selection: RowSelection | None = None,
) -> Published:
    """Reads and joins result files.

    Args:
        paths: files, and folders: of these, the files whose names fit the preset.
        conditions: conditions of the paths, in their order; they replace those of the path and the rows. One
            condition applies to all.
        models: likewise for the models.
        selection: which rows are used; None: all.

    Raises:
        PresetError: a file has another layout, or its condition is unknown.
    """
    check_values(len(paths), conditions, models)
    selection = selection or RowSelection()
    files, notes = result_files(paths, SUFFIXES)
    files = _of_layout(files, preset, notes)
    frames = [
        _read(
            file.path, preset, value_for(conditions, file.argument), value_for(models, file.argument), selection.where
        )
        for file in files
    ]
    _check_where(frames, selection.where)
    frame = pl.concat([read.frame for read in frames], how="diagonal_relaxed")
    if not frame.height:
        wanted = ", ".join(f"{name}={'|'.join(values)}" for name, values in selection.where.items())
        raise PresetError(f"--where {wanted}: no row of the files has these values")
    if preset.item_id.hash:
        hashed = preset.item_id.hash if isinstance(preset.item_id.hash, tuple) else ()
        named = ", ".join(hashed or (*preset.item_id.column, *preset.item_id.first))
        notes.append(f"files without item ids: items are identified by a hash of {named}")
    frame = _without_mismatched_tasks(frame, preset, notes)
    frame, found = joined(frame, selection, failures_are_written=preset.writes_failures)
    return Published(frame, (*notes, *found), preset.reference)


def _of_layout(files: Sequence[ResultFile], preset: ResultsPreset, notes: list[str]) -> list[ResultFile]:
    """The files without those of folders whose names the preset does not know, such as summaries."""
    kept = [file for file in files if file.root is None or re.search(preset.file, path_tail(str(file.path.absolute())))]
    if len(kept) < len(files):
        others = [str(file.path.relative_to(file.root)) for file in files if file.root and file not in kept]
        notes.append(
            f"{len(others)} files have other names than the preset's result files, and are not read: {listed(others)}"
        )
    if not kept:
        raise PresetError(f"no file has the name of a result file of the preset: {preset.layout}")
    return kept


@dataclass(frozen=True, slots=True)
class _Read:
    """The rows of a file, and the names of all its columns."""

    frame: pl.DataFrame
    names: tuple[str, ...]


def _check_where(files: Sequence[_Read], wanted: Where) -> None:
    for column in wanted:
        if column != FILE and not any(column in file.names for file in files):
            known = dict.fromkeys(name for file in files for name in file.names)
            raise PresetError(f"--where {column}: there is no such column; the files have {names_shown(known)}")


def _read(path: Path, preset: ResultsPreset, condition: str | None, model: str | None, wanted: Where) -> _Read:
    records = read_records(path, preset)
    names = dict.fromkeys(name for row in records for name in row)
    kept = FILE not in wanted or str(path) in wanted[FILE]
    of_rows = {name: values for name, values in wanted.items() if name != FILE}
    rows = [row for row in records if kept and all(str(row.get(name)) in values for name, values in of_rows.items())]
    file = _File(path, preset, names, condition, model)
    out = []
    for number, row in enumerate(rows, start=1):
        try:
            out.append(file.row(row))
        except ValueError as error:
            raise PresetError(f"{path}: row {number}: {error}") from None
    frame = pl.DataFrame(out, schema=PUBLISHED_SCHEMA, orient="row")
    if frame.select("model", "item_id", "condition").is_duplicated().any():
        # Only then, because they are of use only for the note on repeated rows.
        frame = pl.concat([frame, _own_columns(rows, names)], how="horizontal")
    return _Read(frame, tuple(names))


def _own_columns(rows: Sequence[Record], names: Iterable[str]) -> pl.DataFrame:
    """The columns of the file with plain values, as text."""
    plain = [
        name
        for name in names
        if name not in PUBLISHED_SCHEMA and not any(isinstance(row.get(name), Mapping | list) for row in rows)
    ]
    values = {name: [None if row.get(name) is None else str(row[name]) for row in rows] for name in plain}
    return pl.DataFrame(values, schema=dict.fromkeys(plain, pl.String))


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
        gold = preset.scorer.gold if preset.scorer is not None else None
        self._gold = ColumnConfig(first=(gold,)) if gold is not None and self._reader.path_of(gold) else None
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
            raise PresetError(
                f"{self._path}: the condition is unknown: give one for each file or folder with --condition, or say "
                "with --names where it is in the names of the files"
            )
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
            None if self._gold is None else _plain(self._reader.values(self._gold, row)[0]),
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


def _plain(value: object) -> str | None:
    """A gold answer for display; the first one of several."""
    one = value[0] if isinstance(value, list) and value else value
    return None if one is None or isinstance(one, list | Mapping) else str(one)


def _without_mismatched_tasks(frame: pl.DataFrame, preset: ResultsPreset, notes: list[str]) -> pl.DataFrame:
    """Removes tasks whose items are different questions in different conditions: they can't be paired."""
    if not preset.same:
        return frame
    place = ["model", "task"]
    items = frame.group_by(*place, "item_id").agg(differs=pl.col("same").drop_nulls().n_unique() > 1)
    # The whole task is removed: if some ids differ, the equal ones may be equal by chance.
    tasks = items.group_by(place).agg(differing=pl.col("differs").sum(), items=pl.len())
    tasks = tasks.filter(pl.col("differing") > 0)
    if tasks.height:
        parts: dict[str, list[str]] = {}
        for model, task, differing, count in tasks.sort(place).iter_rows():
            parts.setdefault(model, []).append(f"{task} ({differing} of its {count} items)")
        left_out = "; ".join(f"{model}: {', '.join(names)}" for model, names in parts.items())
        notes.append(
            f"tasks are left out, because {', '.join(preset.same)} differs between the files, so that rows with the "
            f"same id are not answers to the same question. {left_out}"
        )
    kept = frame.join(tasks.select(place), on=place, how="anti")
    if not kept.height:
        raise PresetError("no task is left: the same id belongs to different questions, so nothing can be paired")
    return kept
