"""The codec: the same codes and waves as the authors' package, and files that are not whole are refused."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnigap_services.options import OptionsError

torch = pytest.importorskip("torch", reason="NOT CHECKED: PyTorch is not installed: make models")

from omnigap_services.anygpt.speech_tokenizer import SpeechTokenizer, load_speech_tokenizer  # noqa: E402
from omnigap_services.anygpt.tiny.parts import write_speech_tokenizer  # noqa: E402
from omnigap_services.torch_utils.device import Placement  # noqa: E402

CPU = Placement("cpu", "float32")

# What the authors' package uses.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning"),
]


def load(folder: Path) -> SpeechTokenizer:
    return load_speech_tokenizer("anygpt", "speech_modules", folder, CPU)


@pytest.fixture(scope="module", params=["Snake", "ELU"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("codec")
    write_speech_tokenizer(path, seed=3, activation=request.param)
    return path


@pytest.fixture(scope="module")
def codec(folder: Path) -> SpeechTokenizer:
    return load(folder)


@pytest.fixture(scope="module")
def package() -> Iterator[ModuleType]:
    """`speechtokenizer.model` of the authors' wheel, without its trainer, whose imports are not installed."""
    spec = importlib.util.find_spec("speechtokenizer")
    if spec is None or spec.submodule_search_locations is None or importlib.util.find_spec("einops") is None:
        pytest.skip("NOT CHECKED against the authors' code: speechtokenizer and einops are not installed: make models")
    bare = ModuleType("speechtokenizer")
    bare.__path__ = list(spec.submodule_search_locations)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "speechtokenizer", bare)
        yield importlib.import_module("speechtokenizer.model")
    for name in [name for name in sys.modules if name.startswith("speechtokenizer.")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def theirs(package: ModuleType, folder: Path) -> Any:
    return package.SpeechTokenizer.load_from_checkpoint(str(folder / "config.json"), str(folder / "ckpt.dev")).eval()


def wave(samples: int, seed: int, batch: int = 1) -> Any:
    return 0.3 * torch.randn(batch, 1, samples, generator=torch.Generator().manual_seed(seed))


# Shorter than a window, around one frame, and lengths whose last window is not full.
LENGTHS = st.one_of(st.integers(1, 8), st.integers(300, 340), st.integers(641, 9_000))


@settings(max_examples=25, deadline=None)
@given(samples=LENGTHS, seed=st.integers(0, 2**31), batch=st.integers(1, 3))
def test_codes_and_waves_are_those_of_the_authors_package(
    codec: SpeechTokenizer, theirs: Any, samples: int, seed: int, batch: int
) -> None:
    clips = wave(samples, seed, batch)
    with torch.no_grad():
        wanted = theirs.encode(clips)
        wanted_waves = theirs.decode(wanted)
    codes = codec.encode(clips)
    assert torch.equal(codes, wanted)
    assert torch.allclose(codec.decode(codes), wanted_waves, atol=1e-5, rtol=0)
    frames = -(-samples // codec.hop_length)
    assert tuple(codes.shape) == (codec.levels, batch, frames)
    assert tuple(wanted_waves.shape) == (batch, 1, frames * codec.hop_length)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31), frames=st.integers(1, 40))
def test_waves_of_any_codes_are_those_of_the_authors_package(
    codec: SpeechTokenizer, theirs: Any, seed: int, frames: int
) -> None:
    codes = torch.randint(codec.codebook_size, (8, 1, frames), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        wanted = theirs.decode(codes)
    found = codec.decode(codes)
    assert torch.allclose(found, wanted, atol=1e-5, rtol=0)
    assert found.abs().max() > 0.01


def test_clips_of_different_lengths_have_the_codes_that_each_has_alone(codec: SpeechTokenizer) -> None:
    clips = [wave(samples, samples)[0, 0] for samples in (3, 5_000, 320, 0, 4_801)]
    together = codec.encode_each(clips)
    assert [codes.shape[1] for codes in together] == [1, 16, 1, 0, 16]
    for clip, codes in zip(clips, together, strict=True):
        assert torch.equal(codes, codec.encode(clip.view(1, 1, -1))[:, 0])


def test_no_codes_are_no_samples(codec: SpeechTokenizer) -> None:
    assert codec.decode(torch.zeros(8, 2, 0, dtype=torch.int64)).shape == (2, 1, 0)


def test_tiny_files_speak_as_loud_as_speech_and_are_the_same_at_every_start(folder: Path, tmp_path: Path) -> None:
    codec = load(folder)
    assert (codec.sample_rate, codec.hop_length, codec.levels, codec.codebook_size) == (16_000, 320, 8, 1024)
    for seed in range(4):
        codes = torch.randint(1024, (8, 1, 100), generator=torch.Generator().manual_seed(seed))
        assert 0.1 < codec.decode(codes).abs().max() < 0.6
    activation = json.loads((folder / "config.json").read_text())["activation"]
    write_speech_tokenizer(tmp_path, seed=3, activation=activation)
    assert (tmp_path / "ckpt.dev").read_bytes() == (folder / "ckpt.dev").read_bytes()
    write_speech_tokenizer(tmp_path, seed=4, activation=activation)
    assert (tmp_path / "ckpt.dev").read_bytes() != (folder / "ckpt.dev").read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activation": "GELU"}, "'activation' is 'GELU'"),
        ({"n_q": 0}, "'n_q' is 0"),
        ({"strides": []}, "'strides'"),
        ({"n_q": 9}, "codebooks.8"),
        ({"n_filters": 8}, "another shape"),
    ],
)
def test_a_config_that_does_not_fit_the_tensors_is_refused(
    folder: Path, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    config = json.loads((folder / "config.json").read_text()) | change
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "ckpt.dev").write_bytes((folder / "ckpt.dev").read_bytes())
    with pytest.raises(OptionsError, match=f"option 'speech_modules'.*{message}"):
        load(tmp_path)


def test_a_folder_without_the_files_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=r"'speech_modules'.*config\.json can't be read"):
        load(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(OptionsError, match=r"'speech_modules'.*ckpt\.dev"):
        load(tmp_path)


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_every_tensor_is_needed(folder: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    tensors = torch.load(folder / "ckpt.dev", weights_only=True)
    unused = ("transform", "inited", "cluster_size", "embed_avg")
    name = data.draw(st.sampled_from([name for name in tensors if not any(part in name for part in unused)]))
    del tensors[name]
    damaged = tmp_path_factory.mktemp("damaged")
    (damaged / "config.json").write_bytes((folder / "config.json").read_bytes())
    torch.save(tensors, damaged / "ckpt.dev")
    with pytest.raises(OptionsError, match="'speech_modules'"):
        load(damaged)
