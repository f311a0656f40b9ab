"""The journal of a run: a SQLite file in which every acknowledged row is durable."""

from omnigap_orchestrator.journal.faults import JournalError
from omnigap_orchestrator.journal.journal import FLEET_META, JOURNAL, Journal, JournalWriter, read_meta
from omnigap_orchestrator.journal.records import Records
from omnigap_orchestrator.journal.rows import (
    AnswerRow,
    CarrierRow,
    FailureRow,
    ScoreRow,
    ServiceRow,
    TranscriptRow,
    VerdictRow,
)
from omnigap_orchestrator.journal.tables import DamagedRow

__all__ = [
    "FLEET_META",
    "JOURNAL",
    "AnswerRow",
    "CarrierRow",
    "DamagedRow",
    "FailureRow",
    "Journal",
    "JournalError",
    "JournalWriter",
    "Records",
    "ScoreRow",
    "ServiceRow",
    "TranscriptRow",
    "VerdictRow",
    "read_meta",
]
