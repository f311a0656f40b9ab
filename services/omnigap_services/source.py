"""Hashes of source code: what rewords a prompt or tunes a rule answers otherwise, and nobody remembers to say so."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from omnigap.digest import digest_of, sha256_hex


def files_hash(files: Iterable[Path]) -> str:
    """SHA-256 (hex) over names and bytes of files, whatever their order."""
    return digest_of({file.name: sha256_hex(file.read_bytes()) for file in files})


def package_hash(name: str) -> str:
    """SHA-256 (hex) over the modules that lie directly in a package's folder; imports none of them.

    Raises:
        ModuleNotFoundError: for a name that is no package of this environment.
    """
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{name} is no package: name one whose folder holds its modules")
    return files_hash(Path(spec.submodule_search_locations[0]).glob("*.py"))
