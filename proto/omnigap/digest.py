"""SHA-256 digests of values in canonical JSON, of bytes and of files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

Hashable = str | int | float | bool | None | Sequence["Hashable"] | Mapping[str, "Hashable"]


def digest_of(value: Hashable) -> str:
    """SHA-256 (hex) of a value's canonical JSON: sorted keys, no spaces, UTF-8.

    Raises:
        ValueError: the value holds NaN or an infinite number, which JSON cannot represent.
        TypeError: the value holds a type that JSON does not have.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_hex(data: bytes) -> str:
    """SHA-256 (hex) of bytes, which names a file in the content-addressed media store."""
    return hashlib.sha256(data).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
