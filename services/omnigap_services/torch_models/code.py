"""The hash of this folder's sources: the server hashes an adapter's own folder, and this one is shared."""

from __future__ import annotations

from pathlib import Path

from omnigap.digest import digest_of, sha256_hex


def shared_code() -> dict[str, str]:
    """A card's setting that changes where these files do."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return {"code.torch_models": digest_of({file.name: sha256_hex(file.read_bytes()) for file in files})}
