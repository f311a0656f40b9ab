"""Checkpoints of tests in the layout of the Hugging Face hub's cache."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from omnigap.digest import file_sha256

LARGE_BYTES = 10_000
"""From here on the hub keeps a file in LFS, and names its blob by the SHA-256; smaller ones have git's SHA-1."""


def in_hub_cache(folder: Path, cache: Path, name: str, commit: str) -> Path:
    """Puts the files of a folder into a cache as blobs and links, as a download does; returns the snapshot's folder."""
    repository = cache / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / commit
    (repository / "blobs").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        git_hash = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        blob = repository / "blobs" / (file_sha256(path) if len(data) >= LARGE_BYTES else git_hash)
        blob.write_bytes(data)
        link = snapshot / path.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    return snapshot
