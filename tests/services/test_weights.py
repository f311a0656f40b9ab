"""The identity of weights: equal for equal files wherever they are, and different as soon as a byte differs."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnigap.digest import file_sha256
from omnigap_services import weights
from omnigap_services.weights import (
    content_revision,
    file_hash,
    files_below,
    hub_failure,
    hub_origin,
    is_lfs_pointer,
)
from tests.helpers.hub_cache import LARGE_BYTES, in_hub_cache

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAMES = st.lists(
    st.sampled_from(["config.json", "model.safetensors", "a/b/x.bin", "a/x.bin", "ü.txt", "a b.json"]), unique=True
)


@pytest.fixture(autouse=True)
def small_files_are_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_LARGE_BYTES", LARGE_BYTES)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose bytes were read."""
    names: list[str] = []

    def read(path: Path) -> str:
        names.append(path.name)
        return file_sha256(path)

    monkeypatch.setattr(weights, "file_sha256", read)
    return names


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as written long ago."""
    monkeypatch.setattr(weights, "_SETTLED_NS", -(10**18))


def large(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content * LARGE_BYTES)
    return path


def safetensors(path: Path) -> Path:
    header = json.dumps({"t": {"dtype": "U8", "shape": [LARGE_BYTES], "data_offsets": [0, LARGE_BYTES]}}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(LARGE_BYTES))
    return path


@settings(deadline=None, max_examples=30)
@given(NAMES, st.binary(max_size=3))
def test_the_layout_of_the_hubs_cache_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], content: bytes
) -> None:
    root = tmp_path_factory.mktemp("weights")
    for number, name in enumerate(names):
        large(root / "plain" / name, content + bytes([number]))
    (root / "plain").mkdir(exist_ok=True)
    snapshot = in_hub_cache(root / "plain", root / "hub", "owner/name", COMMIT)
    snapshot.mkdir(parents=True, exist_ok=True)
    assert sorted(files_below(snapshot)) == sorted(files_below(root / "plain")) == sorted(names)
    assert content_revision(snapshot, names) == content_revision(root / "plain", reversed(names))
    if names:
        large(root / "plain" / names[0], content + b"other")
        assert content_revision(snapshot, names) != content_revision(root / "plain", names)
        assert content_revision(snapshot, names) != content_revision(snapshot, names[1:])


def test_a_large_blob_of_the_hub_is_not_read(tmp_path: Path, reads: list[str]) -> None:
    safetensors(tmp_path / "plain" / "model.safetensors")
    snapshot = in_hub_cache(tmp_path / "plain", tmp_path / "hub", "owner/name", COMMIT)
    expected = file_sha256(tmp_path / "plain" / "model.safetensors")
    assert file_hash(snapshot / "model.safetensors") == expected
    assert reads == []


@pytest.mark.parametrize("cut", [1, LARGE_BYTES // 100])
def test_a_blob_that_a_copy_left_unfinished_does_not_count_as_the_whole(tmp_path: Path, cut: int) -> None:
    safetensors(tmp_path / "plain" / "model.safetensors")
    snapshot = in_hub_cache(tmp_path / "plain", tmp_path / "hub", "owner/name", COMMIT)
    blob = (snapshot / "model.safetensors").resolve()
    blob.write_bytes(blob.read_bytes()[:-cut])
    assert file_hash(snapshot / "model.safetensors") == file_sha256(blob) != blob.name


def test_a_blob_that_was_written_through_its_link_does_not_keep_its_name(tmp_path: Path) -> None:
    safetensors(tmp_path / "plain" / "model.safetensors")
    snapshot = in_hub_cache(tmp_path / "plain", tmp_path / "hub", "owner/name", COMMIT)
    link = snapshot / "model.safetensors"
    with link.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"y")
    later = link.lstat().st_mtime_ns + 1_000_000
    os.utime(link, ns=(later, later))
    assert file_hash(link) == file_sha256(link) != link.resolve().name


def test_formats_that_do_not_declare_their_length_are_read(tmp_path: Path) -> None:
    large(tmp_path / "plain" / "model.bin")
    snapshot = in_hub_cache(tmp_path / "plain", tmp_path / "hub", "owner/name", COMMIT)
    blob = (snapshot / "model.bin").resolve()
    blob.write_bytes(b"y" * LARGE_BYTES)
    assert file_hash(snapshot / "model.bin") == file_sha256(blob) != blob.name


@pytest.mark.usefixtures("settled")
def test_a_large_file_is_read_once(tmp_path: Path, reads: list[str]) -> None:
    path = large(tmp_path / "model.bin")
    assert file_hash(path) == file_hash(path) == file_sha256(path)
    assert reads == ["model.bin"]
    link = tmp_path / "link.bin"
    link.symlink_to(path)
    assert file_hash(link) == file_sha256(path)
    assert len(reads) == 1


def _rewritten(path: Path) -> None:
    large(path, b"y")


def _replaced(path: Path) -> None:
    large(path.with_name("new"), b"y").replace(path)


def _patched_in_place(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"y")


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("change", [_rewritten, _replaced, _patched_in_place])
def test_a_changed_file_of_the_same_size_and_time_is_read_again(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = large(tmp_path / "model.bin")
    before, times = file_hash(path), path.stat()
    change(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert file_hash(path) == file_sha256(path) != before


def test_the_hash_of_a_file_that_was_just_written_is_not_cached(tmp_path: Path, reads: list[str]) -> None:
    path = large(tmp_path / "model.bin")
    assert file_hash(path) == file_hash(path)
    assert len(reads) == 2


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("damage", [b"", b"0" * 64, b"\xff" * 200])
def test_a_damaged_cache_entry_is_not_used(tmp_path: Path, damage: bytes) -> None:
    path = large(tmp_path / "model.bin")
    file_hash(path)
    (entry,) = (tmp_path / "cache" / "omnigap" / "weights").iterdir()
    entry.write_bytes(damage)
    assert file_hash(path) == file_sha256(path)


@pytest.mark.usefixtures("settled")
def test_a_cache_that_others_can_write_to_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cache" / "omnigap" / "weights"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    path = large(tmp_path / "model.bin")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    assert file_hash(path) == file_sha256(path)
    assert list(folder.iterdir()) == []
    assert len(list((tmp_path / f"omnigap-weights-{os.geteuid()}").iterdir())) == 1


def test_folders_behind_links_are_read_and_loops_end(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.bin").write_bytes(b"x")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "codec").symlink_to(tmp_path / "elsewhere")
    (folder / "loop").symlink_to(folder)
    (folder / "broken.bin").symlink_to(tmp_path / "nothing")
    (folder / ".hidden").write_text("x")
    assert list(files_below(folder)) == ["codec/x.bin"]
    plain = tmp_path / "plain"
    shutil.copytree(tmp_path / "elsewhere", plain / "codec")
    assert content_revision(folder, files_below(folder)) == content_revision(plain, files_below(plain))


def test_a_folder_under_two_names_counts_as_in_a_copy(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    for part in ("b", "d"):
        (folder / part).mkdir(parents=True)
        (folder / part / "x.bin").write_bytes(b"x")
    (folder / "a").symlink_to("b")
    (folder / "c").symlink_to("b")
    # A circle through two folders.
    (folder / "b" / "other").symlink_to(folder / "d")
    (folder / "d" / "other").symlink_to(folder / "b")
    inner = [f"{name}/{path}" for name in "abc" for path in ("other/x.bin", "x.bin")]
    assert sorted(files_below(folder)) == [*inner, "d/other/x.bin", "d/x.bin"]


@pytest.mark.usefixtures("settled")
def test_a_file_that_changes_while_it_is_read_is_not_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = large(tmp_path / "model.bin")

    def written_meanwhile(real: Path) -> str:
        found = file_sha256(real)
        time.sleep(0.02)
        large(real, b"z")
        return found

    monkeypatch.setattr(weights, "file_sha256", written_meanwhile)
    file_hash(path)
    monkeypatch.undo()
    monkeypatch.setattr(weights, "_LARGE_BYTES", LARGE_BYTES)
    assert file_hash(path) == file_sha256(path)


def test_the_origin_of_everything_in_the_hubs_cache_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plain" / "a").mkdir(parents=True)
    (tmp_path / "plain" / "a" / "x.bin").write_bytes(b"weights")
    snapshot = in_hub_cache(tmp_path / "plain", tmp_path / "hub", "owner/a--b", COMMIT)
    (tmp_path / "link").symlink_to(snapshot)
    for start in (snapshot, tmp_path / "link", tmp_path / "plain" / ".." / "link"):
        for below in ("", "a", "a/x.bin"):
            assert hub_origin(start / below) == ("owner/a/b", COMMIT, below)
    monkeypatch.chdir(snapshot / "a")
    assert hub_origin(Path("x.bin")) == ("owner/a/b", COMMIT, "a/x.bin")
    assert hub_origin(Path("..")) == ("owner/a/b", COMMIT, "")


@pytest.mark.parametrize(
    "path",
    [
        *("plain/a", "models--owner--name", f"snapshots/{COMMIT}", f"owner--name/snapshots/{COMMIT}"),
        *("models--owner--name/snapshots/main", f"models--owner--name/blobs/{COMMIT}", f"models--o--n/x/{COMMIT}"),
    ],
)
def test_other_folders_have_no_origin(tmp_path: Path, path: str) -> None:
    assert hub_origin(tmp_path / path) == ("", "", "")


@pytest.mark.parametrize(
    ("revision", "file", "command"),
    [
        ("", "", "`hf download owner/name`"),
        ("v1", "", "`hf download owner/name --revision v1`"),
        (COMMIT, "a/x.gguf", f"`hf download owner/name a/x.gguf --revision {COMMIT}`"),
    ],
)
def test_what_the_hub_did_not_give_has_the_reason_and_the_command(revision: str, file: str, command: str) -> None:
    text = hub_failure("owner/name", revision, OSError("no route\n to host" + "!" * 500), file, "; it has b.gguf")
    assert command in text
    assert "(OSError: no route to host!" in text and "; it has b.gguf)" in text
    assert len(text) < 600


@given(content=st.binary(max_size=60))
def test_only_a_pointer_is_taken_for_one(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("lfs") / "file"
    path.write_bytes(content)
    assert not is_lfs_pointer(path)
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n" + content)
    assert is_lfs_pointer(path)
