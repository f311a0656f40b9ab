"""Which GGUF file a name means: folders, paths, split files, hub names, and its revision."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnigap.digest import file_sha256
from omnigap_services.hf.chat.gguf_files import find_gguf
from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.checkpoint import Weights, find_weights
from tests.helpers.hub_cache import in_hub_cache

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def files(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(f"content of {name}".encode())
    return folder


def found(name: str | Path, gguf_file: str = "", revision: str = "") -> Weights | None:
    return find_gguf("hf-chat", "model", str(name), revision, gguf_file)


@pytest.mark.parametrize(
    "beside",
    [
        *([], ["README.md"], ["tokenizer.json"], ["config.json", "tokenizer.json"], ["mmproj-a.gguf"]),
        ["a.imatrix.gguf", "LICENSE"],
    ],
)
def test_the_only_file_of_a_folder_is_found(tmp_path: Path, beside: list[str]) -> None:
    weights = found(files(tmp_path / "my-model", "a.gguf", *beside))
    assert weights is not None
    assert (weights.gguf, weights.name, weights.source) == (("a.gguf",), "my-model", "my-model/a.gguf")
    assert weights.revision == f"sha256:{file_sha256(tmp_path / 'my-model' / 'a.gguf')}"


@pytest.mark.parametrize("beside", [["config.json", "model.safetensors"], ["pytorch_model.bin"]])
def test_other_weights_take_precedence_unless_the_file_is_named(tmp_path: Path, beside: list[str]) -> None:
    folder = files(tmp_path, "a.gguf", *beside)
    assert found(folder) is None
    named = found(folder, "a.gguf")
    assert named is not None and named.gguf == ("a.gguf",)


def test_several_files_are_listed(tmp_path: Path) -> None:
    folder = files(tmp_path, "m.Q4_1.gguf", "m.Q8_0.gguf", "big-00001-of-00002.gguf", "big-00002-of-00002.gguf")
    with pytest.raises(
        OptionsError, match=r"'gguf_file' is not set.*big-00001-of-00002.gguf, m.Q4_1.gguf, m.Q8_0.gguf:"
    ):
        found(folder)
    with pytest.raises(OptionsError, match=r"'gguf_file' is 'm.Q2_K.gguf', but .* has .*m.Q4_1.gguf, m.Q8_0.gguf"):
        found(folder, "m.Q2_K.gguf")
    with pytest.raises(OptionsError, match=r"'gguf_file' is 'm.Q4_1', which does not end in .gguf"):
        found(folder, "m.Q4_1")
    with pytest.raises(OptionsError, match=r"has no .gguf file"):
        found(files(tmp_path / "empty", "config.json"), "a.gguf")


def test_a_path_names_the_file_itself(tmp_path: Path) -> None:
    files(tmp_path, "one.gguf", "two.GGUF")
    for name in ("one.gguf", "two.GGUF"):
        weights = found(tmp_path / name)
        assert weights is not None and (weights.folder, weights.gguf) == (tmp_path, (name,))
        assert weights.name == name.partition(".")[0]
    with pytest.raises(OptionsError, match=r"no such file"):
        found(tmp_path / "three.gguf")
    for name in ("missing.gguf", "weights/missing.gguf", "weights/missing.GGUF", "a/b/missing.gguf"):
        with pytest.raises(OptionsError, match=r"(?i)option 'model' is '.*missing.gguf': no such file"):
            found(name)
        with pytest.raises(OptionsError, match=r"(?i)option 'model' is '.*missing.gguf', which has no config.json"):
            find_weights("hf-asr", "model", name)
    with pytest.raises(OptionsError, match=r"already names a file"):
        found(tmp_path / "one.gguf", "one.gguf")


def test_the_revision_covers_the_named_file_only_and_not_its_name(tmp_path: Path) -> None:
    folder = files(tmp_path, "a.gguf", "b.gguf", "tokenizer.json")
    first = found(folder, "a.gguf")
    files(folder, "c.gguf", "config.json")
    (folder / "tokenizer.json").write_text("changed")
    (folder / "b.gguf").write_text("changed")
    renamed = (folder / "a.gguf").rename(folder / "other.gguf")
    second = found(renamed)
    assert first is not None and second is not None and first.revision == second.revision
    renamed.write_bytes(b"content of a.ggug")
    third = found(renamed)
    assert third is not None and third.revision != first.revision


@pytest.mark.parametrize("named", ["", "q8/m-00001-of-00003.gguf", "q8/m-00003-of-00003.gguf"])
def test_all_parts_of_a_split_file_are_needed_and_covered(tmp_path: Path, named: str) -> None:
    names = [f"q8/m-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    folder = files(tmp_path / "split", *names)
    first = found(folder, named)
    assert first is not None and first.gguf == tuple(names)
    assert first.source == "split/q8/m-00001-of-00003.gguf"
    (folder / names[1]).write_bytes(b"another second part")
    second = found(folder, named)
    assert second is not None and second.revision != first.revision
    (folder / names[1]).unlink()
    with pytest.raises(OptionsError, match=r"split into 3 files, and .* lacks q8/m-00002-of-00003.gguf"):
        found(folder, named)


@pytest.mark.parametrize("name", ["a.gguf", "Q4/a.gguf", "Q4/m-00002-of-00002.gguf"])
def test_one_file_has_one_revision_in_a_folder_and_in_the_hubs_cache(
    tmp_path: Path, hub_cache: Path, name: str
) -> None:
    other = name.replace("00002-of", "00001-of")
    folder = files(tmp_path / "plain", *{name, other})
    snapshot = in_hub_cache(files(folder, "b.gguf", "README.md"), hub_cache, "owner/name", COMMIT)
    by_folder, by_name, by_snapshot = found(folder, name), found("owner/name", name, COMMIT), found(snapshot, name)
    assert by_folder and by_name and by_snapshot
    assert by_folder.revision == by_name.revision == by_snapshot.revision
    assert by_name.folder == by_snapshot.folder == snapshot
    assert by_name.source == by_snapshot.source == f"owner/name@{COMMIT}/{other}"
    by_path = found(snapshot / name)
    assert by_path and (by_path.name, by_path.revision, by_path.source) == (
        "owner/name",
        by_name.revision,
        by_name.source,
    )


@pytest.mark.usefixtures("hub_cache")
def test_hub_names_need_a_commit_and_the_name_of_a_file(tmp_path: Path, hub_cache: Path) -> None:
    assert found("owner/name", revision=COMMIT) is None
    with pytest.raises(OptionsError, match=r"40 hex digits"):
        found("owner/name", "a.gguf", "main")
    with pytest.raises(
        OptionsError, match=rf"'a.gguf' of 'owner/name'.*hf download owner/name a.gguf --rev.* {COMMIT}"
    ):
        found("owner/name", "a.gguf", COMMIT)
    with pytest.raises(OptionsError, match=r"remove the revision"):
        found(files(tmp_path / "plain", "a.gguf"), "", COMMIT)
    in_hub_cache(files(tmp_path / "repository", "a.gguf", "README.md"), hub_cache, "owner/name", COMMIT)
    with pytest.raises(OptionsError, match=r"no config.json.*gguf_file"):
        find_weights("hf-chat", "model", "owner/name", COMMIT)


def test_a_config_next_to_gguf_files_makes_no_checkpoint(tmp_path: Path, hub_cache: Path) -> None:
    folder = files(tmp_path / "repository", "a.gguf", "config.json", "tokenizer.json")
    in_hub_cache(folder, hub_cache, "owner/name", COMMIT)
    with pytest.raises(OptionsError, match=r"no weights in a known format at.*gguf_file"):
        find_weights("hf-chat", "model", "owner/name", COMMIT)
    with pytest.raises(
        OptionsError, match=r"no weights in a known format: it holds GGUF files, which only hf-chat reads"
    ):
        find_weights("hf-asr", "model", str(folder))
