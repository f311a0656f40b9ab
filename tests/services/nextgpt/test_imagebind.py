"""The towers and their features against references that are written in another way."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from omnigap_services.nextgpt.adapter import NextgptAdapter
from omnigap_services.nextgpt.imagebind import (
    CLIPS,
    MARGIN_COLOUR,
    SIDE,
    Tower,
    TowerSizes,
    audio_features,
    image_features,
    letterboxed,
)
from omnigap_services.nextgpt.loading import load_towers

Tensors = dict[str, torch.Tensor]


def norm(x: torch.Tensor, tensors: Tensors, name: str, eps: float = 1e-6) -> torch.Tensor:
    spread = x - x.mean(-1, keepdim=True)
    unit = spread / (spread.pow(2).mean(-1, keepdim=True) + eps).sqrt()
    return unit * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]


def linear(x: torch.Tensor, tensors: Tensors, name: str) -> torch.Tensor:
    return torch.einsum("...i,oi->...o", x, tensors[f"{name}.weight"]) + tensors[f"{name}.bias"]


def attention(x: torch.Tensor, tensors: Tensors, name: str, heads: int) -> torch.Tensor:
    """Softmax attention by its formula; the extra key and value, where there are any, follow those of the tokens."""
    query, key, value = (
        torch.einsum("bli,oi->blo", x, weight) + bias
        for weight, bias in zip(
            tensors[f"{name}.in_proj_weight"].chunk(3), tensors[f"{name}.in_proj_bias"].chunk(3), strict=True
        )
    )
    if f"{name}.bias_k" in tensors:
        key = torch.cat([key, tensors[f"{name}.bias_k"].expand(len(x), 1, -1)], dim=1)
        value = torch.cat([value, tensors[f"{name}.bias_v"].expand(len(x), 1, -1)], dim=1)
    query, key, value = (part.unflatten(-1, (heads, -1)) for part in (query, key, value))
    weights = (torch.einsum("bqhd,bkhd->bhqk", query, key) / math.sqrt(query.shape[-1])).softmax(-1)
    return linear(torch.einsum("bhqk,bkhd->bqhd", weights, value).flatten(2), tensors, f"{name}.out_proj")


def reference(path: str, modality: str, patches: torch.Tensor, heads: int) -> torch.Tensor:
    """The vectors by the file's own names, from tokens that are patches already (n, patches, width)."""
    tensors = torch.load(path, weights_only=True)
    stem, trunk = f"modality_preprocessors.{modality}", f"modality_trunks.{modality}"
    if modality == "audio":
        patches = norm(patches, tensors, f"{stem}.rgbt_stem.norm_layer", eps=1e-5)
    x = torch.cat([tensors[f"{stem}.cls_token"].expand(len(patches), 1, -1), patches], dim=1)
    x = x + tensors[f"{stem}.pos_embedding_helper.pos_embed"]
    if modality == "vision":
        x = norm(x, tensors, f"{trunk}.pre_transformer_layer.0")
    for number in range(2):
        block = f"{trunk}.blocks.{number}"
        x = x + attention(norm(x, tensors, f"{block}.norm_1"), tensors, f"{block}.attn", heads)
        hidden = linear(norm(x, tensors, f"{block}.norm_2"), tensors, f"{block}.mlp.fc1")
        hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
        x = x + linear(hidden, tensors, f"{block}.mlp.fc2")
    head = tensors[f"modality_heads.{modality}.2.weight"]
    vectors = torch.einsum("bi,oi->bo", norm(x, tensors, f"modality_heads.{modality}.0")[:, 0], head)
    return vectors / vectors.norm(dim=-1, keepdim=True)


@pytest.fixture(scope="module")
def path(tiny: dict[str, object]) -> str:
    return str(tiny["imagebind"])


