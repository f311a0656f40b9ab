"""Hashes of source code for a service's digest, so that a code change changes the digest without a version bump."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from omnigap.digest import digest_of, sha256_hex


def files_hash(files: Iterable[Path]) -> str:
    """SHA-256 (hex) over the names and bytes of files; their order does not matter."""
    return digest_of({file.name: sha256_hex(file.read_bytes()) for file in files})


def package_files(folder: Path) -> Iterator[Path]:
    """The modules in a package's folder, except `tiny.py`. Folders below it, such as `tiny/`, are not included.

    It makes the checkpoint of `--tiny`, whose files and options have hashes of their own. If its code were part of a
    digest, a change to it would discard the stored answers of real weights.
    """
    return (path for path in folder.glob("*.py") if path.name != "tiny.py")


def source_hash(*names: str) -> str:
    """SHA-256 (hex) over the source files of modules and packages, which are not imported.

    Args:
        names: dotted names; for a package, its `package_files`.

    Raises:
        ModuleNotFoundError: for a name that is neither a module nor a package of this environment.
    """
    files: list[Path] = []
    for name in names:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"{name} is not a module of this environment")
        origin = Path(spec.origin)
        files += package_files(origin.parent) if spec.submodule_search_locations else [origin]
    return files_hash(files)
