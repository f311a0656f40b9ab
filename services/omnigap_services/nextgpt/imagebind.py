"""The image and audio towers of ImageBind-huge, and the features that they take.

Both are vision transformers whose class token becomes one vector of length 1. Shapes and constants: Girdhar et al. 2023
(arXiv 2305.05665) and the published checkpoint.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from omnigap.media.audio import Samples

SIDE = 224
"""Pixels of a side of the image that the tower takes."""

SAMPLE_RATE_HZ = 16_000

# Mean and standard deviation of CLIP's training images.
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)

MARGIN_COLOUR = tuple(round(255 * value) for value in _MEAN)
"""Colour of the margins of a letterboxed image: 0 after the normalisation."""

# Of pictures that are resized whole before their middle is cut out.
_MAX_ASPECT = 50

CLIPS = 3
"""Parts of a recording whose vectors are averaged."""

_CLIP_SECONDS = 2
_FRAMES = 204
_MELS = 128
_FRAME, _HOP, _FFT = 400, 160, 512
_AUDIO_MEAN, _AUDIO_STD = -4.268, 9.138

_EPS = 1e-6


@dataclass(frozen=True, slots=True)
class TowerSizes:
    """Sizes of a tower.

    Attributes:
        channels, patch, stride: of the input and of the convolution that cuts it into patches.
        positions: patches and the class token.
        heads: of the attention; not visible in the weights.
        is_audio: the audio tower normalises patches instead of tokens, and its attention has an extra key and value.
    """

    channels: int
    patch: int
    stride: int
    positions: int
    width: int
    hidden: int
    blocks: int
    heads: int
    output: int
    is_audio: bool = False


class Tower(nn.Module):
    """One modality of ImageBind: patches, a pre-norm transformer, and a projection of the class token."""

    def __init__(self, sizes: TowerSizes) -> None:
        super().__init__()
        width = sizes.width
        self.patches = nn.Conv2d(sizes.channels, width, sizes.patch, sizes.stride, bias=False)
        self.patch_norm = nn.LayerNorm(width) if sizes.is_audio else nn.Identity()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, sizes.positions, width))
        self.token_norm = nn.Identity() if sizes.is_audio else nn.LayerNorm(width, eps=_EPS)
        self.blocks = nn.ModuleList(_Block(sizes) for _ in range(sizes.blocks))
        self.head_norm = nn.LayerNorm(width, eps=_EPS)
        self.head = nn.Linear(width, sizes.output, bias=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Vectors of length 1.

        Args:
            features: shape (n, channels, height, width).

        Returns:
            Shape (n, output).
        """
        patches = self.patch_norm(self.patches(features).flatten(2).transpose(1, 2))
        tokens = torch.cat([self.cls_token.expand(len(patches), -1, -1), patches], dim=1) + self.positions
        tokens = self.token_norm(tokens)
        for block in self.blocks:
            tokens = block(tokens)
        return functional.normalize(self.head(self.head_norm(tokens[:, 0])), dim=-1)


