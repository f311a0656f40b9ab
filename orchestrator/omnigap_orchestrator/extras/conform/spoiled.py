"""Media that a service must refuse, each broken in one way."""

from __future__ import annotations

import functools
import math
import struct
import zlib

import numpy as np

from omnigap.media import encode_wav
from omnigap_orchestrator.extras.conform.questions import picture

_LOW_RATE = 8_000
_IEEE_FLOAT = 3

BOMB_PIXELS = 400_000_000
"""Pixels of the bomb for a service that declares no limit: more than any model looks at."""


def nan_wav() -> bytes:
    """Half a second of 32-bit float audio with NaN in its middle."""
    samples = np.full(_LOW_RATE // 2, 0.1, dtype="<f4")
    samples[samples.size // 2] = math.nan
    data = samples.tobytes()
    form = struct.pack("<HHIIHH", _IEEE_FLOAT, 1, _LOW_RATE, 4 * _LOW_RATE, 4, 32)
    body = b"WAVE" + _riff(b"fmt ", form) + _riff(b"fact", struct.pack("<I", samples.size)) + _riff(b"data", data)
    return _riff(b"RIFF", body)


def _riff(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body


def wav_without_samples() -> bytes:
    """A whole header, and nothing behind it."""
    return encode_wav(b"", _LOW_RATE)


def long_wav(seconds: float) -> bytes:
    """Silence of this length at 8 kHz."""
    return encode_wav(bytes(2 * int(seconds * _LOW_RATE)), _LOW_RATE)


def truncated_png() -> bytes:
    """The first half of a file."""
    whole = picture("cut in half")
    return whole[: len(whole) // 2]


def empty_png() -> bytes:
    """A header that tells 0 x 0 pixels."""
    return _png(0, 0)


@functools.lru_cache(maxsize=4)
def bomb_png(over_pixels: int) -> bytes:
    """A small file that unfolds to more pixels than these: one bit each, all black."""
    side = math.isqrt(over_pixels) + 64
    return _png(side, side)


def _png(width: int, height: int) -> bytes:
    row = bytes(1 + (width + 7) // 8)
    packer = zlib.compressobj(9)
    pixels = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
