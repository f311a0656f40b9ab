"""Reads tables of per-item scores of other tools (Parquet, CSV, JSON Lines), with any column names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from omnigap.vocabulary import Control, Outcome
from omnigap_orchestrator.extras.importers.files import check_values, result_files, value_for
from omnigap_orchestrator.extras.importers.hint import preset_hint
from omnigap_orchestrator.extras.importers.join import FILE, joined
from omnigap_orchestrator.extras.importers.names import FileNames
from omnigap_orchestrator.extras.importers.reading import SUFFIXES, read_table
from omnigap_orchestrator.extras.importers.records import other_separator
from omnigap_orchestrator.extras.importers.select import NO_TASK, RowSelection, where
from omnigap_orchestrator.extras.importers.texts import GOLD, can_be_scored, with_scores
from omnigap_orchestrator.results import CONTROLS_SCHEMA, TableError
from omnigap_orchestrator.validation import names_shown

# Columns with a separate conversion, or of any type.
_CONVERTED_ELSEWHERE = ("score", "outcome", "replicate")
_SHARES = {
    "chance": "give 1 over the number of choices",
    "own_text_score": "rescale percentages and ratings to [0, 1]",
    "second_score": "rescale percentages and ratings to [0, 1]",
}
_WORDS = {"true": "1", "false": "0", "": None}


REQUIRED = ("item_id", "condition", "score")
DEFAULTS = {"model": "model", "task": NO_TASK}
_FIXES = {
    "item_id": "map one with --column item_id=THEIRS",
    "condition": "map one with --column condition=THEIRS, or give --condition for each table, or say with --names "
    "where it is in the names of the files",
    "score": "map one with --column score=THEIRS; if the table has answers instead of scores, map them with --column "
    "answer_used=THEIRS and --column answers=THEIRS (the gold answer)",
}
_ITEM_COLUMNS = (GOLD, "question", "choices")
"""Columns of items, for tables with answers instead of scores."""
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
    frame, _ = _results(path, columns, constants)
    _refuse_controls(path, frame)
    return frame


def _refuse_controls(path: Path, frame: pl.DataFrame) -> None:
    kinds = frame["control"].drop_nulls().unique().to_list() if "control" in frame.columns else []
    # Only if all values are kinds of control: another tool may have a column `control` with another meaning.
    if kinds and set(kinds) <= set(Control):
        raise TableError(
            f"{path} has control cells ({', '.join(sorted(kinds))}) instead of answers: give the results.parquet of "
            "the run, and this file with --controls"
        )


def _results(
    path: Path,
    columns: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
    of_path: Mapping[str, str] | None = None,
    answer_type: str | None = None,
    *,
    rescore: bool = False,
) -> tuple[pl.DataFrame, bool]:
    """The table, and whether it has a column of outcomes.

    Args:
        of_path: values that the path of the file contains, for columns that the table lacks.
    """
    mapping = dict(columns or {})
    frame = read_table(path, [mapping.get(name, name) for name in NAMES], mapping.values())
    frame = _mapped(path, frame, mapping)
    values = dict(constants or {})
    of_file = {name: value for name, value in (of_path or {}).items() if name not in frame.columns}
    values |= of_file
    frame = frame.with_columns(pl.lit(value).alias(name) for name, value in values.items())
    if rescore and not can_be_scored(frame):
        raise TableError(
            f"{path}: --rescore needs the answers and the gold answers: map them with --column answer_used=THEIRS and "
            f"--column answers=THEIRS (its columns: {names_shown(frame.columns)})"
        )
    if can_be_scored(frame) and (rescore or "score" not in frame.columns):
        frame = with_scores(path, frame, answer_type)
    for name in REQUIRED:
        if name not in frame.columns:
            known = names_shown(frame.columns)
            fix = other_separator(frame.columns) or f": {_FIXES[name]}{preset_hint(path, frame.columns)}"
            raise TableError(f"{path} has no column {name!r}{fix} (its columns: {known})")
    if frame.is_empty():
        raise TableError(f"{path} has no rows: give a table with one row for each item and condition")
    frame = frame.with_columns(pl.lit(value).alias(n) for n, value in DEFAULTS.items() if n not in frame.columns)
    if "cluster" not in frame.columns:
        frame = frame.with_columns(cluster=pl.lit(None, pl.String))
    frame = _with_column_types(path, frame)
    for name in ("model", "item_id", "task", "condition"):
        if unnamed := frame[name].null_count():
            raise TableError(
                f"{path}: {name} is empty in {unnamed} of {frame.height} rows: fill it, or delete the rows"
            )
    if "task" in of_file or ("task" in (of_path or {}) and "task" in values):
        # Files of different tasks number their items from the same start.
        frame = frame.with_columns(item_id=pl.concat_str("task", "item_id", separator="/"))
    frame = frame.with_columns(pl.col("cluster").fill_null(pl.col("item_id")))
    has_outcome = "outcome" in frame.columns
    return _with_outcome(path, _with_score(path, frame)), has_outcome


def _mapped(path: Path, frame: pl.DataFrame, mapping: Mapping[str, str]) -> pl.DataFrame:
    for ours, theirs in mapping.items():
        known = (*CONTROLS_SCHEMA, *_ITEM_COLUMNS)
        if ours not in known:
            near = get_close_matches(ours, known, n=1)
            fix = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(known)}"
            raise TableError(f"--column {ours}={theirs}: unknown column {ours!r}: {fix}")
        if theirs not in frame.columns:
            raise TableError(
                f"{path} has no column {theirs!r} for {ours}; its columns are {names_shown(frame.columns)}"
            )
    used = [mapping.get(name, name) for name in CONTROLS_SCHEMA]
    # polars renames the second of two columns with the same name like this.
    if twice := [name for name in used if f"{name}_duplicated_0" in frame.columns]:
        raise TableError(f"{path} has two columns named {twice[0]!r}: rename one of them")
    # One of their columns may be mapped to several of ours, and a mapped column replaces one of ours that has its name.
    rest = [name for name in frame.columns if name not in mapping and name not in mapping.values()]
    return frame.select(*(pl.col(theirs).alias(ours) for ours, theirs in mapping.items()), *rest)


def read_controls(path: Path, columns: Mapping[str, str] | None = None) -> pl.DataFrame:
    """A table of control cells, like `read_results`, with a column `control`: two-pass, blank or repeat.

    Raises:
        TableError: as `read_results`; the column is missing or has an unknown kind of control.
    """
    frame, _ = _results(path, columns)
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
    *,
    names: str | None = None,
    answer_type: str | None = None,
    rescore: bool = False,
    selection: RowSelection | None = None,
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Joins tables by item id, with notes on missing and repeated rows.

    A row that is missing in one condition and present in another is added as a missing answer, so that all conditions
    use the same items (`join.with_absent_rows` says when not). A task without any row in a condition was not planned
    there.

    Args:
        paths: files, folders of files, folders of runs.
        conditions, models: values for each of `paths`, in their order, which replace the column of its tables; one
            value applies to all.
        names: what the paths of the files contain (`FileNames`); it replaces columns of the tables.
        answer_type: how answers are read in tables without scores; None: the column answer_type.
        rescore: score the answers again, also where the tables have scores.
        selection: which rows are used; None: all.

    Raises:
        TableError: as `read_results`; the number of values does not match that of `paths`; or no row is selected.
    """
    check_values(len(paths), conditions, models)
    selection = selection or RowSelection()
    files, notes = result_files(paths, SUFFIXES)
    reader = FileNames(names)
    frames, written = [], True
    for file in files:
        of_path = reader.of(file)
        given = {"condition": value_for(conditions, file.argument), "model": value_for(models, file.argument)}
        constants = {name: value for name, value in given.items() if value is not None}
        of_path = {name: value for name, value in of_path.items() if name not in constants}
        if names is not None:
            constants |= of_path
        frame, has_outcome = _results(file.path, columns, constants, of_path, answer_type, rescore=rescore)
        _refuse_controls(file.path, frame)
        written = written and has_outcome
        shown = file.path if file.root is None else file.path.relative_to(file.root)
        frames.append(frame if FILE in frame.columns or len(files) == 1 else _with_file(frame, shown))
    # Tables may differ in their additional columns and in the types of them.
    frame = frames[0] if len(frames) == 1 else pl.concat(map(_without_nested, frames), how="diagonal_relaxed")
    ours = {theirs: name for name, theirs in (columns or {}).items()}
    wanted = {name if name in frame.columns else ours.get(name, name): v for name, v in selection.where.items()}
    frame = where(frame, wanted, str(paths[0]) if len(paths) == 1 else "the tables")
    frame, found = joined(frame, selection, failures_are_written=written)
    return frame, (*notes, *found)


def _with_file(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    return frame.with_columns(pl.lit(str(path)).alias(FILE))


def _without_nested(frame: pl.DataFrame) -> pl.DataFrame:
    """Without the structs and lists of other tools, whose types differ between the files of different tasks."""
    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested() and name not in CONTROLS_SCHEMA]
    return frame.drop(nested)


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
