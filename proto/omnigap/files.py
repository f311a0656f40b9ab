"""Reads files that a user or an item names: regular ones only, because a FIFO or a device can block."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

SETTINGS_BYTES = 16 * 1024 * 1024
"""Largest file of settings: configuration, options, rubric."""
MAX_FILE_BYTES = 1024 * 1024 * 1024
"""Largest other file that is read at once: a sparse file of terabytes takes no space on a disk, but in memory."""

_KINDS = (
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: Path | str) -> BinaryIO:
    """Opens a regular file for reading; symbolic links are followed.

    Raises:
        OSError: the file can't be opened, or is a folder, FIFO, socket or device; `strerror` says which.
    """
    try:
        # Before opening: that alone can rewind a tape or arm a watchdog.
        _check(os.stat(path), path)  # noqa: PTH116
        # O_NONBLOCK: what became a FIFO since then must not block either.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except ValueError as error:
        # A null byte, or half of a surrogate pair.
        raise OSError(errno.EINVAL, "no file can have this name", str(path)) from error
    try:
        _check(os.fstat(descriptor), path)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path | str, limit: int = MAX_FILE_BYTES) -> bytes:
    """Reads a regular file.

    Files of /proc that report no size count as empty.

    Args:
        limit: largest size in bytes.

    Raises:
        OSError: as `open_regular`, or the file is larger.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            text = f"has {size:,} bytes, which is more than {limit:,}"
            raise OSError(errno.EFBIG, text, str(path))
        return file.read(size)


def _check(found: os.stat_result, path: Path | str) -> None:
    if stat.S_ISREG(found.st_mode):
        return
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    kind = next((name for test, name in _KINDS if test(found.st_mode)), "no file")
    raise OSError(errno.EINVAL, f"it is {kind}, not a regular file", str(path))
