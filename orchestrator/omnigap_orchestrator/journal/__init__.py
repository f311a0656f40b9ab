"""The journal of a run: a SQLite file in which every acknowledged row is durable."""

from omnigap_orchestrator.journal.journal import Journal, JournalError, JournalWriter, Records
from omnigap_orchestrator.journal.rows import (
    AnswerRow,
    CarrierRow,
    FailureRow,
    ScoreRow,
    ServiceRow,
    TranscriptRow,
    VerdictRow,
)

__all__ = [
    "AnswerRow",
    "CarrierRow",
    "FailureRow",
    "Journal",
    "JournalError",
    "JournalWriter",
    "Records",
    "ScoreRow",
    "ServiceRow",
    "TranscriptRow",
    "VerdictRow",
]
