"""CSV, Parquet and JSONL tables of any shape, read through polars and the column mapping of the configuration."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from omnigap_orchestrator.config.items import HUB, ColumnsConfig
from omnigap_orchestrator.items.item import ItemError
from omnigap_orchestrator.items.mapping import Mapper
from omnigap_orchestrator.items.row import PlacedRow, RowError, jsonl_rows, read_text

JSONL_SUFFIXES = (".jsonl", ".ndjson")
SUFFIXES = (*JSONL_SUFFIXES, ".json", ".csv", ".tsv", ".parquet")


@dataclass(frozen=True, slots=True)
class _Raw:
    """A row as the file holds it, or what is wrong with it."""

    place: str
    number: int
    values: Mapping[str, object]
    faults: tuple[str, ...] = ()


def table_rows(path: str, columns: ColumnsConfig | None, separator: str | None) -> Iterator[PlacedRow]:
    """The rows of one file in the documented form, in file order; media paths start from the file's folder.

    Args:
        path: a file with one of `SUFFIXES`; polars reads `hf://` paths itself.

    Raises:
        ItemError: for a file that can't be read, and for a mapping that does not fit its columns.
    """
    suffix = Path(path).suffix.lower()
    folder = Path() if path.startswith(HUB) else Path(path).parent
    if suffix in JSONL_SUFFIXES and not path.startswith(HUB):
        rows = [
            _Raw(placed.place, number, placed.row or {}, placed.faults)
            for number, placed in enumerate(jsonl_rows(Path(path)), start=1)
        ]
        # Lines may leave keys out: the columns are the keys of all.
        mapper = Mapper(columns, separator, dict.fromkeys(key for raw in rows for key in raw.values), path)
        yield from (_mapped(mapper, raw, path, folder) for raw in rows)
        return
    if suffix == ".json":
        objects = _json_rows(Path(path))
        mapper = Mapper(columns, separator, dict.fromkeys(key for values in objects for key in values), path)
        for number, values in enumerate(objects, start=1):
            yield _mapped(mapper, _Raw(f"entry {number}", number, values), path, folder)
        return
    frame = _frame(path, suffix)
    mapper = Mapper(columns, separator, frame.columns, path)
    for number, values in enumerate(frame.select(mapper.needed).iter_rows(named=True), start=1):
        yield _mapped(mapper, _Raw(f"row {number}", number, values), path, folder)


def _mapped(mapper: Mapper, raw: _Raw, path: str, folder: Path) -> PlacedRow:
    if raw.faults:
        return PlacedRow(path, raw.place, folder, faults=raw.faults)
    try:
        return PlacedRow(path, raw.place, folder, mapper.row(raw.values, f"{Path(path).stem}-{raw.number}"))
    except RowError as fault:
        return PlacedRow(path, raw.place, folder, faults=(str(fault),))


def _json_rows(path: Path) -> list[dict[str, object]]:
    """The objects of one JSON list."""
    try:
        read = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise ItemError(f"{path}: can't be read as json: {error}") from None
    if not isinstance(read, list) or not all(isinstance(entry, dict) for entry in read):
        raise ItemError(
            f"{path}: is no JSON list of objects: write [{{...}}, ...], or one object a line in a .jsonl file"
        )
    return read


def _frame(path: str, suffix: str) -> pl.DataFrame:
    """A whole table; the columns of a CSV or TSV stay text, so that 007 stays 007."""
    try:
        if suffix in (".csv", ".tsv"):
            # The text is checked first: polars does not say where a byte is no UTF-8.
            source = path if path.startswith(HUB) else io.BytesIO(read_text(Path(path)).encode())
            return pl.read_csv(source, infer_schema=False, separator="\t" if suffix == ".tsv" else ",")
        if suffix == ".parquet":
            return pl.read_parquet(path, glob=path.startswith(HUB))
        return pl.read_ndjson(path)
    # A damaged Parquet file can make polars panic, which is no Exception.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        why = str(error).strip().split("\n")[0] or type(error).__name__
        raise ItemError(f"{path}: can't be read as {suffix.removeprefix('.')}: {why}") from error
