"""The journal of a run: durable SQLite writes with group commit, and an in-memory view of the rows by key."""

from __future__ import annotations

import asyncio
import gc
import queue
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from omnigap_orchestrator.journal.faults import JournalError, damaged, journal_error, repair_command
from omnigap_orchestrator.journal.rows import Row
from omnigap_orchestrator.journal.tables import CHECKSUM, TABLES, DamagedRow, MetaRow, Table, Values
from omnigap_orchestrator.legacy import upgrade_journal

SCHEMA_VERSION = "2"

_META: Table[MetaRow] = TABLES[MetaRow]
_AnyRow = TypeVar("_AnyRow", bound=Row | MetaRow)


class Journal:
    """The journal of one run.

    Threads may share it: every transaction and every read of a table is atomic. The lock of the run folder excludes
    other writing processes; readers see committed rows only.
    """

    def __init__(self, path: Path, *, must_exist: bool = False) -> None:
        """Opens or creates the journal.

        Args:
            must_exist: refuse a file without tables instead of creating them.

        Raises:
            JournalError: the folder cannot be written, or the file is not an undamaged journal of this version.
        """
        self.path = path
        self.damaged: dict[str, tuple[DamagedRow, ...]] = {}
        """Rows that did not match their checksum when their table was last read, by table."""
        # Readers and the writer thread share one connection. The lock keeps a reader from seeing half a transaction.
        self._lock = threading.RLock()
        if path.is_dir():
            raise JournalError(f"{path} is a folder: move it away, or choose another --run-dir")
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        except sqlite3.Error as error:
            raise journal_error(path, error, "opened as a journal") from error
        try:
            self._open(must_exist)
        except sqlite3.Error as error:
            self.close()
            raise journal_error(path, error, "opened as a journal") from error
        except BaseException:
            self.close()
            raise
        self.run_id = self.meta("run_id") or ""
        """Random id of this run, created with the journal."""

    def _open(self, must_exist: bool) -> None:
        # WAL with FULL syncs the log at every commit: an acknowledged row survives a power failure.
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            if must_exist:
                raise damaged(self.path, "it is empty, although the run was planned")
            self._create()
        # A missing table is not created here: the pages of a dropped one can still be read, until something is written.
        elif lacking := [table.name for table in TABLES.values() if table.name not in tables]:
            raise damaged(self.path, f"it has no table {', '.join(lacking)}")
        upgrade_journal(self._db, seal)
        self._check_version()
        for table in TABLES.values():
            columns = columns_of(self._db, table.name)
            if lacking := [name for name in (*table.columns, CHECKSUM) if name not in columns]:
                raise damaged(self.path, f"its table {table.name} has no column {', '.join(lacking)}")
        if self.meta("run_id") is None:
            self.set_meta("run_id", secrets.token_hex(8))

    def _create(self) -> None:
        """Creates the tables in one transaction, so that a killed process leaves all of them or none."""
        schema = files(__package__).joinpath("schema.sql").read_text()
        version = _META.stored(MetaRow("schema_version", SCHEMA_VERSION))
        self._db.executescript(f"BEGIN IMMEDIATE;\n{schema}")
        self._db.execute(_META.insert.replace("OR REPLACE", "OR IGNORE"), version)
        self._db.execute("COMMIT")

    def _check_version(self) -> None:
        """Raises JournalError for a journal of another version, or without one."""
        row = self._db.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
        if row is None:
            raise damaged(self.path, "it has no schema version")
        if row[0] == SCHEMA_VERSION:
            return
        text = f"{self.path} was written by another omnigap (journal version {row[0]}, this one reads {SCHEMA_VERSION})"
        if CHECKSUM in columns_of(self._db, _META.name) and self.meta("schema_version") is None:
            raise JournalError(f"{text}, or its version was edited: run {repair_command(self.path)}")
        raise JournalError(f"{text}: choose another --run-dir")

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def write(self, rows: Sequence[Row | MetaRow]) -> None:
        """Writes rows in one transaction; when this returns, they are on disk.

        Raises:
            JournalError: the write failed, for example on a full disk. No row of the batch is then written.
        """
        with self._transaction():
            for row in rows:
                table = TABLES[type(row)]
                self._db.execute(table.insert, table.stored(row))

    def all(self, row_type: type[_AnyRow]) -> list[_AnyRow]:
        """Returns every undamaged row of a table as its dataclass; the others are then in `damaged`.

        Raises:
            JournalError: the table cannot be read.
        """
        table = TABLES[row_type]
        with _no_collection():
            with self._lock:
                try:
                    found = fetch(self._db, table.select)
                except sqlite3.Error as error:
                    raise journal_error(self.path, error, "read") from error
            good, bad = table.checked(found)
        self.damaged[table.name] = tuple(bad)
        return good

    def delete_failures(self, stage: str, model: str, conditions: Sequence[str]) -> None:
        """Deletes the failures of a stage of a model in these conditions, so that their cells are retried.

        Raises:
            JournalError: the write failed.
        """
        delete = "DELETE FROM failures WHERE stage = ? AND model = ? AND condition = ?"
        with self._transaction():
            self._db.executemany(delete, [(stage, model, condition) for condition in conditions])

    def delete_keys(self, row_type: type[Row], keys: Iterable[str]) -> None:
        """Deletes rows of a table with a single key, so that what they hold is made again.

        Raises:
            JournalError: the write failed.
        """
        with self._transaction():
            self._db.executemany(TABLES[row_type].delete, [(key,) for key in keys])

    def delete(self, rows: Iterable[DamagedRow]) -> None:
        """Deletes damaged rows.

        Raises:
            JournalError: the write failed.
        """
        of_name = {table.name: table for table in TABLES.values()}
        with self._transaction():
            for row in rows:
                self._db.execute(of_name[row.table].delete, row.key)

    def meta(self, key: str) -> str | None:
        """A value of the run as a whole; None if it is missing or damaged.

        Raises:
            JournalError: the table cannot be read.
        """
        with self._lock:
            try:
                found = fetch(self._db, f"{_META.select} WHERE key = ?", (key,))
            except sqlite3.Error as error:
                raise journal_error(self.path, error, "read") from error
        good, _ = _META.checked(found)
        return good[0].value if good else None

    def set_meta(self, key: str, value: str) -> None:
        """Stores a value of the run as a whole.

        Raises:
            JournalError: the write failed.
        """
        with self._transaction():
            self._db.execute(_META.insert, _META.stored(MetaRow(key, value)))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commits at the end, or rolls back on any exception."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            except BaseException as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise journal_error(self.path, error, "written") from error
                raise


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without garbage collection: a table is many new objects and no garbage, which it would search in vain."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def fetch(connection: sqlite3.Connection, select: str, parameters: Values = ()) -> list[Values]:
    """The rows of a query; text that is not UTF-8 is read with surrogates, so that its row fails its checksum.

    Raises:
        sqlite3.Error: the rows cannot be read.
    """
    # `fetchall`, because an open cursor keeps its snapshot: after a commit of another process the next write on this
    # connection would fail.
    try:
        return connection.execute(select, parameters).fetchall()
    except sqlite3.OperationalError as error:
        if "UTF-8" not in str(error):
            raise
    before = connection.text_factory
    connection.text_factory = _undecodable
    try:
        return connection.execute(select, parameters).fetchall()
    finally:
        connection.text_factory = before


