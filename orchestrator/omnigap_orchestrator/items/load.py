"""Loads items from the built-in set, files or the configuration's `[items]`, and selects which ones are used."""

from __future__ import annotations

import glob
import importlib.resources
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from omnigap.files import open_regular
from omnigap_orchestrator.config.items import HUB, ColumnsConfig, ItemsConfig
from omnigap_orchestrator.items.item import Item, ItemError
from omnigap_orchestrator.items.mapping import Mapper
from omnigap_orchestrator.items.row import RowError, SourceRow, collect, jsonl_rows, read_text
from omnigap_orchestrator.presets import PresetError, load_preset
from omnigap_orchestrator.validation import beyond_limits, table_fault, unknown_key

if TYPE_CHECKING:
    import polars as pl

BUILTIN = "builtin"
BUILTIN_KOREAN = "builtin-ko"
JSONL_SUFFIXES = (".jsonl", ".ndjson")
SUFFIXES = (*JSONL_SUFFIXES, ".json", ".csv", ".tsv", ".parquet")

FAMILIES = (
    "places",
    "people_and_works",
    "science",
    "numbers_and_dates",
    "language",
    "multiple_choice",
    "counting",
)
"""The English task families, in the order in which they are used; each has a file of its name."""

KOREAN_FAMILIES = tuple(f"ko_{family}" for family in FAMILIES if family != "counting")
"""The files of the Korean families. Counting beeps and dots is language-independent."""


def load_items(source: str | Path | ItemsConfig = BUILTIN) -> tuple[Item, ...]:
    """Loads items in the order in which they are used, round-robin over the tasks (see `select_items`).

    Args:
        source: `builtin` or `builtin-ko`; a JSONL, CSV or Parquet file; a folder or glob pattern of such files; an
            `hf://` path; or the configuration's `[items]`, with its limit, tasks and column mapping.

    Raises:
        ItemError: there are no items, or rows are invalid; the message lists file, line or row, field and fix.
    """
    config = source if isinstance(source, ItemsConfig) else _config_of(source)
    return select_items(_all_items(config), limit=config.limit, tasks=config.tasks)


def _config_of(source: str | Path) -> ItemsConfig:
    if str(source) in (BUILTIN, BUILTIN_KOREAN):
        return ItemsConfig(builtin="ko" if str(source) == BUILTIN_KOREAN else "en")
    return ItemsConfig(path=str(source))


def _all_items(config: ItemsConfig) -> tuple[Item, ...]:
    if config.path is None:
        return read_builtin("ko" if config.builtin == "ko" else "en")
    columns, separator = _mapping(config)
    documented = columns is None and separator is None
    items = collect(
        row
        for file in _files(config.path)
        for row in (jsonl_rows(Path(file)) if documented and _is_jsonl(file) else table_rows(file, columns, separator))
    )
    if not items:
        raise ItemError(f"{config.path}: contains no items: give a file with at least one")
    return items


def _mapping(config: ItemsConfig) -> tuple[ColumnsConfig | None, str | None]:
    """Columns and separator of the preset, overridden by those of the configuration."""
    if config.preset is None:
        return config.columns, config.separator
    try:
        layout = load_preset(config.preset).items
    except PresetError as error:
        raise ItemError(f"items.preset: {error}") from None
    if layout is None:
        raise ItemError(f"items.preset: {config.preset} describes only results: map the columns under [items.columns]")
    own = config.columns
    given = {} if own is None else {name: getattr(own, name) for name in own.model_fields_set}
    return layout.columns.model_copy(update=given), config.separator or layout.separator


def _is_jsonl(file: str) -> bool:
    return Path(file).suffix.lower() in JSONL_SUFFIXES and not file.startswith(HUB)


def _files(path: str) -> list[str]:
    """The files of a path, folder or pattern, sorted by name.

    Raises:
        ItemError: there is no such file, or its type is not supported.
    """
    try:
        files = _found(path)
    except OSError as error:
        raise ItemError(
            f"{path[:_MAX_PATH]}: can't be read: {error.strerror}: give another path after --items"
        ) from None
    for file in files:
        if Path(file).suffix.lower() not in SUFFIXES:
            kinds = ", ".join(SUFFIXES)
            raise ItemError(f"{file}: not a supported file type: give a file that ends in {kinds}")
    return files


_MAX_PATH = 300


def _found(path: str) -> list[str]:
    """The files of a path, folder or pattern, of any type; raises OSError if it can't be listed."""
    if path.startswith(HUB):
        files = [path]
    elif Path(path).is_dir():
        files = sorted(str(file) for file in Path(path).iterdir() if file.suffix.lower() in SUFFIXES)
        if not files:
            raise ItemError(f"{path}: the folder contains no file that ends in {', '.join(SUFFIXES)}")
    elif Path(path).exists():
        files = [path]
    else:
        files = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 (the pattern may be absolute)
        if not files:
            raise ItemError(
                f"{path}: no such file, folder or pattern: give a path, 'builtin' or 'builtin-ko', after --items"
            )
    return files


