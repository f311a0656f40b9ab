"""Examines the file of a journal, and writes a new one from everything in a damaged one that can be read.

A row that SQLite no longer finds, because the pages above it or the definition of its table are damaged, is looked for
in every page of the file (https://www.sqlite.org/fileformat2.html). Only a row with the right checksum is taken, so
that nothing that looks like a row is taken for one.
"""

from __future__ import annotations

import shutil
import sqlite3
import struct
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnigap_orchestrator.journal.faults import JournalError, repair_command
from omnigap_orchestrator.journal.journal import SCHEMA_VERSION, Journal, columns_of, fetch
from omnigap_orchestrator.journal.records import Records
from omnigap_orchestrator.journal.tables import CHECKSUM, TABLES, DamagedRow, MetaRow, Table, Values

PAGE = 4096
"""Bytes of a page, SQLite's default, which every journal has."""
_LEAF, _INTERIOR = 0x0A, 0x02
"""Types of the pages of tables without row IDs."""
_MIN_LOCAL = (PAGE - 12) * 32 // 255 - 23
_MAX_LOCAL = (PAGE - 12) * 64 // 255 - 23
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_NOT_KEPT = frozenset({"schema_version", "outputs_of"})
"""Keys of the metadata that belong to the old file."""


@dataclass(slots=True)
class Examined:
    """What is in the file of a journal.

    Attributes:
        faults: what is wrong with pages, tables and columns, in words; empty if SQLite reads the whole file.
        damaged: rows that do not match their checksum.
        counts: number of good rows by table.
        unsealed: the rows have no checksums, because an earlier version wrote the journal.
    """

    faults: list[str] = field(default_factory=list)
    damaged: list[DamagedRow] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    unsealed: bool = False


@contextmanager
def copied(path: Path) -> Iterator[Path]:
    """A copy of the file of a journal and of its log: opening it changes nothing in the folder, which may be read-only.

    Raises:
        JournalError: the file can't be read.
    """
    with tempfile.TemporaryDirectory(prefix="omnigap-journal-") as folder:
        to = Path(folder) / path.name
        try:
            for suffix in ("", "-wal"):
                source = path.with_name(path.name + suffix)
                if not suffix or source.is_file():
                    shutil.copyfile(source, to.with_name(to.name + suffix))
        except OSError as error:
            raise JournalError(
                f"{path} can't be read ({error.strerror}): restore it from a copy, or move it away with "
                f"{repair_command(path)}"
            ) from error
        yield to


@contextmanager
def copied_records(path: Path) -> Iterator[Records]:
    """The rows of a copy of a journal: opening a journal can write to its folder.

    Raises:
        JournalError: the file can't be read, or is not a journal.
    """
    with copied(path) as copy, closing(Journal(copy, must_exist=True)) as journal:
        yield Records(journal)


def examine(path: Path) -> Examined:
    """Checks pages, tables and checksums. Changes nothing.

    Raises:
        JournalError: the file can't be read.
    """
    found = Examined()
    with copied(path) as copy:
        try:
            with closing(sqlite3.connect(copy)) as connection:
                said = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
                found.faults += [] if said == ["ok"] else ["SQLite's integrity check: " + "; ".join(map(str, said))]
                found.unsealed = bool(columns_of(connection, "meta")) and CHECKSUM not in columns_of(connection, "meta")
                for table in TABLES.values():
                    _examine_table(connection, table, found)
        except sqlite3.Error as error:
            found.faults.append(str(error))
    return found


def _examine_table(connection: sqlite3.Connection, table: Table[Any], found: Examined) -> None:
    names = columns_of(connection, table.name)
    if not names:
        found.faults.append(f"no table {table.name}")
        return
    if found.unsealed:
        return
    if lacking := [name for name in (*table.columns, CHECKSUM) if name not in names]:
        found.faults.append(f"table {table.name} has no column {', '.join(lacking)}")
        return
    good, bad = table.checked(fetch(connection, table.select))
    found.damaged += bad
    found.counts[table.name] = len(good)
    if table.row_type is MetaRow and {"schema_version", "run_id"} - {row.key for row in good}:
        found.faults.append("no schema version or run ID")
    if versions := [row.value for row in good if isinstance(row, MetaRow) and row.key == "schema_version"]:
        found.faults += [] if versions == [SCHEMA_VERSION] else [f"journal version {versions[0]}"]


def rebuild(path: Path, to: Path) -> dict[str, int]:
    """Writes every undamaged row of a journal into a new one, and returns their number by table.

    Args:
        path: the damaged file, which is only read.
        to: the new file; must not exist.

    Raises:
        JournalError: a file can't be read or written.
    """
    with copied(path) as copy:
        rows = {table.name: _readable(copy, table) for table in TABLES.values()}
        if not all(complete for _, complete in rows.values()):
            for table, row in _in_pages(copy):
                rows[table.name][0].setdefault(row[: table.width], row)
    with closing(Journal(to)) as journal:
        for table in TABLES.values():
            kept = [table.row_type(*values[:-1]) for values in rows[table.name][0].values()]
            journal.write([row for row in kept if not (isinstance(row, MetaRow) and row.key in _NOT_KEPT)])
    return {name: len(found) for name, (found, _) in rows.items()}