def _undecodable(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def read_meta(path: Path) -> dict[str, str]:
    """The undamaged metadata of a journal, read without changing anything; empty if they can't be read."""
    if not path.is_file():
        return {}
    # Without a log there is nothing to recover, so a read-only folder can be read as well.
    log = path.with_name(path.name + "-wal")
    how = "mode=ro" if log.exists() else "mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=10)) as connection:
            good, _ = _META.checked(fetch(connection, _META.select))
    except sqlite3.Error:
        return {}
    return {row.key: row.value for row in good}


def columns_of(connection: sqlite3.Connection, table: str) -> set[str]:
    """The names of a table's columns."""
    return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}


def seal(connection: sqlite3.Connection) -> None:
    """Adds the column of checksums to a journal of version 1, and the checksum of every row as it is now."""
    for table in TABLES.values():
        if CHECKSUM not in columns_of(connection, table.name):
            connection.execute(f"ALTER TABLE {table.name} ADD COLUMN {CHECKSUM} BLOB")
        connection.create_function("row_checksum", -1, _sealer(table), deterministic=True)
        connection.execute(f"UPDATE {table.name} SET {CHECKSUM} = row_checksum({', '.join(table.columns)})")


def _sealer(table: Table[Any]) -> Any:
    return lambda *values: table.checksum(values)


FLEET_META = "fleet"
"""Key of the metadata for the fleet that a run uses: `compose` or `embedded`."""
JOURNAL = "journal.sqlite"
"""Name of the file in the folder of a run."""
MAX_GROUP_SIZE = 256
"""Largest number of writes that share one commit."""


@dataclass(frozen=True, slots=True)
class _Pending:
    rows: tuple[Row | MetaRow, ...]
    done: asyncio.Future[None] | None


class JournalWriter:
    """The only writer of a journal during a run, in a separate thread.

    Group commit: while one group is synced to disk, the next one collects, so that throughput does not depend on the
    latency of a sync.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._queue: queue.SimpleQueue[_Pending | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._error: JournalError | None = None
        self._thread = threading.Thread(target=self._write_groups, name="journal", daemon=True)
        self._thread.start()

    async def write(self, *rows: Row | MetaRow) -> None:
        """Returns when the rows are on disk.

        Raises:
            JournalError: the rows could not be written. Every later call fails as well, since rows would be missing.
        """
        done = self._loop.create_future()
        self._queue.put(_Pending(rows, done))
        await done

    def post(self, *rows: Row | MetaRow) -> None:
        """Queues rows that can be recomputed, without waiting; an error is raised by the next `write` or `close`."""
        self._queue.put(_Pending(rows, None))

    async def close(self) -> None:
        """Writes all queued rows and ends the thread; the journal stays open.

        Raises:
            JournalError: a queued row could not be written.
        """
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        if self._error is not None:
            raise self._error

    def _write_groups(self) -> None:
        while (first := self._queue.get()) is not None:
            group, last = [first], False
            while len(group) < MAX_GROUP_SIZE:
                try:
                    more = self._queue.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    last = True
                    break
                group.append(more)
            self._commit(group)
            if last:
                return

    def _commit(self, group: list[_Pending]) -> None:
        if self._error is None:
            try:
                self._journal.write([row for pending in group for row in pending.rows])
            except JournalError as error:
                self._error = error
            except Exception as error:
                # A value that SQLite does not accept, such as a lone surrogate. Without this the thread would die, and
                # callers would wait forever.
                self._error = JournalError(f"a row cannot be stored ({type(error).__name__}: {error})")
        self._loop.call_soon_threadsafe(self._settle, group, self._error)

    @staticmethod
    def _settle(group: list[_Pending], error: JournalError | None) -> None:
        for pending in group:
            if pending.done is None or pending.done.done():
                continue
            if error is None:
                pending.done.set_result(None)
            else:
                pending.done.set_exception(error)
