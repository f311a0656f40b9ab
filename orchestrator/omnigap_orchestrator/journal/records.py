"""The rows of a journal in memory, by key: each table is read once, and what is written afterwards is added."""

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

FailureKey = tuple[str, str, str, str, int]
"""Stage, model, item id, condition (or what the failure is filed under) and replicate."""


class Records:
    """Reads of a run go here, so that no command reads a table twice, and writes too, so that both agree."""

    def __init__(self, journal: Journal, writer: JournalWriter | None = None) -> None:
        """
        Args:
            writer: for `save` and `post`; without one only `save_all` writes.
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
        """Returns when the row is on disk.

        Raises:
            JournalError: where it could not be written.
        """
        assert self._writer is not None, "these records are only read"
        await self._writer.write(row)
        self._add(row)

    def post(self, row: Row) -> None:
        """Adds a row that can be computed again, without waiting for the disk; `flush` waits."""
        assert self._writer is not None, "these records are only read"
        self._writer.post(row)
        self._add(row)

    async def flush(self) -> None:
        """Returns when all that was posted is on disk.

        Raises:
            JournalError: where some of it could not be written.
        """
        if self._writer is not None:
            await self._writer.write()

    def save_all(self, rows: Sequence[Row]) -> None:
        """Writes rows in one transaction, for a caller without an event loop.

        Raises:
            JournalError: where they could not be written; none of them is then.
        """
        self.journal.write(rows)
        for row in rows:
            self._add(row)

    def forget_failures(self, stage: str, model: str, conditions: Iterable[str]) -> None:
        """Drops a stage's failures of a model in these conditions: a new call tries their cells again.

        Raises:
            JournalError: where the disk is full or gone.
        """
        dropped = tuple(conditions)
        self.journal.forget_failures(stage, model, dropped)
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