def test_the_image_tower_equals_one_that_gets_two_frames(path: str, adapter: NextgptAdapter) -> None:
    """The reference repeats the image in time, as the kernel of the checkpoint expects it."""
    images = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    kernel = torch.load(path, weights_only=True)["modality_preprocessors.vision.rgbt_stem.proj.1.weight"]
    video = torch.stack([images, images], dim=2)
    patches = torch.nn.functional.conv3d(video, kernel, stride=(2, 14, 14)).flatten(2).transpose(1, 2)
    expected = reference(path, "vision", patches, heads=16)
    with torch.inference_mode():
        found = adapter._generation._parts.vision(images)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert (expected[0] - expected[1]).abs().max() > 1e-2


def test_the_audio_tower_equals_its_formula(path: str, adapter: NextgptAdapter) -> None:
    mels = torch.randn(3, 1, 128, 204, generator=torch.Generator().manual_seed(2))
    kernel = torch.load(path, weights_only=True)["modality_preprocessors.audio.rgbt_stem.proj.weight"]
    # Columns of 16 x 16 windows that are 10 apart.
    windows = torch.nn.functional.unfold(mels, 16, stride=10).transpose(1, 2)
    expected = reference(path, "audio", windows @ kernel.flatten(1).T, heads=12)
    tower = adapter._generation._parts.audio
    assert tower is not None
    with torch.inference_mode():
        torch.testing.assert_close(tower(mels), expected, atol=1e-5, rtol=0)


def test_towers_have_the_sizes_of_the_file(path: str) -> None:
    towers = load_towers(Path(path), audio=False)
    assert list(towers) == ["vision"]
    assert towers["vision"].positions.shape == (1, 257, 32)


def test_the_weights_of_a_real_tower_have_the_published_number() -> None:
    """OpenCLIP lists 632.08 million for the image tower of ViT-H-14, which has the same shape."""
    with torch.device("meta"):
        tower = Tower(TowerSizes(3, 14, 14, 257, 1_280, 5_120, 32, 16, 1_024))
    assert sum(weight.numel() for weight in tower.parameters()) == 632_076_800


def striped(width: int, height: int) -> Image.Image:
    """White, with a red and a blue end along its longer side."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    along = pixels if width >= height else pixels.transpose(1, 0, 2)
    end = max(1, along.shape[1] // 10)
    along[:, :end], along[:, -end:] = (255, 0, 0), (0, 0, 255)
    return Image.fromarray(pixels)


def colours(image: Image.Image) -> tuple[bool, bool]:
    """Whether red and blue are seen."""
    red, green, blue = np.asarray(image, dtype=int).transpose(2, 0, 1)
    return bool(((red - blue > 100) & (red - green > 100)).any()), bool(
        ((blue - red > 100) & (blue - green > 100)).any()
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(20, 1_500), st.integers(20, 1_500))
def test_both_ends_of_a_picture_are_seen_in_the_letterbox(width: int, height: int) -> None:
    square = letterboxed(striped(width, height))
    assert square.size == (SIDE, SIDE)
    assert colours(square) == (True, True)
    margin = np.abs(np.asarray(square, dtype=int) - MARGIN_COLOUR).max(axis=2) == 0
    seen = (SIDE - margin.all(axis=1).sum(), SIDE - margin.all(axis=0).sum())
    expected = [max(1, round(SIDE * side / max(width, height))) for side in (height, width)]
    assert list(seen) == expected


def test_the_authors_crop_loses_the_ends_of_a_wide_picture() -> None:
    wide = striped(900, 200)
    features = image_features(wide, letterbox=False)
    assert features.shape == (3, SIDE, SIDE)
    assert features.std(dim=(1, 2)).max() < 1e-6, "only white is left"
    assert image_features(wide, letterbox=True).std() > 0.1


@pytest.mark.parametrize("letterbox", [True, False])
@pytest.mark.parametrize("size", [(1, 4_000), (4_000, 1), (1, 1), (3, 700)])
def test_a_picture_of_any_shape_has_features(
    size: tuple[int, int], letterbox: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of one of 1 x 4000 pixels, at a width of 224, would have 200 million pixels."""
    sizes, resize = [], Image.Image.resize

    def limited(self: Image.Image, size: tuple[int, int], *rest: object, **named: object) -> Image.Image:
        sizes.append(size[0] * size[1])
        return resize(self, size, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Image.Image, "resize", limited)
    features = image_features(Image.effect_noise(size, 80).convert("RGB"), letterbox)
    assert features.shape == (3, SIDE, SIDE)
    assert torch.isfinite(features).all()
    assert max(sizes) <= 50 * SIDE * SIDE


