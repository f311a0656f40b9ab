"""Entry point of the `fetch` container: brings weights into the volume that the models read, as their user.

    fetch NAME --revision COMMIT     downloads from the Hugging Face hub, as `hf download`
    fetch --import NAME [--replace]  reads a tar archive from standard input into /models/NAME

The archive comes from a `tar` of the host, which reads the files as the user who owns them, and follows links.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import signal
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, NoReturn

MODELS = Path(os.environ.get("OMNIGAP_MODELS", "/models"))
USAGE = "tar -C FOLDER -ch . | docker compose run --rm -T fetch --import NAME [--replace]"

# What every tar archive ends with. Without it the sender was interrupted, which Python's reader does not report.
_END = bytes(1024)


class FetchError(Exception):
    """Nothing was changed in the volume; the message says what to do."""


class _Stream:
    """Standard input, with its last bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.tail = b""

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.tail = (self.tail + data)[-len(_END) :]
        return data


def main(arguments: list[str]) -> int:
    if arguments[:1] != ["--import"]:
        if arguments == ["--help"]:
            print(f"A folder of this machine: {USAGE}\nA model of the hub:\n", flush=True)
        os.execvp("hf", ["hf", "download", *arguments])
    replace = "--replace" in arguments
    names = [argument for argument in arguments[1:] if argument != "--replace"]
    # Also a folder name of the hub's cache, and hidden names, which belong to this program.
    if len(names) != 1 or names[0] == "hub" or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", names[0]):
        print(f"fetch: name one folder of the volume (letters, digits, . _ -): {USAGE}", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _ended)
    os.umask(0o022)
    try:
        with _locked(names[0]):
            files, size = _import(names[0], replace, sys.stdin.buffer)
    except FetchError as error:
        print(f"fetch: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        fix = "free space in the volume, then repeat it" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "repeat it"
        print(f"fetch: {error.strerror}; nothing was imported: {fix}", file=sys.stderr)
        return 1
    print(f'{files} files, {size / 1e6:.1f} MB: use them as "{MODELS / names[0]}"')
    return 0


def _ended(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """Keeps a second import of the same name out."""
    path = MODELS / f".import-{name}.lock"
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FetchError(f"{name} is being imported by another container: wait for it") from None
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _import(name: str, replace: bool, source: IO[bytes]) -> tuple[int, int]:
    """Puts the archive's files into the volume under a name; returns their number and bytes."""
    target, part, old = (MODELS / f"{prefix}{name}" for prefix in ("", ".import-", ".replaced-"))
    if source.isatty():
        raise FetchError(f"no archive on standard input: {USAGE}")
    if target.exists() and not replace:
        raise FetchError(f"{name} is in the volume already: add --replace, or choose another name")
    for leftover in (part, old):
        # Of an import that was killed.
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        part.mkdir()
        found = _extract(source, part)
        _check(part, found[0])
        # One rename each: a service that starts meanwhile finds the old files, the new ones or none.
        if target.exists():
            target.rename(old)
        part.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    # A service that has the old files open keeps them.
    shutil.rmtree(old, ignore_errors=True)
    return found


def _extract(source: IO[bytes], folder: Path) -> tuple[int, int]:
    stream, files, size = _Stream(source), 0, 0
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:  # type: ignore[call-overload]
            for member in archive:
                path = _path_in(folder, member.name)
                if member.isdir():
                    path.mkdir(parents=True, exist_ok=True)
                    continue
                if member.issym():
                    raise FetchError(f"{member.name} is a link: add -h to tar, which then sends the file itself")
                path.parent.mkdir(parents=True, exist_ok=True)
                if member.islnk():
                    # Another name of a file that came before.
                    os.link(_path_in(folder, member.linkname), path)
                elif (content := archive.extractfile(member)) is not None:
                    with path.open("wb") as file:
                        shutil.copyfileobj(content, file, 2**20)
                        file.flush()
                        os.fsync(file.fileno())
                else:
                    raise FetchError(f"{member.name} is not a regular file: remove it from the folder")
                files, size = files + 1, size + path.stat().st_size
    except tarfile.TarError as error:
        raise FetchError(f"the archive is incomplete or not a tar archive ({error}): {USAGE}") from None
    while stream.read(2**20):
        pass
    if stream.tail != _END:
        raise FetchError("the archive ends too early because tar was interrupted: repeat it")
    return files, size


def _path_in(folder: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    if ".." in parts or name.startswith("/"):
        raise FetchError(f"{name} is outside the folder: {USAGE}")
    return folder.joinpath(*parts)


def _check(folder: Path, files: int) -> None:
    """Checks that a checkpoint's shards are all there: tar goes on after a file that it can't read."""
    if not files:
        raise FetchError(f"the archive has no files: check the folder after -C: {USAGE}")
    for index in folder.rglob("*.index.json"):
        with suppress(ValueError, AttributeError, TypeError):
            listed = set(json.loads(index.read_text(encoding="utf-8")).get("weight_map", {}).values())
            missing = sorted(name for name in listed if not (index.parent / name).is_file())
            # If a format was left out on purpose, all its files are missing, and another format is there.
            other = any(folder.rglob("*.safetensors")) or any(folder.rglob("*.bin"))
            if missing and (len(missing) < len(listed) or not other):
                raise FetchError(f"{missing[0]} is missing, which {index.name} lists: see the messages of tar")
    # A folder of Piper voices has a NAME.onnx.json for each.
    if not (folder / "config.json").is_file() and not any(folder.rglob("*.onnx.json")):
        print("fetch: note: no config.json: a checkpoint's own folder has one", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
