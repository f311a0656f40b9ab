"""Rows that a condition lacks, and rows that are there twice: what a table joined from several files may hold.

A condition can lack an item for two reasons. Its call failed, and the tool left the row out: then the item counts as
missing, because a condition must not be measured on the items that did not fail. Or the item was never asked there,
because the condition was run on another sample: then it is not part of the condition's plan.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from omnigap.vocabulary import Outcome
from omnigap_orchestrator.extras.importers.files import listed
from omnigap_orchestrator.extras.importers.select import RowSelection, common_items, of_tasks

FILE = "file"
"""Column with the file that a row is from."""
NO_ROW = "NO_ROW"
"""`error_reason` of a row that was added because a condition lacks it."""

OTHER_SAMPLE_SHARE = 0.1
"""Two conditions of a task are of different samples if each has more than this share of items that the other lacks.

Failed calls that a tool leaves out rarely explain it: more than a tenth of the calls of both would have failed, on
different items. A condition whose items are all in another one is never taken for a sample by this rule, since
"2 of 2,000" is what a tool that drops failed calls writes.
"""
_FEWEST = 2
"""Up to this number of items that the other condition lacks, the two are not taken for different samples: the share is
not informative with few items."""

_TASK = ("model", "task")
_CELL = ("item_id", "model", "condition", "replicate")
# Differ between any two answers, so they do not say which kind of row a row is.
_RESULTS = frozenset({"score", "outcome", "answer_used", "normalised_answer", "latency_s", "cluster", "task"})
_MOST_VALUES = 20
"""A column with more values among repeated rows is an answer or a measurement, not a kind of row."""


def joined(
    frame: pl.DataFrame, selection: RowSelection, *, failures_are_written: bool
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The selected rows of all files, with a pending row for each answer that is missing, and notes.

    Raises:
        TableError: nothing is selected.
    """
    notes = []
    frame = of_tasks(frame, selection.tasks)
    if selection.common:
        frame, note = common_items(frame)
        notes.append(note)
    if unpaired := _unpaired_note(frame):
        notes.append(unpaired)
    repeated = repeated_rows_note(frame)
    frame, absent = with_absent_rows(frame, failures_are_written=failures_are_written)
    return frame, (*notes, *absent, *([repeated] if repeated else []))


def _unpaired_note(frame: pl.DataFrame) -> str | None:
    """A note if no item is in two conditions of a model, so that there is nothing to pair."""
    cells = frame.select("model", "item_id", "condition").unique()
    conditions = cells["condition"].unique().sort().to_list()
    if len(conditions) < 2 or cells.select("model", "item_id").is_duplicated().any():
        return None
    examples = [f"{name} {cells.filter(condition=name)['item_id'].min()!r}" for name in conditions[:2]]
    models = frame["model"].n_unique()
    other = " (each condition has a model of its own: is --model missing?)" if models >= len(conditions) else ""
    return (
        f"no item is in two conditions, so no gap can be computed: item ids are, for example, {' and '.join(examples)}"
        f"{other}. Ids start with the task if the file names it; --names says what the file names mean, and --column "
        "item_id=THEIRS chooses another id"
    )


