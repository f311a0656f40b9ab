"""Other people's per-item tables, Parquet, CSV or JSONL in any columns, as frames that the analysis takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import polars as pl

from omnigap.vocabulary import Control, Outcome

REQUIRED = ("item_id", "condition", "score")
DEFAULTS = {"model": "model", "task": "all"}
NAMES = ("model", "item_id", "task", "cluster", "condition")
"""Columns that hold names, whatever they look like: 1.1 and 1.10 are two items."""


class TableError(Exception):
    """A table cannot be read as results; the message names the file, the column and the flag that mends it."""


def read_results(
    path: Path, columns: Mapping[str, str] | None = None, told: Mapping[str, str] | None = None
) -> pl.DataFrame:
    """A table of per-item, per-condition scores as a frame that `analyse` takes.

    Args:
        path: its kind is told from the suffix: .parquet, .csv, .tsv, .jsonl or .ndjson.
        columns: our column -> theirs. `item_id`, `condition` and `score` are needed; `model` and `task` default to one
            for all, `cluster` to the item itself; a null score is a missing answer, unless `outcome` says otherwise.
        told: our column -> the value of all rows, in the place of the table's.

    Returns:
        The columns that the analysis needs, and all others of the table as they are.

    Raises:
        TableError: for a file that cannot be read, a column that is not there, or a score that is no number in [0, 1].
    """
    mapping = dict(columns or {})
    frame = _read(path, [mapping.get(name, name) for name in NAMES])
    for ours, theirs in mapping.items():
        if theirs not in frame.columns:
            raise TableError(f"{path} has no column {theirs!r} for {ours}: it has {', '.join(frame.columns)}")
    frame = frame.drop([ours for ours in mapping if ours in frame.columns and mapping[ours] != ours]).rename(
        {theirs: ours for ours, theirs in mapping.items()}
    )
    frame = frame.with_columns(pl.lit(value).alias(name) for name, value in (told or {}).items())
    for name in REQUIRED:
        if name not in frame.columns:
            known = ", ".join(frame.columns)
            raise TableError(f"{path} has no column {name!r}: name theirs with --column {name}=THEIRS ({known})")
    frame = frame.with_columns(pl.lit(value).alias(n) for n, value in DEFAULTS.items() if n not in frame.columns)
    if "cluster" not in frame.columns:
        frame = frame.with_columns(cluster=pl.col("item_id"))
    frame = frame.with_columns(pl.col(NAMES).cast(pl.String))
    frame = frame.with_columns(pl.col("cluster").fill_null(pl.col("item_id")))
    for name in NAMES:
        if unnamed := frame[name].null_count():
            raise TableError(f"{path}: {name} is empty in {unnamed} of {frame.height} rows: fill it, or drop the rows")
    return _with_outcome(path, _with_score(path, frame))


def read_controls(path: Path, columns: Mapping[str, str] | None = None) -> pl.DataFrame:
    """A table of control cells, as `read_results`, with a column `control`: two-pass, blank or repeat.

    Raises:
        TableError: as `read_results`, and without that column, or for another kind of control.
    """
    frame = read_results(path, columns)
    if "control" not in frame.columns:
        raise TableError(f"{path} has no column 'control': it says of each row {', '.join(Control)}")
    unknown = set(frame["control"].unique()) - set(Control)
    if unknown:
        raise TableError(f"{path}: control {sorted(map(str, unknown))[0]!r} is none of {', '.join(Control)}")
    return frame


def join_results(
    paths: Sequence[Path],
    columns: Mapping[str, str] | None = None,
    conditions: Sequence[str] = (),
    models: Sequence[str] = (),
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Several tables as one, paired by item id, with notes on what they lack.

    A row that one condition has and another lacks stands in the result as a failed call: who left it out would count
    the conditions on different items. A task that a condition has no row of was not planned there.

    Args:
        conditions, models: of the tables, in their order, in the place of their columns; one stands for all.

    Raises:
        TableError: as `read_results`, and where the flags do not fit the tables.
    """
    for kind, given in (("--condition", conditions), ("--model", models)):
        if given and len(given) not in (1, len(paths)):
            raise TableError(f"{kind} names {len(given)} for {len(paths)} tables: give one, or one for each table")
    frames = []
    for number, path in enumerate(paths):
        told = {
            name: given[0] if len(given) == 1 else given[number]
            for name, given in (("condition", conditions), ("model", models))
            if given
        }
        frames.append(read_results(path, columns, told))
    frame = frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal_relaxed")
    return _whole(frame)


def _whole(frame: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    notes = []
    planned = frame.select("model", "task", "condition").unique()
    items = frame.select("model", "task", "item_id", "cluster").unique(["model", "item_id"], keep="first")
    lacking = planned.join(items, on=["model", "task"]).join(frame, on=["model", "item_id", "condition"], how="anti")
    if lacking.height:
        notes.append(f"rows that one condition has and another lacks: {lacking.height}; they count as failed calls")
        lacking = lacking.with_columns(outcome=pl.lit(Outcome.FAILED.value))
        frame = pl.concat([frame, lacking], how="diagonal_relaxed")
    if "replicate" not in frame.columns:
        repeated = frame.select("model", "item_id", "condition").is_duplicated().sum()
        if repeated:
            notes.append(
                f"{repeated} rows share item, model and condition with others: they are averaged as replicates"
            )
    return frame, tuple(notes)


def _read(path: Path, names: Sequence[str]) -> pl.DataFrame:
    """The file as it is. Every row is looked at before a column's type is settled: one that starts with whole numbers
    may go on with others, and a key of JSON objects may come late.

    Args:
        names: columns that are text in a file that knows no types.
    """
    text = dict.fromkeys(names, pl.String)

    def separated(file: Path, by: str) -> pl.DataFrame:
        return pl.read_csv(file, separator=by, infer_schema_length=None, schema_overrides=text)

    readers: dict[str, Callable[[Path], pl.DataFrame]] = {
        ".parquet": pl.read_parquet,
        ".csv": lambda file: separated(file, ","),
        ".tsv": lambda file: separated(file, "\t"),
        ".jsonl": lambda file: pl.read_ndjson(file, infer_schema_length=None),
        ".ndjson": lambda file: pl.read_ndjson(file, infer_schema_length=None),
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise TableError(f"{path}: give a file that ends in {', '.join(readers)}")
    try:
        return reader(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise TableError(f"{path} can't be read: {error}") from error


def _with_score(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """Scores as numbers; truth values count as 0 and 1."""
    try:
        frame = frame.with_columns(pl.col("score").cast(pl.Float64))
    except pl.exceptions.PolarsError as error:
        raise TableError(f"{path}: the column of scores holds what is no number: {error}") from error
    outside = frame.filter(~pl.col("score").is_between(0.0, 1.0) & pl.col("score").is_not_nan())
    if outside.height:
        worst = outside["score"][0]
        raise TableError(f"{path}: score {worst} lies outside [0, 1]: divide percentages and ratings before")
    return frame


def _with_outcome(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    if "outcome" not in frame.columns:
        missing = pl.col("score").is_null() | pl.col("score").is_nan()
        outcome = pl.when(missing).then(pl.lit(Outcome.FAILED.value)).otherwise(pl.lit(Outcome.ANSWERED.value))
        return frame.with_columns(outcome=outcome)
    unknown = set(frame["outcome"].unique()) - set(Outcome)
    if unknown:
        known = ", ".join(Outcome)
        raise TableError(f"{path}: outcome {sorted(map(str, unknown))[0]!r} is none of {known}: map another column")
    return frame
