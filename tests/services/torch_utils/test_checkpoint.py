"""Revisions of checkpoints: pinned hub names, folders by content hash, and errors that name the option."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.checkpoint import content_hash, file_revision, find_weights

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    (path / "codec").mkdir(parents=True)
    (path / "config.json").write_text("{}")
    (path / "codec" / "model.safetensors").write_bytes(b"weights")
    return path


@pytest.mark.parametrize("revision", ["", "main", "v1.0", COMMIT[:8], COMMIT.upper()])
def test_a_hub_name_without_a_commit_is_refused(revision: str) -> None:
    with pytest.raises(OptionsError, match=r"service hf-chat: option 'model'.*40 hex digits"):
        find_weights("hf-chat", "model", "owner/name", revision)


def test_the_error_names_the_commit_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = tmp_path / "models--owner--name" / "refs" / "main"
    reference.parent.mkdir(parents=True)
    reference.write_text(COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(OptionsError, match=f'the cache of this machine holds "{COMMIT}"'):
        find_weights("hf-chat", "model", "owner/name")


def test_the_error_for_an_unknown_name_has_the_download_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(OptionsError, match=f"hf download owner/nothing --revision {COMMIT}"):
        find_weights("hf-chat", "model", "owner/nothing", COMMIT)


def test_a_folders_revision_is_the_hash_of_its_content(folder: Path, tmp_path: Path) -> None:
    found = find_weights("hf-chat", "model", str(folder))
    assert (found.folder, found.name) == (folder, "model")
    assert found.revision == f"sha256:{content_hash(folder)}"
    moved = tmp_path / "moved"
    folder.rename(moved)
    assert find_weights("hf-chat", "model", str(moved)).revision == found.revision
    (moved / "codec" / "model.safetensors").write_bytes(b"Weights")
    assert find_weights("hf-chat", "model", str(moved)).revision != found.revision


def test_files_that_no_loader_reads_do_not_change_the_hash(folder: Path) -> None:
    before = content_hash(folder)
    for name in ("README.md", ".gitattributes", "LICENSE", "picture.png"):
        (folder / name).write_text("words")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "lock").write_text("")
    assert content_hash(folder) == before
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert content_hash(folder) != before


def test_the_revision_of_a_snapshot_in_the_hubs_cache_is_its_commit(tmp_path: Path) -> None:
    snapshot = tmp_path / "models--owner--name" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    found = find_weights("hf-chat", "model", str(snapshot))
    assert (found.name, found.revision) == ("owner/name", f"owner/name@{COMMIT}")


def test_missing_folders_and_superfluous_revisions_are_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(OptionsError, match=r"config\.json"):
        find_weights("hf-tts", "vocoder", str(tmp_path / "nowhere"))
    with pytest.raises(OptionsError, match="remove the revision"):
        find_weights("hf-tts", "vocoder", str(folder), COMMIT)
    with pytest.raises(OptionsError, match="'model' is not set"):
        find_weights("hf-tts", "model", "")


def test_a_files_revision_is_the_hash_of_its_content(folder: Path) -> None:
    expected = hashlib.sha256(b"weights").hexdigest()
    assert file_revision(folder / "codec" / "model.safetensors") == f"sha256:{expected}"