def _readable(path: Path, table: Table[Any]) -> tuple[dict[Values, Values], bool]:
    """The undamaged rows that SQLite finds, by key, and whether it read the whole table."""
    kept: dict[Values, Values] = {}
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
            # In both directions: a damaged page ends each of them.
            for order in ("ASC", "DESC"):
                by = ", ".join(f"{name} {order}" for name in table.columns[: table.width])
                try:
                    for values in connection.execute(f"{table.select} ORDER BY {by}"):
                        if table.matches(values):
                            kept[values[: table.width]] = values
                    return kept, True
                except sqlite3.Error:
                    continue
    except sqlite3.Error:
        pass
    return kept, False


def _in_pages(path: Path) -> Iterator[tuple[Table[Any], Values]]:
    """Every row with the right checksum in the pages of the file and of its log, the newest version of a page first."""
    by_width: dict[int, list[Table[Any]]] = {}
    for table in TABLES.values():
        by_width.setdefault(len(table.columns) + 1, []).append(table)
    data = path.read_bytes()
    pages = {number + 1: data[at : at + PAGE] for number, at in enumerate(range(0, len(data), PAGE))}
    log = path.with_name(path.name + "-wal")
    frames: list[bytes] = []
    if log.is_file():
        written = log.read_bytes()
        # A header of 32 bytes, then frames of 24 bytes and a page each.
        for at in range(32, len(written) - PAGE - 23, PAGE + 24):
            page = written[at + 24 : at + 24 + PAGE]
            pages[int.from_bytes(written[at : at + 4], "big")] = page
            frames.append(page)
    for page in [*pages.values(), *frames]:
        for record in _records(page, pages):
            for table in by_width.get(len(record), ()):
                if table.matches(record):
                    yield table, record


def _records(page: bytes, pages: dict[int, bytes]) -> Iterator[Values]:
    """The records of a page of a table, as far as they can be read."""
    for start in (0, 100) if page.startswith(b"SQLite format 3") else (0,):
        kind = page[start] if len(page) > start + 12 else 0
        if kind not in (_LEAF, _INTERIOR):
            continue
        count = int.from_bytes(page[start + 3 : start + 5], "big")
        first = start + (8 if kind == _LEAF else 12)
        for at in range(first, min(first + 2 * count, len(page) - 1), 2):
            cell = int.from_bytes(page[at : at + 2], "big") + (0 if kind == _LEAF else 4)
            try:
                yield _values(_payload(page, cell, pages))
            except (IndexError, KeyError, ValueError, struct.error):
                continue


def _payload(page: bytes, at: int, pages: dict[int, bytes]) -> bytes:
    """The content of a cell, with its overflow pages."""
    size, at = _varint(page, at)
    if size <= _MAX_LOCAL:
        return page[at : at + size]
    if size > len(pages) * PAGE:
        raise ValueError("longer than the file")
    local = _MIN_LOCAL + (size - _MIN_LOCAL) % (PAGE - 4)
    local = local if local <= _MAX_LOCAL else _MIN_LOCAL
    parts, following = [page[at : at + local]], int.from_bytes(page[at + local : at + local + 4], "big")
    while local < size and following:
        overflow = pages[following]
        parts.append(overflow[4 : 4 + size - local])
        local += len(parts[-1])
        following = int.from_bytes(overflow[:4], "big")
        if not parts[-1]:
            raise ValueError("an empty page")
    return b"".join(parts)


def _values(payload: bytes) -> Values:
    """The values of a record: a header with their types, then the values."""
    end, at = _varint(payload, 0)
    body, values = end, []
    while at < end:
        kind, at = _varint(payload, at)
        value: object
        if kind == 0:
            size, value = 0, None
        elif kind in _INTEGER_BYTES:
            size = _INTEGER_BYTES[kind]
            value = int.from_bytes(payload[body : body + size], "big", signed=True)
        elif kind == 7:
            size = 8
            (value,) = struct.unpack_from(">d", payload, body)
        elif kind in (8, 9):
            size, value = 0, kind - 8
        elif kind >= 12:
            size = (kind - 12) // 2
            raw = payload[body : body + size]
            value = raw.decode() if kind % 2 else raw
        else:
            raise ValueError(f"serial type {kind}")
        body += size
        if body > len(payload):
            raise ValueError("cut off")
        values.append(value)
    return tuple(values)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """An integer of one to nine bytes, and the position after it."""
    value = 0
    for step in range(8):
        byte = data[at + step]
        value = (value << 7) | (byte & 0x7F)
        if byte < 0x80:
            return value, at + step + 1
    return (value << 8) | data[at + 8], at + 9