class _Block(nn.Module):
    def __init__(self, sizes: TowerSizes) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(sizes.width, eps=_EPS)
        self.attn = nn.MultiheadAttention(sizes.width, sizes.heads, add_bias_kv=sizes.is_audio, batch_first=True)
        self.norm_2 = nn.LayerNorm(sizes.width, eps=_EPS)
        self.fc1 = nn.Linear(sizes.width, sizes.hidden)
        self.fc2 = nn.Linear(sizes.hidden, sizes.width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        normed = self.norm_1(tokens)
        tokens = tokens + self.attn(normed, normed, normed, need_weights=False)[0]
        hidden: torch.Tensor = self.fc2(functional.gelu(self.fc1(self.norm_2(tokens))))
        return tokens + hidden


def image_features(image: Image.Image, letterbox: bool) -> torch.Tensor:
    """What the image tower takes: the whole image in a square with margins, or the middle of it.

    Args:
        image: RGB.

    Returns:
        Shape (3, 224, 224).
    """
    square = letterboxed(image) if letterbox else _middle(image)
    pixels = torch.from_numpy(np.array(square, dtype=np.float32) / 255).permute(2, 0, 1)
    return (pixels - torch.tensor(_MEAN)[:, None, None]) / torch.tensor(_STD)[:, None, None]


def letterboxed(image: Image.Image) -> Image.Image:
    """The whole image, its longer side 224 pixels, in the middle of a square."""
    scale = SIDE / max(image.size)
    width, height = (max(1, round(scale * side)) for side in image.size)
    square = Image.new("RGB", (SIDE, SIDE), MARGIN_COLOUR)
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    square.paste(resized, ((SIDE - width) // 2, (SIDE - height) // 2))
    return square


def _middle(image: Image.Image) -> Image.Image:
    """The middle square of the image, its shorter side 224 pixels."""
    short = min(image.size)
    width, height = (SIDE * side // short for side in image.size)
    left, top = round((width - SIDE) / 2), round((height - SIDE) / 2)
    if max(width, height) <= _MAX_ASPECT * SIDE:
        whole = image.resize((width, height), Image.Resampling.BICUBIC)
        return whole.crop((left, top, left + SIDE, top + SIDE))
    # All of a picture of 1 x 4000 pixels would have 200 million: only the part that is kept is resized. Not always,
    # since the library may then change the order of its two passes, and with it the rounding.
    across, down = image.width / width, image.height / height
    box = (left * across, top * down, (left + SIDE) * across, (top + SIDE) * down)
    return image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box)


def audio_features(samples: Samples) -> torch.Tensor:
    """What the audio tower takes: log mel spectrograms of three clips of two seconds.

    Kaldi's filter bank: 25 ms every 10 ms, symmetric Hann window, pre-emphasis 0.97, 128 mels from 20 Hz.

    The clips begin at 0, 1/3 and 2/3 of the time at which a last clip could begin, as in pytorchvideo 0.1.5, which the
    authors pin: the end of a longer recording is in none of them.

    Args:
        samples: at 16 kHz, shape (n,); a shorter recording is all of each clip.

    Returns:
        Shape (3, 1, 128, 204).
    """
    length = _CLIP_SECONDS * SAMPLE_RATE_HZ
    last = max(len(samples) - length, 0)
    starts = [last * number // CLIPS for number in range(CLIPS)]
    clips = [_log_mel(samples[start : start + length]) for start in starts]
    # The silence behind a short clip is 0 before the normalisation, not after it.
    padded = np.stack([np.pad(clip, ((0, 0), (0, _FRAMES - clip.shape[1]))) for clip in clips])
    return (torch.from_numpy(padded[:, None]) - _AUDIO_MEAN) / _AUDIO_STD


def _log_mel(samples: Samples) -> Any:
    """Shape (128, frames)."""
    from transformers.audio_utils import spectrogram, window_function

    # One frame at least. The mean needs no subtraction: the filter bank subtracts that of each frame.
    padded = np.pad(samples, (0, max(0, _FRAME - len(samples))))
    found = spectrogram(
        padded,
        window_function(_FRAME, "hann", periodic=False),
        frame_length=_FRAME,
        hop_length=_HOP,
        fft_length=_FFT,
        power=2.0,
        center=False,
        preemphasis=0.97,
        mel_filters=_mel_filters(),
        mel_floor=float(np.finfo(np.float32).eps),
        log_mel="log",
        remove_dc_offset=True,
    )
    return np.asarray(found, dtype=np.float32)


@cache
def _mel_filters() -> Any:
    """Shape (257, 128)."""
    from transformers.audio_utils import mel_filter_bank

    with warnings.catch_warnings():
        # The lowest of 128 filters are narrower than the distance of two frequencies: they are empty in Kaldi as well.
        warnings.filterwarnings("ignore", message="At least one mel filter")
        return mel_filter_bank(
            num_frequency_bins=_FFT // 2 + 1,
            num_mel_filters=_MELS,
            min_frequency=20.0,
            max_frequency=SAMPLE_RATE_HZ / 2,
            sampling_rate=SAMPLE_RATE_HZ,
            mel_scale="kaldi",
            triangularize_in_mel_space=True,
        )
