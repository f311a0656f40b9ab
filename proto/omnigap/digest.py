"""Digests: one SHA-256 over values in a canonical form, and over media bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

Hashable = str | int | float | bool | None | Sequence["Hashable"] | Mapping[str, "Hashable"]


def digest_of(value: Hashable) -> str:
    """SHA-256 (hex) of a value's canonical JSON: sorted keys, no spaces, UTF-8.

    Raises:
        ValueError: for NaN or infinite numbers, which have no canonical form.
        TypeError: for values that JSON does not know.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_hex(data: bytes) -> str:
    """SHA-256 (hex) of bytes: the name of a medium in a content-addressed store."""
    return hashlib.sha256(data).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