def test_the_middle_of_a_very_long_picture_is_that_of_the_whole() -> None:
    """Which is resized in another way; the order of its passes may differ by the rounding."""
    long = Image.fromarray(np.random.default_rng(0).integers(0, 255, (2, 202, 3), dtype=np.uint8))
    whole = long.resize((101 * SIDE, SIDE), Image.Resampling.BICUBIC).crop((50 * SIDE, 0, 51 * SIDE, SIDE))
    expected = image_features(whole, letterbox=False)
    assert (image_features(long, letterbox=False) - expected).abs().max() < 2 / 255 / 0.26


@pytest.mark.parametrize("letterbox", [True, False])
def test_a_square_picture_has_neither_margins_nor_a_crop(letterbox: bool) -> None:
    square = Image.effect_noise((SIDE, SIDE), 80).convert("RGB")
    pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1) / 255
    mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    expected = (pixels - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    torch.testing.assert_close(image_features(square, letterbox), expected)


def test_margins_are_zero_for_the_tower() -> None:
    features = image_features(Image.new("RGB", (400, 100), "white"), letterbox=True)
    assert features[:, 0].abs().max() < 0.01


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    samples = np.random.default_rng(seed).standard_normal(round(16_000 * seconds)) * 0.1
    return samples.astype(np.float32) + np.float32(0.05)


def kaldi(samples: np.ndarray) -> np.ndarray:
    """Kaldi's log filter bank in double precision, frame by frame; shape (frames, 128)."""
    mel = 1127 * np.log(1 + np.arange(257) * 16_000 / 512 / 700)
    low, high = (1127 * np.log(1 + hertz / 700) for hertz in (20, 8_000))
    step = (high - low) / 129
    centre = low + step * (1 + np.arange(128))[:, None]
    bank = np.clip(1 - np.abs(mel - centre) / step, 0, None)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399)
    rows = []
    for start in range(0, len(samples) - 399, 160):
        frame = samples[start : start + 400].astype(float)
        frame = frame - frame.mean()
        frame = frame - 0.97 * np.concatenate([frame[:1], frame[:-1]])
        power = np.abs(np.fft.rfft(frame * window, 512)) ** 2
        rows.append(np.log(np.maximum(bank @ power, np.finfo(np.float32).eps)))
    return np.array(rows)


@pytest.mark.parametrize("seconds", [7.0, 3.2, 2.0, 0.9, 0.025])
def test_audio_features_are_those_of_kaldi(seconds: float) -> None:
    samples = noise(seconds)
    found = audio_features(samples).numpy() * 9.138 - 4.268
    assert found.shape == (CLIPS, 1, 128, 204)
    last = max(0, len(samples) - 32_000)
    for clip, start in zip(found, (0, last // 3, last * 2 // 3), strict=True):
        expected = kaldi(samples[start : start + 32_000])
        np.testing.assert_allclose(clip[0, :, : len(expected)].T, expected, atol=2e-3)
        assert not clip[0, :, len(expected) :].any() or np.allclose(clip[0, :, len(expected) :], 0, atol=1e-5)


def test_a_click_of_a_few_samples_has_features() -> None:
    assert torch.isfinite(audio_features(np.full(3, 0.5, np.float32))).all()


def test_vectors_do_not_depend_on_the_batch(adapter: NextgptAdapter) -> None:
    tower = adapter._generation._parts.vision
    images = torch.randn(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        together = tower(images)
        single = torch.cat([tower(image[None]) for image in images])
    torch.testing.assert_close(together, single, atol=1e-5, rtol=0)
    torch.testing.assert_close(together.norm(dim=-1), torch.ones(4))
