"""Reads tables of per-item scores of other tools (Parquet, CSV, JSON Lines), with any column names."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from omnigap.vocabulary import Control, Outcome
from omnigap_orchestrator.extras.importers.records import first_fault, other_separator
from omnigap_orchestrator.results import CONTROLS_SCHEMA, TableError

# Columns with a separate conversion, or of any type.
_CONVERTED_ELSEWHERE = ("score", "outcome", "replicate")
_SHARES = {
    "chance": "give 1 over the number of choices",
    "own_text_score": "rescale percentages and ratings to [0, 1]",
    "second_score": "rescale percentages and ratings to [0, 1]",
}
_WORDS = {"true": "1", "false": "0", "": None}


REQUIRED = ("item_id", "condition", "score")
DEFAULTS = {"model": "model", "task": "all"}
NAMES = ("model", "item_id", "task", "cluster", "condition")
"""Columns that are read as text, even if they look like numbers: 1.1 and 1.10 are two items."""


def read_results(
    path: Path, columns: Mapping[str, str] | None = None, constants: Mapping[str, str] | None = None
) -> pl.DataFrame:
    """A table of per-item, per-condition scores as a frame for `analyse`.

    Args:
        path: a file with the suffix .parquet, .csv, .tsv, .jsonl or .ndjson.
        columns: our column -> theirs. `item_id`, `condition` and `score` are required; `model` and `task` default to
            one value for all rows, `cluster` to the item id. A null score is a missing answer, unless the column
            `outcome` has another value.
        constants: our column -> a value for all rows, which replaces the column of the table.

    Returns:
        The columns that the analysis needs, and all other columns of the table unchanged.

    Raises:
        TableError: the file can't be read or has no rows, a column is missing or has values of another type, a score
            is not a number in [0, 1], or rows are control cells.
    """
    frame = _results(path, columns, constants)
    kinds = frame["control"].drop_nulls().unique().to_list() if "control" in frame.columns else []
    # Only if all values are kinds of control: another tool may have a column `control` with another meaning.
    if kinds and set(kinds) <= set(Control):
        raise TableError(
            f"{path} has control cells ({', '.join(sorted(kinds))}) instead of answers: give the results.parquet of "
            "the run, and this file with --controls"
        )
    return frame


def _results(
    path: Path, columns: Mapping[str, str] | None = None, constants: Mapping[str, str] | None = None
) -> pl.DataFrame:
    mapping = dict(columns or {})
    frame = _read(path, [mapping.get(name, name) for name in NAMES])
    for ours, theirs in mapping.items():
        if ours not in CONTROLS_SCHEMA:
            near = get_close_matches(ours, CONTROLS_SCHEMA, n=1)
            fix = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(CONTROLS_SCHEMA)}"
            raise TableError(f"--column {ours}={theirs}: unknown column {ours!r}: {fix}")
        if theirs not in frame.columns:
            raise TableError(f"{path} has no column {theirs!r} for {ours}; its columns are {', '.join(frame.columns)}")
    used = [mapping.get(name, name) for name in CONTROLS_SCHEMA]
    # polars renames the second of two columns with the same name like this.
    if twice := [name for name in used if f"{name}_duplicated_0" in frame.columns]:
        raise TableError(f"{path} has two columns named {twice[0]!r}: rename one of them")
    # One of their columns may be mapped to several of ours, and a mapped column replaces one of ours that has its name.
    rest = [name for name in frame.columns if name not in mapping and name not in mapping.values()]
    frame = frame.select(*(pl.col(theirs).alias(ours) for ours, theirs in mapping.items()), *rest)
    frame = frame.with_columns(pl.lit(value).alias(name) for name, value in (constants or {}).items())
    for name in REQUIRED:
        if name not in frame.columns:
            known = ", ".join(frame.columns)
            fix = other_separator(frame.columns) or f": map one with --column {name}=THEIRS"
            raise TableError(f"{path} has no column {name!r}{fix} (its columns: {known})")
    if frame.is_empty():
        raise TableError(f"{path} has no rows: give a table with one row for each item and condition")
    frame = frame.with_columns(pl.lit(value).alias(n) for n, value in DEFAULTS.items() if n not in frame.columns)
    if "cluster" not in frame.columns:
        frame = frame.with_columns(cluster=pl.col("item_id"))
    frame = _with_column_types(path, frame)
    frame = frame.with_columns(pl.col("cluster").fill_null(pl.col("item_id")))
    for name in NAMES:
        if unnamed := frame[name].null_count():
            raise TableError(
                f"{path}: {name} is empty in {unnamed} of {frame.height} rows: fill it, or delete the rows"
            )
    return _with_outcome(path, _with_score(path, frame))


def read_controls(path: Path, columns: Mapping[str, str] | None = None) -> pl.DataFrame:
    """A table of control cells, like `read_results`, with a column `control`: two-pass, blank or repeat.

    Raises:
        TableError: as `read_results`; the column is missing or has an unknown kind of control.
    """
    frame = _results(path, columns)
    if "control" not in frame.columns:
        raise TableError(f"{path} has no column 'control': add it, with one of {', '.join(Control)} in each row")
    unknown = set(frame["control"].unique()) - set(Control)
    if unknown:
        raise TableError(f"{path}: unknown control {sorted(map(str, unknown))[0]!r}: use one of {', '.join(Control)}")
    return frame


def join_results(
    paths: Sequence[Path],
    columns: Mapping[str, str] | None = None,
    conditions: Sequence[str] = (),
    models: Sequence[str] = (),
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Joins tables by item id, with notes on missing and repeated rows.

    A row that is missing in one condition and present in another is added as a failed call, so that all conditions use
    the same items. A task without any row in a condition was not planned there.

    Args:
        conditions, models: values for each table, in their order, which replace its columns; one value applies to all.

    Raises:
        TableError: as `read_results`; or the number of values does not match the number of tables.
    """
    for kind, given in (("--condition", conditions), ("--model", models)):
        if given and len(given) not in (1, len(paths)):
            raise TableError(f"{kind}: {len(given)} values for {len(paths)} tables: give one, or one for each table")
    frames = []
    for number, path in enumerate(paths):
        constants = {
            name: given[0] if len(given) == 1 else given[number]
            for name, given in (("condition", conditions), ("model", models))
            if given
        }
        frames.append(read_results(path, columns, constants))
    # Tables may differ in their additional columns and in the types of them.
    frame = frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal_relaxed")
    return _with_missing_rows(frame)


