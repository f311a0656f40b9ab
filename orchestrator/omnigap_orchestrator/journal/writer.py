"""Group commit: rows from many coroutines, one thread that writes them, an await that ends when they are on disk."""

from __future__ import annotations

import asyncio
import queue
import threading
from dataclasses import dataclass

from omnigap_orchestrator.journal.journal import Journal, JournalError
from omnigap_orchestrator.journal.rows import Row

MAX_GROUP = 256


@dataclass(frozen=True, slots=True)
class _Pending:
    rows: tuple[Row, ...]
    done: asyncio.Future[None] | None


class JournalWriter:
    """The only writer of a journal while a run goes on.

    While one group is being synced, the next gathers: the commit rate follows the disk, the row rate the run.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._queue: queue.SimpleQueue[_Pending | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._broken: JournalError | None = None
        self._thread = threading.Thread(target=self._write_groups, name="journal", daemon=True)
        self._thread.start()

    async def write(self, *rows: Row) -> None:
        """Returns when the rows are on disk.

        Raises:
            JournalError: where they could not be written; every later call fails alike, since order would be lost.
        """
        done = self._loop.create_future()
        self._queue.put(_Pending(rows, done))
        await done

    def post(self, *rows: Row) -> None:
        """Hands over rows that can be computed again, without waiting; a fault shows at the next `write` or `close`."""
        self._queue.put(_Pending(rows, None))

    async def close(self) -> None:
        """Writes what waits, then ends the thread; the journal stays open.

        Raises:
            JournalError: where anything handed over could not be written.
        """
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        if self._broken is not None:
            raise self._broken

    def _write_groups(self) -> None:
        while (first := self._queue.get()) is not None:
            group, last = [first], False
            while len(group) < MAX_GROUP:
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
        if self._broken is None:
            try:
                self._journal.write([row for pending in group for row in pending.rows])
            except JournalError as error:
                self._broken = error
        self._loop.call_soon_threadsafe(self._settle, group, self._broken)

    @staticmethod
    def _settle(group: list[_Pending], error: JournalError | None) -> None:
        for pending in group:
            if pending.done is None or pending.done.done():
                continue
            if error is None:
                pending.done.set_result(None)
            else:
                pending.done.set_exception(error)
