"""Weights outside of transformers' layouts: only tensors are read, and a module gets all of them or none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigap_services.options import OptionsError
from tests.helpers.hub_cache import in_hub_cache

torch = pytest.importorskip("torch", reason="NOT CHECKED: PyTorch is not installed: make models")

from omnigap_services.torch_utils.raw_checkpoint import find_files, load_tensors, read_tensors  # noqa: E402

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WHO = "service anygpt: option 'speech_modules': codec.pt"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "modules"
    (path / "codec").mkdir(parents=True)
    torch.save(_module().state_dict(), path / "codec" / "codec.pt")
    (path / "config.json").write_text("{}")
    return path


def _module() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))


def _find(name: str, revision: str = "", *files: str) -> object:
    return find_files("anygpt", "speech_modules", name, revision, files or ["codec/codec.pt"], ["config.json"])


def test_the_revision_covers_the_files_that_are_read_and_no_others(folder: Path) -> None:
    before = _find(str(folder))
    (folder / "README.md").write_text("other words")
    assert _find(str(folder)) == before
    (folder / "config.json").write_text('{"heads": 2}')
    changed = _find(str(folder))
    assert changed != before
    torch.save({"weight": torch.zeros(1)}, folder / "codec" / "codec.pt")
    assert _find(str(folder)) not in (before, changed)


def test_a_file_is_named_by_its_own_path(folder: Path) -> None:
    found = find_files("nextgpt", "imagebind", str(folder / "codec" / "codec.pt"), "", ["imagebind_huge.pth"])
    assert (found.folder, found.name) == (folder / "codec", "codec.pt")
    assert read_tensors("nextgpt", "imagebind", found.folder / found.name)


def test_a_folder_in_the_hubs_cache_has_its_origin(folder: Path, tmp_path: Path) -> None:
    snapshot = in_hub_cache(folder, tmp_path / "hub", "fnlp/AnyGPT-speech-modules", COMMIT)
    found = find_files("anygpt", "speech_modules", str(snapshot), "", ["codec/codec.pt"])
    assert found.source == f"fnlp/AnyGPT-speech-modules@{COMMIT}"


def test_missing_files_are_named(folder: Path) -> None:
    with pytest.raises(OptionsError, match=r"option 'speech_modules' is .*no a\.pt, b\.pt in it"):
        _find(str(folder), "", "a.pt", "codec/codec.pt", "b.pt")


def test_a_name_that_is_not_set_is_asked_for() -> None:
    with pytest.raises(OptionsError, match=r"option 'speech_modules' is not set: name a folder with codec/codec\.pt"):
        _find("")


@pytest.mark.parametrize("revision", ["", "main"])
def test_a_hub_name_needs_a_commit(revision: str) -> None:
    with pytest.raises(OptionsError, match="40 hex digits"):
        _find("fnlp/AnyGPT-speech-modules", revision)


def test_a_folder_takes_no_revision(folder: Path) -> None:
    with pytest.raises(OptionsError, match=f"remove the revision '{COMMIT}'"):
        _find(str(folder), COMMIT)


def test_a_pointer_of_git_lfs_is_named(folder: Path) -> None:
    (folder / "codec" / "codec.pt").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(OptionsError, match="Git LFS pointer"):
        _find(str(folder))


class _Command:
    def __reduce__(self) -> tuple[object, ...]:
        return print, ("this must never run",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_Command(), "could run code"),
        ([1, 2], "holds list instead of named tensors"),
        ({}, "holds dict instead of named tensors"),
        ({"weight": torch.zeros(1), "epoch": 3}, r"more than tensors \(epoch\)"),
    ],
    ids=["code", "list", "empty", "number"],
)
def test_a_file_with_other_things_than_tensors_is_refused(
    content: object, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(OptionsError, match=message):
        read_tensors("anygpt", "speech_modules", tmp_path / "w.pt")
    assert "never" not in capsys.readouterr().out


@given(cut=st.integers(0, 1_500))
def test_a_truncated_file_is_an_error_of_the_option(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("cut") / "w.pt"
    torch.save(_module().state_dict(), path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(OptionsError, match=r"option 'speech_modules' names .*w\.pt"):
        read_tensors("anygpt", "speech_modules", path)


def test_a_module_gets_every_tensor() -> None:
    wanted = {
        name: torch.randn_like(tensor.float()).to(tensor.dtype) for name, tensor in _module().state_dict().items()
    }
    module = _module()
    load_tensors(module, {**wanted, "head.weight": torch.zeros(1)}, WHO, unused=["head.*"])
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, wanted[name]), name


@given(st.data())
def test_each_missing_additional_misshapen_or_damaged_tensor_is_refused(data: st.DataObject) -> None:
    tensors = dict(_module().state_dict())
    # The counter of batches is read in training only.
    name = data.draw(st.sampled_from([name for name in tensors if "num_batches" not in name]))
    fault = data.draw(st.sampled_from(["missing", "additional", "shape", "nan", "inf"]))
    if fault == "missing":
        del tensors[name]
    elif fault == "additional":
        tensors[f"{name}.more"] = torch.zeros(2)
    elif fault == "shape":
        tensors[name] = torch.zeros(*tensors[name].shape, 2)
    else:
        tensors[name] = torch.full_like(tensors[name], float(fault))
    with pytest.raises(OptionsError, match=f"codec.pt .*{name}"):
        load_tensors(_module(), tensors, WHO)


def test_a_missing_tensor_may_be_allowed() -> None:
    tensors = dict(_module().state_dict())
    del tensors["0.bias"]
    load_tensors(_module(), tensors, WHO, allowed=["0.*"])
