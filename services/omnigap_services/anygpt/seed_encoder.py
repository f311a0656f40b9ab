"""SEED-2's image encoder: a picture to 32 ids of a codebook of 8192."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from omnigap_services.torch_utils.device import Placement

IMAGE_SIZE = 224


class SeedEncoder(nn.Module):
    """ViT-g, a Q-Former whose queries attend causally, and the codebook; always computed in float32.

    Attributes:
        queries: ids per picture, 32.
        codebook_size: number of ids.
    """

    queries: int
    codebook_size: int

    def preprocess(self, image: Image.Image) -> Tensor:
        """The picture as pixels, float32, shape (3, 224, 224), CLIP's mean and deviation.

        The picture is squeezed to a square, as in training: its aspect ratio is lost, and nothing is cut off.
        """
        raise NotImplementedError

    def encode(self, pixels: Tensor) -> Tensor:
        """Ids of pictures: pixels of shape (batch, 3, 224, 224) to int64 of shape (batch, 32)."""
        raise NotImplementedError


def load_seed_encoder(
    service: str, option: str, path: Path, placement: Placement, vision: Path | None = None, vision_option: str = ""
) -> SeedEncoder:
    """Loads the encoder from seed_quantizer.pt.

    Args:
        option: the option that names the file, for messages.
        path: the file, or a folder that contains seed_quantizer.pt.
        vision: eva_vit_g.pth, for a file that lacks tensors of the vision encoder.
        vision_option: the option that names it.

    Raises:
        OptionsError: a file is missing or unreadable, or the tensors are not SEED's or not complete.
    """
    raise NotImplementedError