def read_builtin(language: str = "en") -> tuple[Item, ...]:
    """All built-in items of a language, `en` or `ko`, family by family."""
    folder = builtin_folder()
    families = KOREAN_FAMILIES if language == "ko" else FAMILIES
    return collect(row for family in families for row in jsonl_rows(folder / f"{family}.jsonl"))


def builtin_folder() -> Path:
    """The folder of the built-in files; their media are opened by path, so it must be a real folder."""
    return Path(str(importlib.resources.files("omnigap_orchestrator.items") / "builtin"))


def tasks_of(items: Iterable[Item]) -> tuple[str, ...]:
    """The tasks in order of first occurrence."""
    return tuple(dict.fromkeys(item.task for item in items))


def select_items(items: Sequence[Item], *, limit: int | None = None, tasks: Sequence[str] = ()) -> tuple[Item, ...]:
    """Selects items round-robin over the tasks, within each task in file order.

    A selection of n items is a prefix of every larger selection, so a higher limit only adds items.

    Args:
        limit: maximum number of items; None for all.
        tasks: names of the tasks; empty for all.

    Raises:
        ItemError: no item has one of the tasks, or the limit is below 1.
    """
    if limit is not None and limit < 1:
        raise ItemError(f"--limit is {limit}: give at least 1")
    known = tasks_of(items)
    unknown = [task for task in tasks if task not in known]
    if unknown:
        listed = ", ".join(known)
        raise ItemError(*(f"--task: {unknown_key(task, known, 'task')} (the items have: {listed})" for task in unknown))
    queues = {task: [item for item in items if item.task == task] for task in known if not tasks or task in tasks}
    longest = max((len(queue) for queue in queues.values()), default=0)
    turns = [queue[turn] for turn in range(longest) for queue in queues.values() if turn < len(queue)]
    return tuple(turns[:limit])


@dataclass(frozen=True, slots=True)
class _Raw:
    """A row as read from the file, or its faults."""

    place: str
    number: int
    values: Mapping[str, object]
    faults: tuple[str, ...] = ()


def table_rows(path: str, columns: ColumnsConfig | None, separator: str | None) -> Iterator[SourceRow]:
    """Yields the rows of one file in the documented form, in file order; media paths are relative to its folder.

    Args:
        path: a file with one of `SUFFIXES`, or an `hf://` path, which polars reads.

    Raises:
        ItemError: the file can't be read, or the mapping does not fit its columns.
    """
    suffix = Path(path).suffix.lower()
    folder = Path() if path.startswith(HUB) else Path(path).parent
    if suffix in JSONL_SUFFIXES and not path.startswith(HUB):
        rows = [
            _Raw(source.place, number, source.row or {}, source.faults)
            for number, source in enumerate(jsonl_rows(Path(path)), start=1)
        ]
        # Lines may omit keys, so the columns are the union over all lines.
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


def _mapped(mapper: Mapper, raw: _Raw, path: str, folder: Path) -> SourceRow:
    if raw.faults:
        return SourceRow(path, raw.place, folder, faults=raw.faults)
    try:
        return SourceRow(path, raw.place, folder, mapper.row(raw.values, f"{Path(path).stem}-{raw.number}"))
    except RowError as fault:
        return SourceRow(path, raw.place, folder, faults=(str(fault),))


def _json_rows(path: Path) -> list[dict[str, object]]:
    """The objects of one JSON list."""
    try:
        read = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise ItemError(f"{path}: can't be read as json: {beyond_limits(error)}") from None
    if not isinstance(read, list) or not all(isinstance(entry, dict) for entry in read):
        raise ItemError(
            f"{path}: not a JSON list of objects: write [{{...}}, ...], or one object per line in a .jsonl file"
        )
    return read


def _frame(path: str, suffix: str) -> pl.DataFrame:
    """Reads a table; the columns of CSV and TSV files stay text, so that 007 is not read as 7."""
    # Here and not at the top: commands that only load JSON Lines, or none, start without polars.
    import polars as pl

    try:
        if suffix in (".csv", ".tsv"):
            # Decoded here first, because the error of polars does not say where the invalid UTF-8 is.
            source = path if path.startswith(HUB) else io.BytesIO(read_text(Path(path)).encode())
            return pl.read_csv(source, infer_schema=False, separator="\t" if suffix == ".tsv" else ",")
        if suffix == ".parquet":
            if path.startswith(HUB):
                return pl.read_parquet(path)
            with open_regular(path) as file:
                return pl.read_parquet(file)
        return pl.read_ndjson(path)
    # A damaged Parquet file can make polars panic, and PanicException is not a PolarsError.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        why = getattr(error, "strerror", None) or table_fault(error)
        raise ItemError(f"{path}: can't be read as {suffix.removeprefix('.')}: {why}") from error
