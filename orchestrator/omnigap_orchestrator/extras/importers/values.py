"""Columns of a foreign table in the types that the analysis computes with, or an error that names the value."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from omnigap_orchestrator.extras.importers.errors import TableError
from omnigap_orchestrator.results import CONTROLS_SCHEMA

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
