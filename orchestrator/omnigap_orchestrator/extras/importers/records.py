"""Reads the rows of result files of other tools (JSON, JSON Lines, CSV, TSV, Parquet), and locates faults in them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from omnigap.files import open_regular, read_regular
from omnigap_orchestrator.extras.importers.files import advice
from omnigap_orchestrator.items.columns import path_tail
from omnigap_orchestrator.presets.preset import PresetError, ResultsPreset
from omnigap_orchestrator.validation import NotUtf8Error, beyond_limits, decode_utf8, names_shown, table_fault

Record = Mapping[str, object]
ENTRY = "entry"
"""Column with one result of a row that had several."""
KEY = "key"
"""Column with the name of a record in a JSON object of records."""
_TABLES = {".csv": ",", ".tsv": "\t"}
_JSON = (".json", ".jsonl", ".ndjson")
SUFFIXES = (*_JSON, *_TABLES, ".parquet")


def first_fault(path: Path, separator: str | None) -> str | None:
    """The first faulty line of a text file and its fault; None if there is none, or the file can't be opened.

    polars does not report the line of an error, so the file is read again for the error message.

    Args:
        separator: of a CSV or TSV file; None for a file of JSON objects.
    """
    try:
        text = decode_utf8(read_regular(path))
    except OSError:
        return None
    except NotUtf8Error as error:
        return str(error)
    return _fault_in_objects(text) if separator is None else _fault_in_values(text, separator)


def other_separator(names: Sequence[str]) -> str:
    """A hint for a header that is a single name because the file has another separator; empty for other headers."""
    found = [by for by in (";", "\t", "|", ",") if len(names) == 1 and by in names[0]]
    return f"; the separator seems to be {found[0]!r}: save it with commas, or with tabs as .tsv" if found else ""


def _fault_in_values(text: str, separator: str) -> str | None:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        header = next(rows, [])
        for row in rows:
            if len(row) > len(header):
                hint = other_separator(header) or f": put quotes around values that contain {separator!r}"
                return f"line {rows.line_num} has {len(row)} values, but the header has {len(header)} names{hint}"
    except csv.Error as error:
        return f"line {rows.line_num}: {error}"
    return None


def _fault_in_objects(text: str) -> str | None:
    if not text.strip():
        return "it is empty: give one JSON object per line"
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            if line.strip() and not isinstance(json.loads(line, parse_constant=_refused), dict):
                return f"line {number} is not a JSON object: give one per line"
        except (ValueError, RecursionError) as error:
            return f"line {number}: {beyond_limits(error)}"
    return None


def _refused(name: str) -> None:
    # json.loads accepts NaN and Infinity, which are not JSON and which polars rejects.
    raise ValueError(f"{name} is not a JSON value: write null")


def values_from_path(path: Path, preset: ResultsPreset) -> dict[str, str]:
    """Model, task and condition that the path of the file contains, by the pattern of the preset."""
    match = re.search(preset.file, path_tail(str(path.absolute())))
    found = {} if match is None else match.groupdict()
    return {name: value for name, value in found.items() if value}


def read_records(path: Path, preset: ResultsPreset) -> list[Record]:
    """The rows that the preset keeps; rows with several results are split into one record per result.

    Raises:
        PresetError: the file can't be read, or has no such rows.
    """
    rows = [row for row in _rows(path, preset) if _counts(row, preset)]
    if not rows:
        raise PresetError(f"{path} has no rows of the layout of the preset: {preset.layout}")
    return [entry for row in rows for entry in _entries(row, preset, path)] if preset.entries is not None else rows


def _counts(row: Record, preset: ResultsPreset) -> bool:
    return all(str(row.get(column)) in values for column, values in preset.keep.items())


def _rows(path: Path, preset: ResultsPreset) -> Iterator[Record]:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        missing = "" if path.exists() else "no such file or folder: "
        raise PresetError(f"{path}: {missing}give a file that ends in {', '.join(SUFFIXES)}{advice(path)}")
    try:
        if suffix in _JSON:
            yield from json_records(path, decode_utf8(read_regular(path)), preset.records, preset.head)
        elif suffix == ".parquet":
            with open_regular(path) as file:
                frame = pl.read_parquet(file)
            yield from frame.iter_rows(named=True)
        else:
            # As text: the preset says how to parse each column, and ids such as 007 must stay as they are.
            frame = pl.read_csv(read_regular(path), infer_schema=False, separator=_TABLES[suffix])
            yield from frame.iter_rows(named=True)
    except NotUtf8Error as error:
        raise PresetError(f"{path} can't be read: {error}") from error
    # polars panics on some damaged Parquet files, and a PanicException is not an Exception.
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise PresetError(f"{path} can't be read: {getattr(error, 'strerror', None) or table_fault(error)}") from error


def json_records(
    path: Path,
    text: str,
    records: str | None = None,
    head: Mapping[str, str] | None = None,
    *,
    search: bool = False,
) -> Iterator[Record]:
    """Objects of a list, of an object of objects, or of lines.

    Args:
        records: key of the object that contains them.
        head: key that is added to each object -> dotted key of the object around them.
        search: if the file is one object and only one of its values holds objects, these are the records.

    Raises:
        PresetError: there are no such objects.
    """
    try:
        read = json.loads(text)
    except RecursionError as error:
        raise PresetError(f"{path} is not JSON: {beyond_limits(error)}") from None
    # Some benchmarks write JSON Lines into a file that ends in .json.
    except ValueError:
        read = [_object(path, number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if "\\ud" in text.lower():
        _check_pairs(path, read)
    added = {name: _inside(read, key) for name, key in (head or {}).items()}
    if records is not None and isinstance(read, Mapping):
        if records not in read:
            raise PresetError(f"{path} has no key {records!r}: it has {names_shown(map(str, read))}")
        read = read[records]
    if isinstance(read, Mapping) and not _holds_objects(read):
        inside = [value for value in read.values() if _holds_objects(value)]
        read = inside[0] if search and len(inside) == 1 else [read]
    if isinstance(read, Mapping):
        read = [{KEY: key, **row} for key, row in read.items()]
    if not isinstance(read, list) or not all(isinstance(row, Mapping) for row in read):
        raise PresetError(f"{path} has neither a list of objects nor an object of objects")
    yield from ({**row, **added} for row in read) if added else read


def _check_pairs(path: Path, read: object) -> None:
    """Raises PresetError for half of a surrogate pair, which JSON can hold and no table can."""
    try:
        json.dumps(read, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        code = ord(error.object[error.start])
        raise PresetError(f"{path} contains half of a surrogate pair, U+{code:04X}: write it again") from None


def _inside(value: object, key: str) -> object:
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _holds_objects(value: object) -> bool:
    values = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return bool(values) and all(isinstance(row, Mapping) for row in values)


def _object(path: Path, number: int, line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise PresetError(f"{path}: line {number} is not JSON: {beyond_limits(error)}") from None


def _entries(row: Record, preset: ResultsPreset, path: Path) -> Iterator[Record]:
    assert preset.entries is not None
    column = preset.entries.column
    entries = row.get(column)
    if not isinstance(entries, Mapping):
        raise PresetError(f"{path}: {column!r} of a row is not an object of results by name")
    rest = {name: value for name, value in row.items() if name != column}
    for name, entry in entries.items():
        match = re.fullmatch(preset.entries.name, str(name))
        if match is not None and entry is not None:
            yield {**rest, ENTRY: entry, **{key: value for key, value in match.groupdict().items() if value}}
