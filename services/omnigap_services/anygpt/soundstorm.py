"""SoundStorm of the authors of SpeechTokenizer: semantic codes to the seven acoustic levels of the same frames."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from omnigap_services.torch_utils.device import Placement


def soundstorm_file(service: str, option: str, path: Path) -> Path:
    """The file of weights: the path itself, or the only .pt file in the folder that it names.

    Raises:
        OptionsError: there is no such file, or more than one.
    """
    raise NotImplementedError


class SoundStorm(nn.Module):
    """The conformer and its decoding; always computed in float32.

    Attributes:
        levels: acoustic levels, 7.
        codebook_size: ids per level.
        semantic_size: ids of the semantic level.
    """

    levels: int
    codebook_size: int
    semantic_size: int

    def generate(self, semantic: Tensor, seed: int, steps: int = 3, prompt: Tensor | None = None) -> Tensor:
        """All levels of one clip. The draws depend on the seed only, and are the same on every device.

        Args:
            semantic: int64, shape (1, frames), at least one frame.
            seed: of the draws, which choose the voice if there is no prompt.
            steps: passes over the first acoustic level after the initial one; AnyGPT's chat uses 3.
            prompt: codes of a clip whose voice is imitated, shape (1 + levels, prompt frames).

        Returns:
            int64, shape (1 + levels, 1, frames): the semantic codes, then the acoustic ones.
        """
        raise NotImplementedError


def load_soundstorm(service: str, option: str, path: Path, placement: Placement) -> SoundStorm:
    """Loads SoundStorm from a .pt file, or from a folder with exactly one.

    Sizes are those of the tensors; the number of heads is `heads` in a config.json beside the file, or the published 8.

    Args:
        option: the option that names the file, for messages.

    Raises:
        OptionsError: the file is missing or unreadable, or its tensors are not SoundStorm's.
    """
    raise NotImplementedError
