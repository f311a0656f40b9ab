"""Files that are either the old one or the new one, never half of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omnigap_orchestrator.run.folder import FolderError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path`; renamed over it on a clean exit, removed otherwise.

    Raises:
        FolderError: where the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise FolderError(f"{path} cannot be written ({error.strerror or error}): free space and run again") from error
    finally:
        temporary.unlink(missing_ok=True)