def _with_missing_rows(frame: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    notes = []
    planned = frame.select("model", "task", "condition").unique()
    items = frame.select("model", "task", "item_id", "cluster").unique(["model", "item_id"], keep="first")
    lacking = planned.join(items, on=["model", "task"]).join(frame, on=["model", "item_id", "condition"], how="anti")
    if lacking.height:
        notes.append(f"{lacking.height} rows are missing in one condition and present in another: counted as failed")
        lacking = lacking.with_columns(outcome=pl.lit(Outcome.FAILED.value))
        frame = pl.concat([frame, lacking], how="diagonal_relaxed")
    cell = [name for name in ("item_id", "model", "condition", "replicate") if name in frame.columns]
    if repeated := frame.select(cell).is_duplicated().sum():
        shared = f"{', '.join(cell[:-1]).replace('item_id', 'item')} and {cell[-1]}"
        notes.append(f"{repeated} rows have the same {shared} as others: averaged as replicates")
    return frame, tuple(notes)


def _read(path: Path, names: Sequence[str]) -> pl.DataFrame:
    """The unchanged table of a file.

    Args:
        names: columns to read as text from files without types.
    """
    text = dict.fromkeys(names, pl.String)
    # Types are inferred from all rows, not from the first hundred: scores may start with 0 and 1 and have decimals
    # later, and a key of JSON objects may occur late.

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
        missing = "" if path.exists() else "no such file or run folder: "
        raise TableError(f"{path}: {missing}give a file that ends in {', '.join(readers)}")
    try:
        return reader(path)
    # polars panics on some damaged Parquet files, and a PanicException is not an Exception.
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        why = None
        if path.suffix.lower() != ".parquet":
            why = first_fault(path, {".csv": ",", ".tsv": "\t"}.get(path.suffix.lower()))
        raise TableError(f"{path} can't be read: {why or error}") from error


def _objects(path: Path) -> pl.DataFrame:
    """A file of JSON objects."""
    data = path.read_bytes()
    # read_ndjson fails on a byte-order mark.
    return pl.read_ndjson(data.removeprefix(BOM_UTF8), infer_schema_length=None)


def _with_score(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """Scores as numbers; true and false count as 1 and 0, also as text."""
    fix = "write a number from 0 to 1, true or false, or leave it empty if the answer is missing"
    frame = frame.with_columns(_numbers(path, frame["score"], fix))
    outside = frame.filter(~pl.col("score").is_between(0.0, 1.0) & pl.col("score").is_not_nan())
    if outside.height:
        worst = outside["score"][0]
        raise TableError(f"{path}: score {worst} is outside [0, 1]: rescale percentages and ratings to [0, 1]")
    return frame


def _with_outcome(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    if "outcome" not in frame.columns:
        missing = pl.col("score").is_null() | pl.col("score").is_nan()
        outcome = pl.when(missing).then(pl.lit(Outcome.FAILED.value)).otherwise(pl.lit(Outcome.ANSWERED.value))
        return frame.with_columns(outcome=outcome)
    unknown = set(frame["outcome"].unique()) - set(Outcome)
    if unknown:
        known = ", ".join(Outcome)
        value = sorted(map(str, unknown))[0]
        raise TableError(f"{path}: unknown outcome {value!r}: use one of {known}, or map another column")
    return frame


def _with_column_types(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """Casts the columns of `CONTROLS_SCHEMA` to its types: text files have no types, and other tools use others.

    Raises:
        TableError: a column can't be cast, or a share is outside [0, 1].
    """
    for name, wanted in CONTROLS_SCHEMA.items():
        if name in frame.columns and name not in _CONVERTED_ELSEWHERE and frame.schema[name] != wanted:
            frame = frame.with_columns(_cast(path, frame[name], wanted))
    for name, fix in _SHARES.items():
        if name in frame.columns:
            outside = frame.filter(~pl.col(name).is_between(0.0, 1.0) & pl.col(name).is_not_nan())
            if outside.height:
                raise TableError(f"{path}: {name} {outside[name][0]} is outside [0, 1]: {fix}")
    return frame


def _cast(path: Path, column: pl.Series, wanted: pl.DataType) -> pl.Series:
    fix = f"correct the column, or rename it if it is not the {column.name} of results.parquet"
    if isinstance(wanted, pl.List):
        if isinstance(column.dtype, pl.List) or column.null_count() == len(column):
            return column.cast(wanted)
        value = column.drop_nulls()[0]
        raise TableError(f"{path}: {column.name} {value!r} is not a list, as in Parquet and JSON Lines: {fix}")
    if wanted.is_numeric():
        return _numbers(path, column, fix)
    if column.dtype.is_nested():
        raise TableError(f"{path}: {column.name} has type {column.dtype}, not text: {fix}")
    return column.cast(pl.String)


def _numbers(path: Path, column: pl.Series, fix: str) -> pl.Series:
    """A column as numbers; text is parsed, with true and false as 1 and 0, and empty text as null.

    Args:
        fix: end of the error message.

    Raises:
        TableError: a value is not a number.
    """
    if column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null):
        return column.cast(pl.Float64)
    if column.dtype != pl.String:
        raise TableError(f"{path}: {column.name} has type {column.dtype}, not numbers: {fix}")
    text = column.str.strip_chars().str.to_lowercase().replace(_WORDS)
    parsed = text.cast(pl.Float64, strict=False)
    invalid = column.filter(text.is_not_null() & parsed.is_null())
    if len(invalid):
        rows = f"{len(invalid)} of {len(column)} rows"
        raise TableError(f"{path}: {column.name} {invalid[0]!r} is not a number ({rows} are invalid): {fix}")
    return parsed
