"""The identity of weights: a hash of the files that a loader reads, independent of the folder's name and layout.

The same files have one hash in a plain folder and in the hub's cache, whose files are symbolic links to blobs. The
errors for files that the hub did not give, and for Git LFS pointers, are here too.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from omnigap.digest import file_sha256, sha256_hex

# Smaller files are read at every start. Above it, the 60 GB of a large model would take about a minute each time.
_LARGE_BYTES = 16 * 2**20
# A hash is cached only if its file was not written for this long before it was read: clocks of file systems are
# coarse, so a later write could have the same times.
_SETTLED_NS = 2_000_000_000
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_HEADER_BYTES = 100 * 2**20
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_PREFIX = "models--"
_LFS_START = b"version https://git-lfs"

LFS_POINTER = "a Git LFS pointer instead of the file that it names (`git lfs pull` downloads it)"
"""What a file is for which `is_lfs_pointer` is true, for errors."""


def content_revision(folder: Path, names: Iterable[str]) -> str:
    """`sha256:` and a hash over the names and bytes of files in a folder.

    Large files are read once: their hashes are cached, and the hub's cache names files by their hashes.

    Args:
        names: relative paths, with slashes.
    """
    chosen = sorted(names)
    # Threads: hashlib releases the GIL for large buffers, and large checkpoints come in several shards.
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        hashes = pool.map(file_hash, (folder / name for name in chosen))
        digest = hashlib.sha256()
        for name, found in zip(chosen, hashes, strict=True):
            digest.update(f"{name}\0{found}\0".encode("utf-8", "surrogateescape"))
    return f"sha256:{digest.hexdigest()}"


def files_below(folder: Path) -> Iterator[str]:
    """Yields the relative paths of all files, also behind symbolic links; hidden files and folders are left out."""
    above: dict[str, frozenset[str]] = {}
    for place, folders, files in os.walk(folder, followlinks=True):
        # A link to a folder above would never end. One folder under two names counts twice, as in a copy without links.
        real, outer = os.path.realpath(place), above.get(os.path.dirname(place), frozenset())  # noqa: PTH120 - as `place`
        if real in outer:
            folders.clear()
            continue
        above[place] = outer | {real}
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(place, name)
            if not name.startswith(".") and path.is_file():
                yield path.relative_to(folder).as_posix()


def hub_origin(path: Path) -> tuple[str, str, str]:
    """Where a folder or file in the hub's cache is from; three empty strings for any other one.

    Returns:
        The hub's name, the commit, and the path within the repository, with slashes; empty for the snapshot's folder.
    """
    # A link may lead into the cache, and the files of the cache are links out of its snapshots.
    given = Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps `..`
    for place in (given, given.parent.resolve() / given.name, given.resolve()):
        parts = place.parts
        for number, (repository, kind, commit) in enumerate(zip(parts, parts[1:], parts[2:], strict=False)):
            if repository.startswith(_HUB_PREFIX) and kind == "snapshots" and _COMMIT.fullmatch(commit):
                name = repository.removeprefix(_HUB_PREFIX).replace("--", "/")
                return name, commit, "/".join(parts[number + 3 :])
    return "", "", ""


def hub_failure(name: str, revision: str, error: Exception, file: str = "", hint: str = "") -> str:
    """The end of the error for a hub name, or one file of it, that was not found: "neither in ... nor ...".

    Args:
        error: of huggingface_hub or its HTTP client.
        hint: further words behind the library's message.
    """
    detail = " ".join(str(error).split())[:300]
    command = " ".join(["hf download", name, *[file] * bool(file), *[f"--revision {revision}"] * bool(revision)])
    return (
        f"neither in the hub's cache on this machine nor obtainable from the hub ({type(error).__name__}: {detail}"
        f"{hint}): download it first with `{command}` where the hub can be reached"
    )


def is_lfs_pointer(path: Path) -> bool:
    """Whether a file is only a pointer, as in a clone without git-lfs.

    Raises:
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        return file.read(len(_LFS_START)) == _LFS_START


def file_hash(path: Path) -> str:
    """SHA-256 (hex) of a file; a large one is not read again while it is unchanged."""
    real = path.resolve()
    found = real.stat()
    if found.st_size < _LARGE_BYTES:
        return file_sha256(real)
    if _is_hub_blob(real) and _is_as_downloaded(path, found) and _is_whole(path.suffix, real, found.st_size):
        return real.name
    return _cached(real, found)


def _is_hub_blob(real: Path) -> bool:
    """Whether the hub's cache names this file by its SHA-256: models--OWNER--NAME/blobs/SHA256."""
    return (
        real.parent.name == "blobs"
        and real.parent.parent.name.startswith(_HUB_PREFIX)
        and _SHA256.fullmatch(real.name) is not None
    )


def _is_as_downloaded(link: Path, blob: os.stat_result) -> bool:
    """Whether a blob was not written to since the hub's cache linked it.

    Training that saves to a snapshot's folder writes through its links, and its file has the same length as before.
    """
    found = link.lstat()
    return stat.S_ISLNK(found.st_mode) and blob.st_mtime_ns <= found.st_mtime_ns


def _is_whole(suffix: str, path: Path, size: int) -> bool:
    """Whether a file of safetensors or PyTorch weights has the length that it declares; False for other formats.

    An interrupted copy of a cache leaves a shorter file under the whole file's name.
    """
    if suffix != ".safetensors":
        return zipfile.is_zipfile(path)
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > min(size, _MAX_HEADER_BYTES):
                return False
            header = json.loads(file.read(length))
        ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
        return bool(8 + length + max(ends) == size)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return False


def _cached(real: Path, found: os.stat_result) -> str:
    """The hash of a large file, from the user's cache if file and times are the same as then."""
    identity = f"{real}\n{_times(found)}\n".encode("utf-8", "surrogateescape")
    folder = _cache_folder()
    entry = None if folder is None else folder / sha256_hex(identity)
    if entry is not None:
        with suppress(OSError):
            stored = entry.read_bytes()
            known = stored.removeprefix(identity).decode("ascii", "replace")
            if stored.startswith(identity) and _SHA256.fullmatch(known):
                return known
    started = time.time_ns()
    result = file_sha256(real)
    after = real.stat()
    unchanged = _times(after) == _times(found)
    if entry is not None and unchanged and started - max(found.st_mtime_ns, found.st_ctime_ns) > _SETTLED_NS:
        with suppress(OSError):
            temporary = entry.with_suffix(f".{os.getpid()}.{time.monotonic_ns()}")
            temporary.write_bytes(identity + result.encode())
            temporary.replace(entry)
    return result


def _times(found: os.stat_result) -> str:
    """Device, number, size and times of a file."""
    # The change time can't be set by a program, so another file with a copied size and modification time is noticed.
    return f"{found.st_dev} {found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def _cache_folder() -> Path | None:
    """A folder that only this user can write to; None if there is none, as in a container without a writable path."""
    own = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(own) if Path(own).is_absolute() else Path(os.path.expanduser("~")) / ".cache"  # noqa: PTH111 - never raises
    for folder in (home / "omnigap" / "weights", Path(tempfile.gettempdir()) / f"omnigap-weights-{os.geteuid()}"):
        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            info = folder.lstat()
            # In a shared folder, another user could have put wrong hashes there.
            is_own = stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid() and not info.st_mode & 0o022
            if is_own and os.access(folder, os.W_OK):
                return folder
    return None
