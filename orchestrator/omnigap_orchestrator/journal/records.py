"""The rows of a journal in memory, by key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from omnigap_orchestrator.journal.journal import Journal, JournalWriter
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
from omnigap_orchestrator.journal.tables import MetaRow

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

    async def save(self, *rows: Row | MetaRow) -> None:
        """Writes rows in one transaction and returns when they are on disk.

        Raises:
            JournalError: the write failed.
        """
        assert self._writer is not None, "these records are read-only"
        await self._writer.write(*rows)
        for row in rows:
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

    def _add(self, row: Row | MetaRow) -> None:
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
