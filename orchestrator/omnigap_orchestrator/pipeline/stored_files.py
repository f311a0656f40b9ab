"""The hashes of a run's files, which the journal keeps: a file that was cut, damaged or edited since is recognised.

Sizes and modification times are not enough: a damaged sector changes neither. SHA-256 reads about 1 GB a second, so the
results of a million cells take less time than the import of polars.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from omnigap_orchestrator.journal import Journal, read_meta

_KEY = "sha256 "
"""Beginning of a key in the journal; a file name follows. The value is one hash, or two while the file is replaced."""


def hash_of(path: Path) -> str:
    """The SHA-256 of a file.

    Raises:
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remember(journal: Journal, *paths: Path) -> None:
    """Stores the hashes of files that were just written.

    Raises:
        JournalError: the disk is full.
        OSError: a file can't be read.
    """
    for path in paths:
        _set(journal, path, hash_of(path))


def expect(journal: Journal, path: Path, data: bytes) -> None:
    """Stores the hash of what is about to be written, beside the one of what is there now."""
    # A process that is killed before or after the file is replaced leaves a file with one of the two.
    before, now = journal.meta(_KEY + path.name) or "", hashlib.sha256(data).hexdigest()
    if before.split()[-1:] != [now]:
        _set(journal, path, f"{before.split()[-1]} {now}" if before else now)


def forget(journal: Journal, path: Path) -> None:
    """Removes the hash of a file that was deleted on purpose."""
    if journal.meta(_KEY + path.name):
        _set(journal, path, "")


def _set(journal: Journal, path: Path, hashes: str) -> None:
    if journal.meta(_KEY + path.name) != hashes:
        journal.set_meta(_KEY + path.name, hashes)


def is_known(path: Path, meta: Mapping[str, str]) -> bool:
    """Whether the journal has the hash of a file."""
    return bool(meta.get(_KEY + path.name))


def fault_of(path: Path, meta: Mapping[str, str] | None = None) -> str:
    """Why a file of a run is not the one that omnigap wrote; empty if it is, or if nothing is known about it.

    Args:
        meta: the metadata of the run's journal; None: they are read.
    """
    if meta is None:
        meta = read_meta(path.with_name("journal.sqlite"))
    known = meta.get(_KEY + path.name)
    if not known:
        return ""
    try:
        found = hash_of(path)
    except OSError as error:
        return f"can't be read ({error.strerror})"
    return "" if found in known.split() else "is damaged, cut or edited: it is not as omnigap wrote it"
