"""Columns of a foreign table in the types that the analysis computes with, or an error that names the value."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from omnigap.vocabulary import Control, Outcome
from omnigap_orchestrator.extras.importers.records import first_fault, other_separator
from omnigap_orchestrator.results import CONTROLS_SCHEMA, TableError

_READ_APART = ("score", "outcome", "replicate")
_SHARES = {
    "chance": "give 1 over the number of choices",
    "own_text_score": "divide percentages and ratings before",
    "second_score": "divide percentages and ratings before",
}
_WORDS = {"true": "1", "false": "0", "": None}


def with_fitting_columns(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame, its columns of `CONTROLS_SCHEMA` as that has them: a file of text knows no types, and others differ.

    Raises:
        TableError: for a column that is something else, or a share beyond [0, 1].
    """
    for name, wanted in CONTROLS_SCHEMA.items():
        if name in frame.columns and name not in _READ_APART and frame.schema[name] != wanted:
            frame = frame.with_columns(_fitting(path, frame[name], wanted))
    for name, mend in _SHARES.items():
        if name in frame.columns:
            beyond = frame.filter(~pl.col(name).is_between(0.0, 1.0) & pl.col(name).is_not_nan())
            if beyond.height:
                raise TableError(f"{path}: {name} {beyond[name][0]} lies outside [0, 1]: {mend}")
    return frame


def numbers(path: Path, column: pl.Series, mend: str) -> pl.Series:
    """A column as numbers: those of text too, with true and false as 1 and 0; blank text is null.

    Args:
        mend: what the error tells to do.

    Raises:
        TableError: for a value that is no number.
    """
    if column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null):
        return column.cast(pl.Float64)
    if column.dtype != pl.String:
        raise TableError(f"{path}: {column.name} holds {column.dtype}, not numbers: {mend}")
    text = column.str.strip_chars().str.to_lowercase().replace(_WORDS)
    read = text.cast(pl.Float64, strict=False)
    strange = column.filter(text.is_not_null() & read.is_null())
    if len(strange):
        rows = f"{len(strange)} of {len(column)} rows"
        raise TableError(f"{path}: {column.name} {strange[0]!r} is no number (so in {rows}): {mend}")
    return read


def _fitting(path: Path, column: pl.Series, wanted: pl.DataType) -> pl.Series:
    mend = f"mend the column, or rename it where it is something else than the {column.name} of results.parquet"
    if isinstance(wanted, pl.List):
        if isinstance(column.dtype, pl.List) or column.null_count() == len(column):
            return column.cast(wanted)
        held = column.drop_nulls()[0]
        raise TableError(f"{path}: {column.name} {held!r} is no list, which Parquet and JSONL can hold: {mend}")
    if wanted.is_numeric():
        return numbers(path, column, mend)
    if column.dtype.is_nested():
        raise TableError(f"{path}: {column.name} holds {column.dtype}, not text: {mend}")
    return column.cast(pl.String)


# Other people's per-item tables, Parquet, CSV or JSONL in any columns, as frames that the analysis takes.

