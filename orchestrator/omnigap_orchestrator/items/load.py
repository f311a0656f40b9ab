"""CSV, Parquet and JSONL tables of any shape, read through polars and the column mapping of the configuration."""

from __future__ import annotations

import glob
import importlib.resources
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from omnigap_orchestrator.config.items import HUB, ColumnsConfig, ItemsConfig
from omnigap_orchestrator.items.item import Item, ItemError
from omnigap_orchestrator.items.mapping import Mapper
from omnigap_orchestrator.items.row import PlacedRow, RowError, collect, jsonl_rows, read_text
from omnigap_orchestrator.presets import PresetError, load_preset
from omnigap_orchestrator.validation import unknown_key

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


# Items from a source: the built-in set, files or the configuration's [items]; and which of them are asked.

FAMILIES = (
    "places",
    "people_and_works",
    "science",
    "numbers_and_dates",
    "language",
    "multiple_choice",
    "counting",
)
"""The English task families, in the order in which they are asked; a file of that name holds each."""

KOREAN_FAMILIES = tuple(f"ko_{family}" for family in FAMILIES if family != "counting")
"""The files of the Korean ones; counting beeps and dots knows no language."""


def builtin_folder() -> Path:
    """Where the files lie: a real folder, since their media are opened by path."""
    return Path(str(importlib.resources.files("omnigap_orchestrator.items.builtin")))


def read_builtin(language: str = "en") -> tuple[Item, ...]:
    """All built-in items of a language, `en` or `ko`, family by family."""
    folder = builtin_folder()
    families = KOREAN_FAMILIES if language == "ko" else FAMILIES
    return collect(row for family in families for row in jsonl_rows(folder / f"{family}.jsonl"))


def tasks_of(items: Iterable[Item]) -> tuple[str, ...]:
    """The tasks, in the order in which the items name them."""
    return tuple(dict.fromkeys(item.task for item in items))


def select_items(items: Sequence[Item], *, limit: int | None = None, tasks: Sequence[str] = ()) -> tuple[Item, ...]:
    """Items of the named tasks (none named: all), one of each task in turn, each task in file order.

    The first n of a larger selection are the selection of n, so a raised limit only adds items.

    Args:
        limit: items in all; None: every one.

    Raises:
        ItemError: for a task that no item has, and for a limit below 1.
    """
    if limit is not None and limit < 1:
        raise ItemError(f"--limit is {limit}: it counts items, so give at least 1")
    known = tasks_of(items)
    unknown = [task for task in tasks if task not in known]
    if unknown:
        listed = ", ".join(known)
        raise ItemError(*(f"--task: {unknown_key(task, known, 'task')} (the items have: {listed})" for task in unknown))
    queues = {task: [item for item in items if item.task == task] for task in known if not tasks or task in tasks}
    longest = max((len(queue) for queue in queues.values()), default=0)
    turns = [queue[turn] for turn in range(longest) for queue in queues.values() if turn < len(queue)]
    return tuple(turns[:limit])


BUILTIN = "builtin"
BUILTIN_KOREAN = "builtin-ko"


def load_items(source: str | Path | ItemsConfig = BUILTIN) -> tuple[Item, ...]:
    """Items in the order in which they are asked: the tasks take turns (see `select_items`).

    Args:
        source: `builtin` or `builtin-ko`; a JSONL, CSV or Parquet file; a folder or a pattern of such files; an `hf://`
            path; or `[items]`, whose limit, tasks and column mapping are then applied.

    Raises:
        ItemError: where there are no items, and for every row that is wrong, with file, line or row, field and fix.
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
        raise ItemError(f"{config.path}: holds no items: give a file with at least one")
    return items


def _mapping(config: ItemsConfig) -> tuple[ColumnsConfig | None, str | None]:
    """Columns and separator: those of the preset, over which the configuration's own go."""
    if config.preset is None:
        return config.columns, config.separator
    try:
        layout = load_preset(config.preset).items
    except PresetError as error:
        raise ItemError(f"items.preset: {error}") from None
    if layout is None:
        raise ItemError(f"items.preset: {config.preset} is of results only: map the columns under [items.columns]")
    own = config.columns
    given = {} if own is None else {name: getattr(own, name) for name in own.model_fields_set}
    return layout.columns.model_copy(update=given), config.separator or layout.separator


def _is_jsonl(file: str) -> bool:
    return Path(file).suffix.lower() in JSONL_SUFFIXES and not file.startswith(HUB)


def _files(path: str) -> list[str]:
    """The files that a path means, sorted by name.

    Raises:
        ItemError: where there is none, or one of a kind that is not read.
    """
    kinds = ", ".join(SUFFIXES)
    if path.startswith(HUB):
        files = [path]
    elif Path(path).is_dir():
        files = sorted(str(file) for file in Path(path).iterdir() if file.suffix.lower() in SUFFIXES)
        if not files:
            raise ItemError(f"{path}: this folder holds no file that ends in {kinds}")
    elif Path(path).exists():
        files = [path]
    else:
        files = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 (the pattern may be absolute)
        if not files:
            raise ItemError(
                f"{path}: no such file, folder or pattern: give a path, 'builtin' or 'builtin-ko', after --items"
            )
    for file in files:
        if Path(file).suffix.lower() not in SUFFIXES:
            raise ItemError(f"{file}: is none of the kinds that are read: give a file that ends in {kinds}")
    return files
