"""Files that others name: only regular files are read, and nothing blocks."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from omnigap.files import MAX_FILE_BYTES, open_regular, read_regular


def fifo(path: Path) -> None:
    os.mkfifo(path)


def link_to(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def link_to_fifo(path: Path) -> None:
    os.mkfifo(path.with_name("behind"))
    path.symlink_to("behind")


@pytest.fixture
def unix_socket(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        yield path


REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "fifo": (fifo, "FIFO"),
    "link to a fifo": (link_to_fifo, "FIFO"),
    "endless device": (link_to("/dev/zero"), "device"),
    "random device": (link_to("/dev/urandom"), "device"),
    "terminal": (link_to("/dev/tty"), "device"),
    "null device": (link_to("/dev/null"), "device"),
    "folder": (Path.mkdir, "directory"),
    "terabyte without content": (sparse, "bytes, which is more than"),
    "memory of the kernel": (link_to("/proc/kcore"), "more than"),
    "loop of links": (loop, "symbolic links"),
    "nothing": (lambda path: None, "No such file"),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize(("make", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, make: Callable[[Path], None], words: str) -> None:
    path = tmp_path / "named"
    make(path)
    if not path.exists() and words in ("device", "more than"):
        pytest.skip("this machine has no such file")
    with pytest.raises(OSError) as caught:
        read_regular(path)
    assert words in str(caught.value.strerror)


def test_a_socket_is_refused(unix_socket: Path) -> None:
    with pytest.raises(OSError, match="socket"):
        open_regular(unix_socket)


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b"])
def test_an_impossible_name_is_an_error_of_the_system(name: str) -> None:
    with pytest.raises(OSError, match="no file can have this name"):
        read_regular(name)


def test_files_without_a_size_are_empty() -> None:
    assert read_regular("/proc/self/environ") == b""


def test_a_regular_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read_regular(path, 5) == b"12345"
    with pytest.raises(OSError, match="5 bytes, which is more than 4"):
        read_regular(path, 4)
    assert MAX_FILE_BYTES >= 1 << 30
