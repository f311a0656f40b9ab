"""Stores media by the hash of their content, and defines the errors of the carriers package."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

from omnigap.digest import sha256_hex
from omnigap.errors import OmnigapError


class CarrierError(OmnigapError):
    """A text can't be rendered, or a style is invalid; the message names the configuration key."""


class StoreError(OmnigapError):
    """The media folder can't be read or written."""


class MediumError(StoreError):
    """One medium can't be used: its file is missing, can't be read, or has other content than its name says.

    Attributes:
        sha256: the medium.
    """

    def __init__(self, message: str, sha256: str, store: MediaStore) -> None:
        super().__init__(message)
        self.sha256 = sha256
        self._store = store

    def set_aside(self) -> None:
        """Moves the file out of the way, so that the medium is made again; see `MediaStore.set_aside`."""
        self._store.set_aside(self.sha256)


EXTENSIONS = ("wav", "png", "flac", "ogg", "mp3", "jpg", "webp", "txt")
"""File extensions of media; `path` tries them in this order."""

_TEMPORARY = "tmp"
_SET_ASIDE = "damaged"


class MediaStore:
    """Content-addressed files `root/ab/<sha256>.<ext>`.

    A file is written under a temporary name, flushed and then renamed, so that a file with its final name is always
    complete. A process that dies leaves at most temporary files, which `sweep` removes. Threads may read and write
    concurrently. Folders are created at the first `put`; reading creates nothing.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._made = False
        self._making = threading.Lock()

    def put(self, data: bytes, extension: str) -> str:
        """Stores bytes and returns their SHA-256; existing content is not written again.

        Raises:
            StoreError: the disk is full, or the folder can't be written.
            ValueError: the extension is not in `EXTENSIONS`.
        """
        sha256, folder = self._write(data, extension)
        if folder is not None:
            self._flush_folder(folder)
        return sha256

    def path(self, sha256: str, extension: str | None = None) -> Path:
        """The path of a medium. If the extension is given, the path is returned without checking that it exists.

        Raises:
            KeyError: no extension is given, and the store does not contain the medium.
        """
        if extension is not None:
            return self._path(sha256, extension)
        for known in EXTENSIONS:
            path = self._path(sha256, known)
            if path.exists():
                return path
        raise KeyError(sha256)

    def exists(self, sha256: str) -> bool:
        """Whether there is a file of this name; its content is verified only by `read`."""
        return any(self._path(sha256, extension).is_file() for extension in EXTENSIONS)

    def read(self, sha256: str) -> bytes:
        """Reads a medium and verifies its hash.

        Raises:
            MediumError: the file is missing or can't be read, or its content does not match its name.
        """
        try:
            path = self.path(sha256)
        except KeyError:
            raise MediumError(f"{self._path(sha256, '*')} is missing: {self._remedy}", sha256, self) from None
        try:
            data = path.read_bytes()
        except OSError as error:
            raise MediumError(f"{path} can't be read ({error.strerror}): {self._remedy}", sha256, self) from error
        if sha256_hex(data) != sha256:
            raise MediumError(f"the content of {path} does not match its name: {self._remedy}", sha256, self)
        return data

    @property
    def _remedy(self) -> str:
        return f"repeat the run, or run `omnigap-orchestrate doctor {self.root.parent} --repair`"

    def set_aside(self, sha256: str) -> Path | None:
        """Moves the files of a medium out of the way, so that it can be stored again; returns where the last one is.

        Raises:
            StoreError: a file can't be moved.
        """
        moved = None
        for extension in EXTENSIONS:
            path = self._path(sha256, extension)
            if path.exists() or path.is_symlink():
                moved = self._move_aside(path)
        return moved

    def _move_aside(self, path: Path) -> Path:
        to = self.root / _SET_ASIDE / f"{path.name}.{secrets.token_hex(4)}"
        try:
            to.parent.mkdir(exist_ok=True)
            path.rename(to)
        except OSError as error:
            raise self._write_error(error) from error
        return to

    def files(self) -> Iterator[Path]:
        """Everything in the folder but what was set aside, in a fixed order: media, and what does not belong there."""
        for folder in sorted(self.root.iterdir()) if self.root.is_dir() else ():
            if folder.name == _SET_ASIDE:
                continue
            if not folder.is_dir():
                yield folder
                continue
            yield from sorted(folder.iterdir())

    def is_medium(self, path: Path) -> bool:
        """Whether a file has the name and the place of a medium."""
        name, _, extension = path.name.partition(".")
        return extension in EXTENSIONS and path == self._path(name, extension)

    def sweep(self) -> int:
        """Removes temporary files of dead processes and returns their number. The caller must be the only writer."""
        folder = self.root / _TEMPORARY
        left = list(folder.iterdir()) if folder.exists() else []
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)

    def _path(self, sha256: str, extension: str) -> Path:
        return self.root / sha256[:2] / f"{sha256}.{extension}"

    def _write(self, data: bytes, extension: str) -> tuple[str, Path | None]:
        """Returns the hash, and the folder to flush, or None if the medium already existed."""
        if extension not in EXTENSIONS:
            raise ValueError(f"{extension!r} is not an extension of a medium: one of {', '.join(EXTENSIONS)}")
        sha256 = sha256_hex(data)
        self._make_folders()
        final = self._path(sha256, extension)
        if final.exists():
            # The size finds a file that was cut; one with other content of the same size is found when it is read.
            if final.is_file() and final.stat().st_size == len(data):
                return sha256, None
            self._move_aside(final)
        temporary = self.root / _TEMPORARY / f"{sha256[:16]}-{secrets.token_hex(6)}"
        try:
            with temporary.open("xb", buffering=0) as file:
                # An unbuffered write may write only a part.
                view = memoryview(data)
                while view:
                    view = view[file.write(view) :]
                os.fsync(file.fileno())
            temporary.replace(final)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise self._write_error(error) from error
        return sha256, final.parent

    def _make_folders(self) -> None:
        """Creates all 256 folders at once, so that one flush makes their names durable."""
        with self._making:
            if self._made:
                return
            try:
                (self.root / _TEMPORARY).mkdir(parents=True, exist_ok=True)
                for number in range(256):
                    (self.root / f"{number:02x}").mkdir(exist_ok=True)
            except OSError as error:
                raise self._write_error(error) from error
            self._flush_folder(self.root)
            self._made = True

    def _flush_folder(self, folder: Path) -> None:
        """Flushes a folder, so that its file names survive a power failure."""
        try:
            handle = os.open(folder, os.O_RDONLY)
        except PermissionError:
            # Windows does not open folders.
            return
        except OSError as error:
            raise self._write_error(error) from error
        try:
            os.fsync(handle)
        except OSError as error:
            # Some file systems cannot flush a folder; there is nothing else to do.
            if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
                raise self._write_error(error) from error
        finally:
            os.close(handle)

    def _write_error(self, error: OSError) -> StoreError:
        return StoreError(
            f"can't write media to {self.root}: {error.strerror}: free disk space or fix its permissions, "
            "or choose another folder with --run-dir"
        )