def with_absent_rows(frame: pl.DataFrame, *, failures_are_written: bool) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Adds a pending row for each item that a condition lacks, unless the condition was run on another sample.

    Args:
        frame: with model, task, item_id, cluster, condition and outcome. A task without any row in a condition was not
            planned there.
        failures_are_written: the tool writes a row for a failed call, so that an absent row was never asked.

    Returns:
        The frame, and notes for the reader of the numbers.
    """
    planned = frame.select(*_TASK, "condition").unique()
    items = frame.select(*_TASK, "item_id", "cluster").unique(["model", "item_id"], keep="first")
    lacking = planned.join(items, on=list(_TASK)).join(frame, on=["model", "item_id", "condition"], how="anti")
    if not lacking.height:
        return frame, ()
    sampled = lacking.select(_TASK).unique() if failures_are_written else _other_samples(frame, lacking)
    notes = []
    unasked = lacking.join(sampled, on=list(_TASK), how="semi")
    if unasked.height:
        notes.append(
            f"conditions were run on different samples of items in {_tasks_text(frame, unasked)}: an item that was not "
            "asked in a condition is not a failed call there; gaps use the items of both conditions, and accuracies "
            "those of each one (--common-items: the same items everywhere)"
        )
    missing = lacking.join(sampled, on=list(_TASK), how="anti")
    if missing.height:
        notes.append(
            f"{missing.height} rows are missing in one condition and present in another: counted as missing answers, "
            f"because nothing shows that they were not asked ({_tasks_text(frame, missing)}); --common-items leaves "
            "these items out"
        )
        missing = missing.with_columns(outcome=pl.lit(Outcome.PENDING.value), error_reason=pl.lit(NO_ROW))
        frame = pl.concat([frame, missing], how="diagonal_relaxed")
    return frame, tuple(notes)


def _other_samples(frame: pl.DataFrame, lacking: pl.DataFrame) -> pl.DataFrame:
    """Model and task of the tasks with two conditions of different samples (`OTHER_SAMPLE_SHARE`)."""
    cells = frame.join(lacking.select(_TASK).unique(), on=list(_TASK), how="semi")
    cells = cells.select(*_TASK, "condition", "item_id").unique()
    sizes = cells.group_by(*_TASK, "condition").len("size")
    shared = (
        cells.join(cells, on=[*_TASK, "item_id"], suffix="_other")
        .filter(pl.col("condition") < pl.col("condition_other"))
        .group_by(*_TASK, "condition", "condition_other")
        .len("shared")
    )
    pairs = (
        sizes.join(sizes, on=list(_TASK), suffix="_other")
        .filter(pl.col("condition") < pl.col("condition_other"))
        .join(shared, on=[*_TASK, "condition", "condition_other"], how="left")
        .with_columns(pl.col("shared").fill_null(0))
    )

    def more(size: str) -> pl.Expr:
        alone = pl.col(size) - pl.col("shared").cast(pl.Int64)
        return (alone > _FEWEST) & (alone > OTHER_SAMPLE_SHARE * pl.col(size))

    pairs = pairs.with_columns(pl.col("size", "size_other").cast(pl.Int64))
    return pairs.filter(more("size") & more("size_other")).select(_TASK).unique()


def _tasks_text(frame: pl.DataFrame, lacking: pl.DataFrame) -> str:
    """How many items of a task each condition has, for the first tasks in which one lacks items."""
    tasks = lacking.select(_TASK).unique().sort(_TASK)
    texts = []
    for model, task in tasks.iter_rows():
        part = frame.filter(model=model, task=task)
        counts = part.group_by("condition").agg(pl.col("item_id").n_unique().alias("n")).sort("condition")
        have = ", ".join(f"{condition} {n}" for condition, n in counts.iter_rows())
        texts.append(f"{model}, task {task}: {have} of {part['item_id'].n_unique()} items")
    return "; ".join([*texts[:3], *([f"and {len(texts) - 3} more tasks"] if len(texts) > 3 else [])])


def repeated_rows_note(frame: pl.DataFrame) -> str | None:
    """A note on rows of the same item, model and condition, with the column that differs; None without such rows."""
    cell = [name for name in _CELL if name in frame.columns]
    twice = pl.struct(cell).is_duplicated()
    repeated = frame.filter(twice)
    if not repeated.height:
        return None
    shared = f"{', '.join(cell[:-1]).replace('item_id', 'item')} and {cell[-1]}"
    note = f"{repeated.height} rows have the same {shared} as others: averaged as replicates"
    kinds = _kinds_of_rows(repeated, cell, {*_RESULTS, *cell})
    if not kinds:
        return f"{note}; no column shows how they differ"
    column, values = kinds[0]
    more = f" (also in {', '.join(name for name, _ in kinds[1:4])})" if kinds[1:] else ""
    choose = f"Choose with --where, as in --where {column}={_quoted(values[0])}"
    if column == FILE:
        choose += "; --names says what the names of the files mean, as in --names '{task}_{condition}'"
    return f"{note}; they differ in the column {column!r}{more}: {listed(values, 5)}. {choose}"


def _kinds_of_rows(rows: pl.DataFrame, cell: Sequence[str], known: set[str]) -> list[tuple[str, list[str]]]:
    """Columns whose values tell the rows of a cell apart, the ones with the fewest values first."""
    found = []
    for name, dtype in rows.schema.items():
        if name in known or dtype.is_nested() or dtype.is_float():
            continue
        values = rows[name].drop_nulls().unique().cast(pl.String).sort().to_list()
        if 1 < len(values) <= _MOST_VALUES and not rows.select(*cell, name).is_duplicated().any():
            found.append((name, values))
    return sorted(found, key=lambda kind: len(kind[1]))


def _quoted(value: str) -> str:
    return f"'{value}'" if set(value) & set(" '\"$&;|()<>*?!") else value
