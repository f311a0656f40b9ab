"""The journal of a run: durable SQLite writes with group commit, and an in-memory view of the rows by key."""

from __future__ import annotations

import asyncio
import queue
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from omnigap.errors import OmnigapError
from omnigap_orchestrator.journal.rows import (
    AnswerRow,
    CarrierRow,
    FailureRow,
    Row,
    ScoreRow,
    ServiceRow,
    TranscriptRow,
    VerdictRow,
)
from omnigap_orchestrator.legacy import upgrade_journal

SCHEMA_VERSION = "1"

_TABLES: dict[type, str] = {
    CarrierRow: "carriers",
    AnswerRow: "answers",
    TranscriptRow: "transcripts",
    VerdictRow: "verdicts",
    ScoreRow: "scores",
    FailureRow: "failures",
    ServiceRow: "services",
}
_INSERTS = {
    row: f"INSERT OR REPLACE INTO {table} ({', '.join(f.name for f in fields(row))}) "
    f"VALUES ({', '.join('?' * len(fields(row)))})"
    for row, table in _TABLES.items()
}
_AnyRow = TypeVar("_AnyRow", bound=Row)


class JournalError(OmnigapError):
    """The journal cannot be opened, read or written; the message names the file and the remedy."""


class Journal:
    """The journal of one run.

    Threads may share it: every transaction and every read of a table is atomic. The lock of the run folder excludes
    other writing processes; readers see committed rows only.
    """

    def __init__(self, path: Path) -> None:
        """Opens or creates the journal.

        Raises:
            JournalError: the folder cannot be written, or the file is not a journal of this version.
        """
        self.path = path
        is_new = not path.exists()
        # Readers and the writer thread share one connection. The lock keeps a reader from seeing half a transaction.
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            # WAL with FULL syncs the log at every commit: an acknowledged row survives a power failure.
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(files(__package__).joinpath("schema.sql").read_text())
            if not is_new:
                upgrade_journal(self._db)
            self._set_default_meta("schema_version", SCHEMA_VERSION)
            self._set_default_meta("run_id", secrets.token_hex(8))
        except sqlite3.Error as error:
            raise JournalError(
                f"{path} cannot be opened as a journal ({error}): free space, or choose another --run-dir"
            ) from error
        version = self.meta("schema_version")
        if version != SCHEMA_VERSION:
            self.close()
            text = f"{path} was written by another omnigap (journal version {version}, this one reads {SCHEMA_VERSION})"
            raise JournalError(f"{text}: choose another --run-dir")
        self.run_id = self.meta("run_id") or ""
        """Random id of this run, created with the journal."""

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def write(self, rows: Sequence[Row]) -> None:
        """Writes rows in one transaction; when this returns, they are on disk.

        Raises:
            JournalError: the write failed, for example on a full disk. No row of the batch is then written.
        """
        with self._transaction():
            for row in rows:
                self._db.execute(_INSERTS[type(row)], astuple(row))

    def all(self, row_type: type[_AnyRow]) -> list[_AnyRow]:
        """Returns every row of a table as its dataclass."""
        names = ", ".join(f.name for f in fields(row_type))
        with self._lock:
            # `fetchall`, because an open cursor keeps its snapshot: after a commit of another process the next write on
            # this connection would fail.
            found = self._db.execute(f"SELECT {names} FROM {_TABLES[row_type]}").fetchall()
        return [row_type(*values) for values in found]

    def delete_failures(self, stage: str, model: str, conditions: Sequence[str]) -> None:
        """Deletes the failures of a stage of a model in these conditions, so that their cells are retried.

        Raises:
            JournalError: the write failed.
        """
        delete = "DELETE FROM failures WHERE stage = ? AND model = ? AND condition = ?"
        with self._transaction():
            self._db.executemany(delete, [(stage, model, condition) for condition in conditions])

    def meta(self, key: str) -> str | None:
        with self._lock:
            value = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if value is None else str(value[0])

    def set_meta(self, key: str, value: str) -> None:
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))

    def _set_default_meta(self, key: str, value: str) -> None:
        """Sets a value that is not set yet."""
        # Checked first, so that opening an existing journal writes nothing.
        if self.meta(key) is None:
            self._db.execute("INSERT OR IGNORE INTO meta (key, value) VALUES (?, ?)", (key, value))

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
                    text = f"{self.path} cannot be written ({error}): free space and run again"
                    raise JournalError(text) from error
                raise


