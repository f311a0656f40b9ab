"""Hostile media: files that decode to far more than they hold, and what decoding one costs in a process of its own."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from dataclasses import dataclass

import numpy as np
import soundfile

from omnigap.media import encode_wav

_DECODE = """
import resource, sys, time
from omnigap.errors import ContractError
from omnigap.media import AudioLimits, decode_audio, decode_image, encode_png, encode_wav, resample

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

mime_type, rate, channels = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
data = sys.stdin.buffer.read()
# Both decoders are loaded and used once, so that what is measured is the file.
decode_audio(encode_wav(bytes(64), 16_000), "audio/wav")
before = peak()
try:
    if mime_type.startswith("audio"):
        clip = decode_audio(data, mime_type, sample_rate=rate, channels=channels, limits=AudioLimits(max_seconds=120))
        size = resample(clip, 16_000).samples.nbytes + clip.samples.nbytes
    else:
        image = decode_image(data, mime_type)
        size = image.width * image.height
    print("decoded", size, (peak() - before) * 1024)
except ContractError as error:
    print(error.reason.value, 0, (peak() - before) * 1024)
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What decoding took.

    Attributes:
        outcome: `decoded`, or the reason of the error.
        size: bytes of the mono clip and of the resampled one; pixels of an image.
        peak: growth of the process's memory at its highest, in bytes.
    """

    outcome: str
    size: int
    peak: int


def cost_of(data: bytes, mime_type: str, sample_rate: int = 0, channels: int = 0) -> Cost:
    """Decodes in a new process."""
    command = [sys.executable, "-c", _DECODE, mime_type, str(sample_rate), str(channels)]
    found = subprocess.run(command, input=data, capture_output=True, check=True, timeout=120)
    outcome, size, peak = found.stdout.split()
    return Cost(outcome.decode(), int(size), int(peak))


def silence(seconds: float, rate: int, channels: int, kind: str, subtype: str | None = None) -> bytes:
    """Digital silence, which compressed formats make small."""
    buffer = io.BytesIO()
    second = np.zeros((rate, channels), np.int16)
    with soundfile.SoundFile(buffer, "w", rate, channels, format=kind, subtype=subtype) as file:
        for _ in range(int(seconds)):
            file.write(second)
    return buffer.getvalue()


def wav_with_sizes(frames: int, data_size: int, riff_size: int | None = None) -> bytes:
    """A mono WAV file at 16 kHz whose header states these sizes."""
    file = bytearray(encode_wav(bytes(2 * frames), 16_000))
    file[40:44] = struct.pack("<I", data_size)
    if riff_size is not None:
        file[4:8] = struct.pack("<I", riff_size)
    return bytes(file)


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int,
    height: int,
    *,
    depth: int = 8,
    color: int = 2,
    interlaced: bool = False,
    rows: bytes = b"",
    extra: bytes = b"",
) -> bytes:
    """A black PNG image of this size.

    Args:
        color: as in the format: 0 grey, 2 RGB, 4 grey and alpha, 6 RGBA.
        rows: pixel data before compression; empty: whole rows of zeros.
        extra: chunks between header and pixels.
    """
    bits = {0: 1, 2: 3, 4: 2, 6: 4}[color] * depth
    packer = zlib.compressobj()
    row = bytes(1 + (width * bits + 7) // 8)
    data = packer.compress(rows) if rows else b"".join(packer.compress(row) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced))
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", data + packer.flush()) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