REQUIRED = ("item_id", "condition", "score")
DEFAULTS = {"model": "model", "task": "all"}
NAMES = ("model", "item_id", "task", "cluster", "condition")
"""Columns that hold names, whatever they look like: 1.1 and 1.10 are two items."""


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
        TableError: for a file that cannot be read or holds no rows, a column that is not there or holds what it cannot,
            a score that is no number in [0, 1], and rows of control cells.
    """
    frame = _results(path, columns, told)
    kinds = frame["control"].drop_nulls().unique().to_list() if "control" in frame.columns else []
    if kinds and set(kinds) <= set(Control):
        raise TableError(
            f"{path} holds control cells ({', '.join(sorted(kinds))}), which are no answers of their conditions: give "
            "the results.parquet beside it, and this one with --controls"
        )
    return frame


def _results(
    path: Path, columns: Mapping[str, str] | None = None, told: Mapping[str, str] | None = None
) -> pl.DataFrame:
    mapping = dict(columns or {})
    frame = _read(path, [mapping.get(name, name) for name in NAMES])
    for ours, theirs in mapping.items():
        if ours not in CONTROLS_SCHEMA:
            near = get_close_matches(ours, CONTROLS_SCHEMA, n=1)
            mend = f"did you mean {near[0]!r}?" if near else f"take one of {', '.join(CONTROLS_SCHEMA)}"
            raise TableError(f"--column {ours}={theirs}: {ours!r} is no column of ours: {mend}")
        if theirs not in frame.columns:
            raise TableError(f"{path} has no column {theirs!r} for {ours}: it has {', '.join(frame.columns)}")
    used = [mapping.get(name, name) for name in CONTROLS_SCHEMA]
    # So polars names the second of two columns with one name.
    if twice := [name for name in used if f"{name}_duplicated_0" in frame.columns]:
        raise TableError(f"{path} has two columns called {twice[0]!r}: rename one of them")
    rest = [name for name in frame.columns if name not in mapping and name not in mapping.values()]
    frame = frame.select(*(pl.col(theirs).alias(ours) for ours, theirs in mapping.items()), *rest)
    frame = frame.with_columns(pl.lit(value).alias(name) for name, value in (told or {}).items())
    for name in REQUIRED:
        if name not in frame.columns:
            known = ", ".join(frame.columns)
            mend = other_separator(frame.columns) or f": name theirs with --column {name}=THEIRS"
            raise TableError(f"{path} has no column {name!r}{mend} ({known})")
    if frame.is_empty():
        raise TableError(f"{path} holds no rows: give a table of one row for each item and condition")
    frame = frame.with_columns(pl.lit(value).alias(n) for n, value in DEFAULTS.items() if n not in frame.columns)
    if "cluster" not in frame.columns:
        frame = frame.with_columns(cluster=pl.col("item_id"))
    frame = with_fitting_columns(path, frame)
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
    frame = _results(path, columns)
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
    cell = [name for name in ("item_id", "model", "condition", "replicate") if name in frame.columns]
    if repeated := frame.select(cell).is_duplicated().sum():
        shared = f"{', '.join(cell[:-1]).replace('item_id', 'item')} and {cell[-1]}"
        notes.append(f"{repeated} rows share {shared} with others: they are averaged as replicates")
    return frame, tuple(notes)


def _read(path: Path, names: Sequence[str]) -> pl.DataFrame:
    """The file as it is. Every row is looked at before a column's type is settled: one that starts with whole numbers
    may go on with others, and a key of JSON objects may come late.

    Args:
        names: columns that are text in a file that knows no types.
    """
    text = dict.fromkeys(names, pl.String)

    def separated(file: Path, by: str) -> pl.DataFrame:
        return pl.read_csv(file, separator=by, infer_schema_length=None, schema_overrides=text, glob=False)

    readers: dict[str, Callable[[Path], pl.DataFrame]] = {
        ".parquet": lambda file: pl.read_parquet(file, glob=False),
        ".csv": lambda file: separated(file, ","),
        ".tsv": lambda file: separated(file, "\t"),
        ".jsonl": _objects,
        ".ndjson": _objects,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        missing = "" if path.exists() else "there is no such file, and no such run's folder: "
        raise TableError(f"{path}: {missing}give a file that ends in {', '.join(readers)}")
    try:
        return reader(path)
    # A damaged Parquet file can make polars panic, which is no Exception.
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        why = None
        if path.suffix.lower() != ".parquet":
            why = first_fault(path, {".csv": ",", ".tsv": "\t"}.get(path.suffix.lower()))
        raise TableError(f"{path} can't be read: {why or error}") from error


def _objects(path: Path) -> pl.DataFrame:
    """A file of JSON objects; its reader knows no byte-order mark."""
    data = path.read_bytes()
    return pl.read_ndjson(data.removeprefix(BOM_UTF8), infer_schema_length=None)


def _with_score(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """Scores as numbers; truth values count as 0 and 1, written out too."""
    mend = "write 0 to 1, true or false, or leave it empty where the answer is missing"
    frame = frame.with_columns(numbers(path, frame["score"], mend))
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
