"""SpeechTokenizer: 16 kHz speech to eight levels of codes, 50 frames per second, and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from omnigap_services.torch_utils.device import Placement

FILES = ("config.json", "ckpt.dev")
"""Files of the folder that the loader reads; they are part of the identity of the weights."""


class SpeechTokenizer(nn.Module):
    """The codec; always computed in float32.

    Attributes:
        sample_rate: Hz of the waves.
        hop_length: samples per frame.
        levels: number of residual quantizers; level 0 is the semantic one.
        codebook_size: ids per level.
    """

    sample_rate: int
    hop_length: int
    levels: int
    codebook_size: int

    def encode(self, waves: Tensor) -> Tensor:
        """Codes of waves of one length.

        Args:
            waves: float, shape (batch, 1, samples), -1 to 1.

        Returns:
            int64, shape (levels, batch, frames); frames = ceil(samples / hop_length).
        """
        raise NotImplementedError

    def encode_each(self, clips: Sequence[Tensor]) -> list[Tensor]:
        """Codes of clips of any lengths, shape (samples,) each; each clip's are those that it has alone.

        Returns:
            One int64 tensor per clip, shape (levels, frames).
        """
        raise NotImplementedError

    def decode(self, codes: Tensor) -> Tensor:
        """Waves of codes of shape (levels, batch, frames): float32, shape (batch, 1, frames * hop_length)."""
        raise NotImplementedError


def load_speech_tokenizer(service: str, option: str, folder: Path, placement: Placement) -> SpeechTokenizer:
    """Loads the codec from a folder with config.json and ckpt.dev.

    Args:
        option: the option that names the folder, for messages.

    Raises:
        OptionsError: a file is missing or unreadable, or its tensors are not those of the config.
    """
    raise NotImplementedError
