"""A run's folder: where each of its files lies, how a file is replaced whole, and the lock that keeps others out."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omnigap.errors import OmnigapError


class FolderError(OmnigapError):
    """A run's folder cannot be used; the message names it and the flag that chooses another."""


class RunFolder:
    """The layout of `runs/NAME`. No other module knows a file name of a run."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def name(self) -> str:
        return self.root.resolve().name

    @property
    def journal(self) -> Path:
        return self.root / "journal.sqlite"

    @property
    def items(self) -> Path:
        """The planned items with their carriers, in the form that `--items` reads."""
        return self.root / "items.jsonl"

    @property
    def config(self) -> Path:
        """The configuration as it was understood, flags included."""
        return self.root / "config.json"

    @property
    def media(self) -> Path:
        return self.root / "media"

    @property
    def services(self) -> Path:
        """Options and logs of embedded services."""
        return self.root / "services"

    @property
    def results(self) -> Path:
        return self.root / "results.parquet"

    @property
    def controls(self) -> Path:
        """The control cells; only where the run plans any."""
        return self.root / "controls.parquet"

    @property
    def calibration(self) -> Path:
        """What the ASR scorer heard of known texts, one row a clip."""
        return self.root / "calibration.parquet"

    @property
    def verification(self) -> Path:
        """What readers made of the carriers; only where `verify` was called."""
        return self.root / "verification.parquet"

    @property
    def labels(self) -> Path:
        """What people heard in some of the answers."""
        return self.root / "labels.csv"

    @property
    def summary(self) -> Path:
        return self.root / "summary.json"

    @property
    def report(self) -> Path:
        return self.root / "report.html"

    @property
    def manifest(self) -> Path:
        return self.root / "manifest.toml"

    def exists(self) -> bool:
        return self.journal.is_file()

    def require(self) -> None:
        """Raises FolderError where no run was ever started here."""
        if not self.exists():
            raise FolderError(
                f"{self.root} holds no run: start one with `omnigap-orchestrate run --run-dir {self.root}`"
            )

    def make(self) -> None:
        """Makes the folder.

        Raises:
            FolderError: where it cannot be made or written.
        """
        try:
            self.media.mkdir(parents=True, exist_ok=True)
            probe = self.root / ".probe"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            reason = error.strerror or error
            raise FolderError(
                f"{self.root} cannot be written ({reason}): choose another folder with --run-dir"
            ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the run for this process; the lock falls with the process, however it ends.

        Raises:
            FolderError: where another process holds it.
        """
        with (self.root / ".lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                text = f"{self.root} is in use by another omnigap (process {holder})"
                raise FolderError(f"{text}: wait for it, or choose another --run-dir") from error
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield


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
