"""Media that hold nothing: a white image of another's size, silence of another's length."""

from __future__ import annotations

import numpy as np
from PIL import Image

from omnigap.media import decode_audio, decode_image, encode_pcm16, encode_png, encode_wav

BLANK_VERSION = 1
"""Part of every blank's key: raise it when the same medium begins to give another blank."""


def blank_image(data: bytes, mime_type: str) -> bytes:
    """A PNG, all white, as wide and as high as the image.

    Raises:
        ContractError: as `decode_image`.
    """
    return encode_png(Image.new("RGB", decode_image(data, mime_type).size, "white"))


def silence(data: bytes, mime_type: str) -> bytes:
    """A WAV of zeros, mono, with as many samples at the same rate as the recording.

    Raises:
        ContractError: as `decode_audio`.
    """
    clip = decode_audio(data, mime_type)
    return encode_wav(encode_pcm16(np.zeros_like(clip.samples)), clip.sample_rate)
