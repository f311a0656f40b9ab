"""The media store: complete files with concurrent writers, a killed writer, and a full disk."""

import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from omnigap.digest import sha256_hex
from omnigap_orchestrator.carriers import MediaStore, StoreError

WRITER = """
import os, sys
from pathlib import Path
from omnigap_orchestrator.carriers import MediaStore
store = MediaStore(Path(sys.argv[1]))
while True:
    print(*[store.put(os.urandom(200_000), "wav") for _ in range(8)], flush=True)
"""


def stored_files(root: Path) -> list[Path]:
    return [path for path in root.glob("??/*") if path.is_file()]


def test_put_and_read_by_hash(tmp_path: Path) -> None:
    store = MediaStore(tmp_path / "media")
    sha = store.put(b"sound", "wav")
    assert sha == sha256_hex(b"sound")
    assert store.path(sha) == store.path(sha, "wav") == tmp_path / "media" / sha[:2] / f"{sha}.wav"
    assert store.read(sha) == b"sound"
    assert store.exists(sha)


def test_reading_creates_no_folder(tmp_path: Path) -> None:
    store = MediaStore(tmp_path / "media")
    assert store.sweep() == 0
    assert not store.exists("ab" * 32)
    assert not (tmp_path / "media").exists()


def test_unknown_hash_raises(tmp_path: Path) -> None:
    store = MediaStore(tmp_path)
    assert not store.exists("ab" * 32)
    with pytest.raises(KeyError):
        store.path("ab" * 32)


def test_same_bytes_are_written_once(tmp_path: Path) -> None:
    store = MediaStore(tmp_path)
    sha = store.put(b"x", "png")
    before = store.path(sha).stat()
    assert store.put(b"x", "png") == sha
    after = store.path(sha).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_concurrent_puts(tmp_path: Path) -> None:
    store = MediaStore(tmp_path)
    media = [f"{n % 40}".encode() * 1_000 for n in range(400)]
    with ThreadPoolExecutor(16) as pool:
        shas = list(pool.map(lambda data: store.put(data, "wav"), media))
    assert shas == [sha256_hex(data) for data in media]
    assert len(stored_files(tmp_path)) == 40
    assert all(path.stem == sha256_hex(path.read_bytes()) for path in stored_files(tmp_path))


def test_unknown_extension_raises(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'exe' .*wav"):
        MediaStore(tmp_path).put(b"x", "exe")


@pytest.mark.parametrize("batches", [0, 1, 2, 3])
def test_killed_writer_leaves_only_complete_files(tmp_path: Path, batches: int) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    acknowledged_lines = [writer.stdout.readline() for _ in range(batches)]
    if not batches:
        while not stored_files(tmp_path):
            assert writer.poll() is None
    writer.send_signal(signal.SIGKILL)
    rest, _ = writer.communicate()
    store = MediaStore(tmp_path)
    files = stored_files(tmp_path)
    assert all(path.stem == sha256_hex(path.read_bytes()) for path in files)
    acknowledged = [
        sha
        for line in (*acknowledged_lines, *rest.splitlines(keepends=True))
        if line.endswith("\n")
        for sha in line.split()
    ]
    assert len(acknowledged) >= 8 * batches
    assert {sha for sha in acknowledged if len(sha) == 64} <= {path.stem for path in files}
    store.sweep()
    assert list((tmp_path / "tmp").iterdir()) == []
    assert len(stored_files(tmp_path)) == len(files)


def test_changed_file_raises(tmp_path: Path) -> None:
    store = MediaStore(tmp_path)
    sha = store.put(b"sound", "wav")
    store.path(sha).write_bytes(b"noise")
    with pytest.raises(StoreError, match=rf"{sha}\.wav"):
        store.read(sha)


def test_full_disk_raises_with_folder_and_flag(tmp_path: Path) -> None:
    store = MediaStore(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, before[1]))
    try:
        with pytest.raises(StoreError, match=rf"can't write media to {re.escape(str(tmp_path))}: .*--run-dir"):
            store.put(b"x" * 10_000, "wav")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert stored_files(tmp_path) == []
    assert list((tmp_path / "tmp").iterdir()) == []
    store.put(b"x" * 10_000, "wav")


def test_folder_that_cannot_be_created_raises(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match=r"can't write media to .*file/media: Not a directory: .*--run-dir"):
        MediaStore(tmp_path / "file" / "media").put(b"x", "wav")


def test_removed_folder_raises(tmp_path: Path) -> None:
    store = MediaStore(tmp_path / "media")
    store.put(b"first", "wav")
    shutil.rmtree(tmp_path / "media")
    with pytest.raises(StoreError, match=r"No such file or directory"):
        store.put(b"x", "wav")


def test_folder_without_permission_raises(tmp_path: Path) -> None:
    me = os.geteuid()
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    if me == 0:  # root can write to any folder, so the test switches to an unprivileged user
        os.seteuid(65_534)
    try:
        with pytest.raises(StoreError, match=r"Permission denied: .*--run-dir"):
            MediaStore(tmp_path / "media").put(b"x", "wav")
    finally:
        os.seteuid(me)
        tmp_path.chmod(stat.S_IRWXU)
