"""The part of the imported rows that is analysed: --where, --task and --common-items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import polars as pl

from omnigap_orchestrator.extras.importers.files import listed
from omnigap_orchestrator.results import TableError
from omnigap_orchestrator.validation import names_shown

NO_TASK = "all"
"""Task of rows whose file names none."""

Where = Mapping[str, Sequence[str]]
"""Column -> the values of it that are used; a row must fit every column."""


@dataclass(frozen=True, slots=True)
class RowSelection:
    """Which rows are analysed.

    Attributes:
        tasks: names or patterns of tasks; empty for all.
        common: only items that every condition has.
    """

    where: Where = field(default_factory=dict)
    tasks: tuple[str, ...] = ()
    common: bool = False


def parse_where(texts: Iterable[str]) -> dict[str, list[str]]:
    """`COLUMN=VALUE` as a column with its values; several values of one column are alternatives.

    Raises:
        ValueError: a text is of another form.
    """
    found: dict[str, list[str]] = {}
    for text in texts:
        column, equals, value = text.partition("=")
        if not column or not equals:
            raise ValueError(f"{text!r}: write COLUMN=VALUE, as in filter=strict-match")
        found.setdefault(column, []).append(value)
    return found


def where(frame: pl.DataFrame, wanted: Where, source: str) -> pl.DataFrame:
    """The rows whose columns have one of the wanted values, compared as text.

    Raises:
        TableError: there is no such column, or no such row.
    """
    for column, values in wanted.items():
        if column not in frame.columns:
            raise TableError(
                f"{source}: --where {column}: there is no such column; it has {names_shown(frame.columns)}"
            )
        text = _as_text(frame, column)
        # polars writes true, Python tools write True.
        chosen = [value.lower() for value in values] if frame.schema[column] == pl.Boolean else list(values)
        kept = frame.filter(text.is_in(chosen))
        if not kept.height:
            known = listed(text.drop_nulls().unique().sort().to_list(), 8)
            raise TableError(f"{source}: --where {column}={values[0]}: no row has this value; it has {known}")
        frame = kept
    return frame


def _as_text(frame: pl.DataFrame, column: str) -> pl.Series:
    values = frame[column]
    if values.dtype.is_nested():
        raise TableError(f"--where {column}: the column has type {values.dtype}: choose a column with plain values")
    return values.cast(pl.String)


def of_tasks(frame: pl.DataFrame, tasks: Sequence[str]) -> pl.DataFrame:
    """The rows of some tasks. If the files name no tasks, a single name is the task of all rows.

    Args:
        tasks: names, or patterns with * and ?.

    Raises:
        TableError: there is no such task.
    """
    if not tasks:
        return frame
    known = frame["task"].unique().sort().to_list()
    if known == [NO_TASK] and len(tasks) == 1 and not set(tasks[0]) & set("*?"):
        return frame.with_columns(task=pl.lit(tasks[0]))
    chosen: set[str] = set()
    for task in tasks:
        matching = [name for name in known if name == task or fnmatchcase(name, task)]
        if not matching:
            raise TableError(f"--task {task}: no row has this task; the tables have {listed(known, 20)}")
        chosen.update(matching)
    return frame.filter(pl.col("task").is_in(sorted(chosen)))


def common_items(frame: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """The items that every condition of their model has a row for, and a note on how many these are.

    A failed call is a row: whether a call failed must not decide whether its item is used.

    Raises:
        TableError: there is no such item.
    """
    cells = frame.select("model", "item_id", "condition").unique()
    conditions = cells.group_by("model").agg(conditions=pl.col("condition").n_unique())
    counts = cells.group_by("model", "item_id").len("found").join(conditions, on="model")
    common = counts.filter(pl.col("found") == pl.col("conditions")).select("model", "item_id")
    kept = frame.join(common, on=["model", "item_id"], how="semi")
    if not kept.height:
        sizes = cells.group_by("model", "condition").len("n").sort("model", "condition")
        have = ", ".join(f"{model} {condition} {n}" for model, condition, n in sizes.iter_rows())
        raise TableError(f"--common-items: no item is in every condition of its model ({have}): leave the flag out")
    parts = []
    for model, every in cells.group_by("model").agg(pl.col("item_id").n_unique()).sort("model").iter_rows():
        left = kept.filter(model=model)
        tasks = sorted(set(frame.filter(model=model)["task"].unique()) - set(left["task"].unique()))
        without = f", none of {listed(tasks, 8)}" if tasks else ""
        parts.append(f"{model}: {left['item_id'].n_unique()} of {every} items are in every condition{without}")
    return kept, f"--common-items: {'; '.join(parts)}"
