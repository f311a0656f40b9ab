"""A service reports when its options file differs from what it loaded."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigap_services.options import LoadedFile, from_file
from tests.helpers.serve_command import Launch, announced
from tests.helpers.serve_process import Served

TEXT = "answer = 'one'\n"


def rewritten(path: Path) -> None:
    path.write_text("answer = 'two'\n")


def rewritten_with_the_old_time(path: Path) -> None:
    stat = path.stat()
    rewritten(path)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def replaced(path: Path) -> None:
    """As editors save: another file takes the name."""
    draft = path.with_suffix(".new")
    draft.write_text("answer = 'two'\n")
    draft.replace(path)


def emptied(path: Path) -> None:
    path.write_text("")


def commented(path: Path) -> None:
    path.write_text(TEXT + "# a comment\n")


def invalid(path: Path) -> None:
    path.write_text("answer = ")


def removed(path: Path) -> None:
    path.unlink()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_broken_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def huge(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(1 << 40)


CHANGES = [rewritten, rewritten_with_the_old_time, replaced, emptied, commented, invalid, removed, a_folder, a_fifo]
CHANGES += [a_broken_link, huge]


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_reported_until_it_is_undone(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "options.toml"
    path.write_text(TEXT)
    file = from_file(path).file
    assert file is not None
    assert file.outdated() == ""
    change(path)
    for _ in range(2):
        assert f"{path} (--config)" in file.outdated()
        assert "start the service again" in file.outdated()
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    path.write_text(TEXT)
    assert file.outdated() == ""


def touched(path: Path) -> None:
    path.touch()


def copied(path: Path) -> None:
    draft = path.with_suffix(".new")
    draft.write_bytes(path.read_bytes())
    draft.replace(path)


def made_read_only(path: Path) -> None:
    path.chmod(0o400)


@pytest.mark.parametrize("change", [touched, copied, made_read_only])
def test_the_same_content_is_no_change(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "options.toml"
    path.write_text(TEXT)
    file = from_file(path).file
    assert file is not None
    change(path)
    assert file.outdated() == ""


@given(st.lists(st.binary(max_size=3), min_size=1, max_size=6))
def test_only_the_first_content_is_up_to_date(tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("options") / "options.toml"
    path.write_bytes(contents[0])
    file = LoadedFile(path, contents[0])
    for content in contents:
        path.write_bytes(content)
        assert (file.outdated() == "") is (content == contents[0])


def test_an_unchanged_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "options.toml"
    path.write_text(TEXT)
    file = from_file(path).file
    assert file is not None
    # Its last change is long ago.
    monkeypatch.setattr("omnigap_services.options._TICK_NS", -1)
    assert file.outdated() == ""
    monkeypatch.setattr("omnigap_services.options.read_regular", None)
    assert file.outdated() == ""


def test_describe_names_the_file_and_keeps_the_digest(launch: Launch, tmp_path: Path) -> None:
    path = tmp_path / "options.toml"
    path.write_text(TEXT)
    process = launch("echo", "--config", "options.toml", "--options", "name = 'x'")
    ready = announced(process)
    served = Served(f"{ready['host']}:{ready['port']}", process)
    assert served.describe().outdated == ""
    path.write_text("answer = 'two'\n")
    described = served.describe()
    assert "the options file options.toml (--config) has changed" in described.outdated
    assert described.digest == ready["digest"]
    assert served.ask("hello").text == "one"
    path.unlink()
    assert "No such file" in served.describe().outdated
    served.stop()
    assert process.returncode == 0


def test_a_service_without_a_file_is_never_outdated(launch: Launch) -> None:
    process = launch("echo", "--options", "name = 'x'")
    ready = announced(process)
    served = Served(f"{ready['host']}:{ready['port']}", process)
    assert served.describe().outdated == ""
    served.stop()