MAX_GROUP_SIZE = 256
"""Largest number of writes that share one commit."""


@dataclass(frozen=True, slots=True)
class _Pending:
    rows: tuple[Row, ...]
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

    async def write(self, *rows: Row) -> None:
        """Returns when the rows are on disk.

        Raises:
            JournalError: the rows could not be written. Every later call fails as well, since rows would be missing.
        """
        done = self._loop.create_future()
        self._queue.put(_Pending(rows, done))
        await done

    def post(self, *rows: Row) -> None:
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


FailureKey = tuple[str, str, str, str, int]
"""Stage, model, item id, condition with control (`plan.filed_under`) and replicate."""


class Records:
    """The rows of a journal in memory, by key. Tables are read once, and writes update both journal and memory."""

    def __init__(self, journal: Journal, writer: JournalWriter | None = None) -> None:
        """
        Args:
            writer: needed for `save` and `post`; without it only `save_all` can write.
        """
        self.journal = journal
        self._writer = writer

    @cached_property
    def answers(self) -> dict[str, AnswerRow]:
        return {row.key: row for row in self.journal.all(AnswerRow)}

    @cached_property
    def transcripts(self) -> dict[str, TranscriptRow]:
        return {row.key: row for row in self.journal.all(TranscriptRow)}

    @cached_property
    def verdicts(self) -> dict[str, VerdictRow]:
        return {row.key: row for row in self.journal.all(VerdictRow)}

    @cached_property
    def scores(self) -> dict[str, ScoreRow]:
        return {row.key: row for row in self.journal.all(ScoreRow)}

    @cached_property
    def carriers(self) -> dict[str, CarrierRow]:
        return {row.key: row for row in self.journal.all(CarrierRow)}

    @cached_property
    def failures(self) -> dict[FailureKey, FailureRow]:
        return {_failure_key(row): row for row in self.journal.all(FailureRow)}

    @cached_property
    def services(self) -> dict[tuple[str, str], ServiceRow]:
        """By role and name."""
        return {(row.role, row.name): row for row in self.journal.all(ServiceRow)}

    async def save(self, row: Row) -> None:
        """Writes a row and returns when it is on disk.

        Raises:
            JournalError: the write failed.
        """
        assert self._writer is not None, "these records are read-only"
        await self._writer.write(row)
        self._add(row)

    def post(self, row: Row) -> None:
        """Adds a row that can be recomputed, without waiting for the disk; `flush` waits."""
        assert self._writer is not None, "these records are read-only"
        self._writer.post(row)
        self._add(row)

    async def flush(self) -> None:
        """Returns when all posted rows are on disk.

        Raises:
            JournalError: a posted row could not be written.
        """
        if self._writer is not None:
            await self._writer.write()

    def save_all(self, rows: Sequence[Row]) -> None:
        """Writes rows in one transaction, for a caller without an event loop.

        Raises:
            JournalError: the write failed; none of the rows is written.
        """
        self.journal.write(rows)
        for row in rows:
            self._add(row)

    def delete_failures(self, stage: str, model: str, conditions: Iterable[str]) -> None:
        """Deletes the failures of a stage of a model in these conditions, so that their cells are retried.

        Raises:
            JournalError: the write failed.
        """
        dropped = tuple(conditions)
        self.journal.delete_failures(stage, model, dropped)
        for key in [key for key in self.failures if key[0] == stage and key[1] == model and key[3] in dropped]:
            del self.failures[key]

    def _add(self, row: Row) -> None:
        match row:
            case AnswerRow():
                self.answers[row.key] = row
            case TranscriptRow():
                self.transcripts[row.key] = row
            case VerdictRow():
                self.verdicts[row.key] = row
            case ScoreRow():
                self.scores[row.key] = row
            case CarrierRow():
                self.carriers[row.key] = row
            case FailureRow():
                self.failures[_failure_key(row)] = row
            case ServiceRow():
                self.services[row.role, row.name] = row


def _failure_key(row: FailureRow) -> FailureKey:
    return row.stage, row.model, row.item_id, row.condition, row.replicate
