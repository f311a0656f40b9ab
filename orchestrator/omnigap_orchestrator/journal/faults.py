"""The error of the journal, and what helps against each failure of SQLite."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from omnigap.errors import OmnigapError


class JournalError(OmnigapError):
    """The journal cannot be opened, read or written; the message names the file and the remedy."""


_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM})
_FORBIDDEN = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH})
_IN_USE = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_REFUSED = frozenset({sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG})


def repair_command(path: Path) -> str:
    """The command that repairs a journal.

    Args:
        path: the file of the journal.
    """
    return f"`omnigap-orchestrate doctor {path.parent} --repair`"


def damaged(path: Path, what: object) -> JournalError:
    """The error of a journal whose pages or tables are damaged."""
    return JournalError(
        f"{path} is damaged ({what}): restore it from a copy, or run {repair_command(path)}, which keeps every row "
        "that can be read; what is lost is asked again"
    )


def journal_error(path: Path, error: sqlite3.Error, doing: str) -> JournalError:
    """The error of the journal for one of SQLite.

    Args:
        doing: as in "cannot be DOING".
    """
    # The lowest byte is the primary code; errors that Python itself raises have none.
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    text = f"{path} cannot be {doing} ({error})"
    if primary in _FULL:
        return JournalError(f"{text}: free space and run again")
    if primary in _IN_USE:
        return JournalError(f"{text}: another process uses it: wait for it and run again")
    if primary in _FORBIDDEN:
        return JournalError(f"{text}: fix the permissions of the file and its folder, or choose another --run-dir")
    if primary in _REFUSED or primary is None:
        return JournalError(text)
    return damaged(path, error)
