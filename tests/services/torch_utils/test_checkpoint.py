"""Revisions of checkpoints: pinned hub names, folders by content hash, and errors that name the option."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.checkpoint import file_revision, find_weights
from tests.helpers.hub_cache import in_hub_cache

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
    assert found.revision.startswith("sha256:") and found.source == "model"
    moved = tmp_path / "moved"
    folder.rename(moved)
    assert find_weights("hf-chat", "model", str(moved)).revision == found.revision
    (moved / "codec" / "model.safetensors").write_bytes(b"Weights")
    assert find_weights("hf-chat", "model", str(moved)).revision != found.revision


UNREAD = (
    *("README.md", ".gitattributes", "LICENSE", "LICENSE.txt", "picture.png", "codec/notes.md", ".cache/lock"),
    *("onnx/model.onnx", "tf_model.h5", "flax_model.msgpack", "model.gguf", "original/consolidated.00.pth"),
    *("codec/pytorch_model.bin", "codec/pytorch_model-00001-of-00002.bin", "training_args.bin", "__pycache__/x.pyc"),
)
READ = ("chat_template.jinja", "tokenizer.model", "vocab.txt", "spk_dict.pt", "pytorch_model.bin", "codec/config.json")


@pytest.mark.parametrize("name", UNREAD + READ)
def test_the_revision_covers_the_files_that_the_loader_reads(folder: Path, name: str) -> None:
    before = find_weights("hf-chat", "model", str(folder)).revision
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("words")
    assert (find_weights("hf-chat", "model", str(folder)).revision == before) is (name in UNREAD)


def test_one_checkpoint_has_one_revision_as_folder_and_as_hub_name(folder: Path, hub_cache: Path) -> None:
    snapshot = in_hub_cache(folder, hub_cache, "owner/name", COMMIT)
    (folder / "README.md").write_text("not in the cache")
    by_folder = find_weights("hf-chat", "model", str(folder))
    by_name = find_weights("hf-chat", "model", "owner/name", COMMIT)
    by_snapshot = find_weights("hf-chat", "model", str(snapshot))
    assert by_folder.revision == by_name.revision == by_snapshot.revision
    assert by_name.folder == snapshot
    assert (by_folder.source, by_name.source, by_snapshot.source) == ("model", *[f"owner/name@{COMMIT}"] * 2)


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


def test_a_git_lfs_pointer_instead_of_weights_is_refused(folder: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 75537502\n"
    (folder / "codec" / "model.safetensors").write_text(pointer)
    with pytest.raises(OptionsError, match=r"whose codec/model.safetensors is a Git LFS pointer .*git lfs"):
        find_weights("hf-chat", "model", str(folder))


def test_a_subfolder_of_the_hubs_cache_has_the_hubs_name(folder: Path, tmp_path: Path) -> None:
    (folder / "codec" / "config.json").write_text("{}")
    snapshot = in_hub_cache(folder, tmp_path / "hub", "owner/name", COMMIT)
    (tmp_path / "link").symlink_to(snapshot)
    for path in (snapshot / "codec", tmp_path / "link" / "codec"):
        found = find_weights("hf-chat", "model", str(path))
        assert (found.name, found.source) == ("owner/name", f"owner/name@{COMMIT}/codec")
