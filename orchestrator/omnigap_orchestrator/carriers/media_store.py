"""The errors of the carriers floor."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import threading
from pathlib import Path

from omnigap.digest import sha256_hex
from omnigap.errors import OmnigapError


class CarrierError(OmnigapError):
    """A text that can't be drawn or spoken, or a style that can't be used; the message names the configuration key."""


class StoreError(OmnigapError):
    """The media folder can't be written or read, or holds something else than its names say."""


# Media by the hash of their content: a file has its name only once all of it is on the disk.

EXTENSIONS = ("wav", "png", "flac", "ogg", "mp3", "jpg", "webp", "txt")
"""What a medium's file may end in; `path` looks for them in this order."""

_TEMPORARY = "tmp"


class MediaStore:
    """Files `root/ab/<sha256>.<ext>`, each written under another name, flushed, and then renamed.

    Folders are made at the first `put`: a store that is only read writes nothing.
    Any number of threads may put and read at once. A process that dies at any moment leaves whole files, and at most
    some under `root/tmp`, which `sweep` removes.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._made = False
        self._making = threading.Lock()

    def put(self, data: bytes, extension: str) -> str:
        """Stores bytes and returns their SHA-256; what is there already is not written again.

        Raises:
            StoreError: for a full disk or a folder that can't be written.
            ValueError: for an extension that is none of `EXTENSIONS`.
        """
        sha256, folder = self._write(data, extension)
        if folder is not None:
            self._flush_folder(folder)
        return sha256

    def path(self, sha256: str, extension: str | None = None) -> Path:
        """The file of a medium; with its extension the disk is not asked whether it is there.

        Raises:
            KeyError: without an extension, where the store does not hold it.
        """
        if extension is not None:
            return self._path(sha256, extension)
        for known in EXTENSIONS:
            path = self._path(sha256, known)
            if path.exists():
                return path
        raise KeyError(sha256)

    def exists(self, sha256: str) -> bool:
        return any(self._path(sha256, extension).exists() for extension in EXTENSIONS)

    def read(self, sha256: str) -> bytes:
        """The bytes of a medium, checked against their name.

        Raises:
            KeyError: where the store does not hold it.
            StoreError: for a file that can't be read or holds something else.
        """
        path = self.path(sha256)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StoreError(f"can't read {path}: {error.strerror}") from error
        if sha256_hex(data) != sha256:
            raise StoreError(f"{path} holds other bytes than its name says: remove the file and run again")
        return data

    def sweep(self) -> int:
        """Removes what dead writers left half done, and returns how many; only for who alone writes to this store."""
        folder = self.root / _TEMPORARY
        left = list(folder.iterdir()) if folder.exists() else []
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)

    def _path(self, sha256: str, extension: str) -> Path:
        return self.root / sha256[:2] / f"{sha256}.{extension}"

    def _write(self, data: bytes, extension: str) -> tuple[str, Path | None]:
        """The medium's hash, and the folder to flush; None where it was there already."""
        if extension not in EXTENSIONS:
            raise ValueError(f"{extension!r} is no extension of a medium: one of {', '.join(EXTENSIONS)}")
        sha256 = sha256_hex(data)
        self._make_folders()
        final = self._path(sha256, extension)
        if final.exists():
            return sha256, None
        temporary = self.root / _TEMPORARY / f"{sha256[:16]}-{secrets.token_hex(6)}"
        try:
            with temporary.open("xb", buffering=0) as file:
                view = memoryview(data)
                while view:
                    view = view[file.write(view) :]
                os.fsync(file.fileno())
            temporary.replace(final)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise self._trouble(error) from error
        return sha256, final.parent

    def _make_folders(self) -> None:
        """All at once, so that their names are flushed once and not with the first file of each."""
        with self._making:
            if self._made:
                return
            try:
                (self.root / _TEMPORARY).mkdir(parents=True, exist_ok=True)
                for number in range(256):
                    (self.root / f"{number:02x}").mkdir(exist_ok=True)
            except OSError as error:
                raise self._trouble(error) from error
            self._flush_folder(self.root)
            self._made = True

    def _flush_folder(self, folder: Path) -> None:
        """Makes names in a folder survive a power cut; on systems that can't flush a folder it does nothing."""
        try:
            handle = os.open(folder, os.O_RDONLY)
        except PermissionError:
            return
        except OSError as error:
            raise self._trouble(error) from error
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
                raise self._trouble(error) from error
        finally:
            os.close(handle)

    def _trouble(self, error: OSError) -> StoreError:
        return StoreError(
            f"can't write media to {self.root}: {error.strerror}: make room or mend its permissions, "
            "or choose another folder with --run-dir"
        )
