"""Reads a file of another tool as a table, without a meaning for its columns."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl

from omnigap.files import open_regular, read_regular
from omnigap_orchestrator.extras.importers.files import advice
from omnigap_orchestrator.extras.importers.records import first_fault, json_records
from omnigap_orchestrator.presets.preset import PresetError
from omnigap_orchestrator.results import TableError
from omnigap_orchestrator.validation import NotUtf8Error, decode_utf8, table_fault

SUFFIXES = (".parquet", ".csv", ".tsv", ".jsonl", ".ndjson", ".json")


def read_table(path: Path, text_columns: Sequence[str], used: Iterable[str] = ()) -> pl.DataFrame:
    """The unchanged table of a file, with a column for each dotted name in `used` that is a field of a struct.

    Args:
        text_columns: columns to read as text from files without types.

    Raises:
        TableError: the file can't be read.
    """
    text = dict.fromkeys(text_columns, pl.String)
    # Types are inferred from all rows, not from the first hundred: scores may start with 0 and 1 and have decimals
    # later, and a key of JSON objects may occur late.

    def separated(file: Path, by: str) -> pl.DataFrame:
        return pl.read_csv(read_regular(file), separator=by, infer_schema_length=None, schema_overrides=text)

    readers: dict[str, Callable[[Path], pl.DataFrame]] = {
        ".parquet": _parquet,
        ".csv": lambda file: separated(file, ","),
        ".tsv": lambda file: separated(file, "\t"),
        ".jsonl": _lines,
        ".ndjson": _lines,
        ".json": _json,
    }
    suffix = path.suffix.lower()
    reader = readers.get(suffix)
    if reader is None:
        missing = "" if path.exists() else "no such file or run folder: "
        raise TableError(f"{path}: {missing}give a file that ends in {', '.join(readers)}{advice(path)}")
    try:
        frame = reader(path)
    # polars panics on some damaged Parquet files, and a PanicException is not an Exception.
    except (
        OSError,
        NotUtf8Error,
        PresetError,
        UnicodeEncodeError,
        OverflowError,
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
    ) as error:
        why = None
        if suffix not in (".parquet", ".json"):
            why = first_fault(path, {".csv": ",", ".tsv": "\t"}.get(suffix))
        if why is None and isinstance(error, UnicodeEncodeError | OverflowError):
            # JSON can hold half of a surrogate pair, and integers of any length.
            why = "a text or a number is beyond what a table can hold"
        if why is None:
            why = getattr(error, "strerror", None) or table_fault(error)
        raise TableError(f"{path} can't be read: {why}") from error
    return _with_fields(frame, used)


def _parquet(path: Path) -> pl.DataFrame:
    with open_regular(path) as file:
        return pl.read_parquet(file)


def _lines(path: Path) -> pl.DataFrame:
    """A file of one JSON object per line."""
    # read_ndjson fails on a byte-order mark.
    data = read_regular(path).removeprefix(BOM_UTF8)
    try:
        return pl.read_ndjson(data, infer_schema_length=None)
    except pl.exceptions.PolarsError:
        # A key with values of several types, such as a list in one line and a text in another, is still JSON.
        if first_fault(path, None) is not None:
            raise
        return _of_objects([json.loads(line) for line in decode_utf8(data).split("\n") if line.strip()])


def _json(path: Path) -> pl.DataFrame:
    """A JSON file of a list of objects, of an object of objects, or of an object with one such value."""
    return _of_objects(list(json_records(path, decode_utf8(read_regular(path).removeprefix(BOM_UTF8)), search=True)))


def _of_objects(rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    """Objects as plain columns: the fields of an object get dotted names, lists become JSON text."""
    plain = [dict(_flat(row)) for row in rows]
    names = dict.fromkeys(name for row in plain for name in row)
    columns = {name: _column([row.get(name) for row in plain]) for name in names}
    return pl.DataFrame(columns)


def _flat(row: Mapping[str, object], head: str = "") -> Iterable[tuple[str, object]]:
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{head}{name}.")
        elif isinstance(value, list):
            yield f"{head}{name}", json.dumps(value, ensure_ascii=False)
        else:
            yield f"{head}{name}", value


def _column(values: Sequence[object]) -> pl.Series:
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) > 1 and not kinds <= {int, float}:
        return pl.Series([None if value is None else str(value) for value in values], dtype=pl.String)
    return pl.Series(values, strict=False)


def _with_fields(frame: pl.DataFrame, used: Iterable[str]) -> pl.DataFrame:
    for name in used:
        column, *inner = name.split(".")
        if name in frame.columns or not inner or column not in frame.columns:
            continue
        value = pl.col(column)
        dtype: pl.DataType | None = frame.schema[column]
        for field in inner:
            known = {f.name: f.dtype for f in dtype.fields} if isinstance(dtype, pl.Struct) else {}
            if field not in known:
                break
            value, dtype = value.struct.field(field), known[field]  # type: ignore[assignment]
        else:
            frame = frame.with_columns(value.alias(name))
    return frame
