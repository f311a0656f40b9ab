"""The run's journal: one SQLite file that loses nothing which it acknowledged."""

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
