"""Checks with invalid media, each broken in one way, which a service must refuse."""

from __future__ import annotations

import functools
import math
import struct
import zlib

import numpy as np

from omnigap.channel import MAX_MESSAGE_BYTES
from omnigap.media import encode_wav
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_orchestrator.extras.conform.check import Finding, check, refused, skipped
from omnigap_orchestrator.extras.conform.service import (
    ServiceUnderTest,
    audio_part,
    image_part,
    picture,
    request_of,
    speech_like,
)

_LOW_RATE = 8_000
_IEEE_FLOAT = 3

BOMB_PIXELS = 400_000_000
"""Pixels of the decompression bomb for a service without a declared limit; more than any model supports."""


def nan_wav() -> bytes:
    """Half a second of 32-bit float audio with a NaN in the middle."""
    # Float, because 16-bit samples can't be NaN.
    samples = np.full(_LOW_RATE // 2, 0.1, dtype="<f4")
    samples[samples.size // 2] = math.nan
    data = samples.tobytes()
    form = struct.pack("<HHIIHH", _IEEE_FLOAT, 1, _LOW_RATE, 4 * _LOW_RATE, 4, 32)
    body = b"WAVE" + _riff(b"fmt ", form) + _riff(b"fact", struct.pack("<I", samples.size)) + _riff(b"data", data)
    return _riff(b"RIFF", body)


def _riff(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body


def wav_without_samples() -> bytes:
    """A complete header without samples."""
    return encode_wav(b"", _LOW_RATE)


def long_wav(seconds: float) -> bytes:
    """Silence of this duration at 8 kHz, a low rate to keep the file small."""
    return encode_wav(bytes(2 * int(seconds * _LOW_RATE)), _LOW_RATE)


def truncated_png() -> bytes:
    """The first half of a file."""
    whole = picture("cut in half")
    return whole[: len(whole) // 2]


def empty_png() -> bytes:
    """A header with 0 x 0 pixels."""
    return _png(0, 0)


@functools.lru_cache(maxsize=4)
def bomb_png(over_pixels: int) -> bytes:
    """A small file that decodes to more than this number of pixels: one bit each, all black."""
    # Black pixels of one bit compress to about a thousandth.
    side = math.isqrt(over_pixels) + 64
    return _png(side, side)


def _png(width: int, height: int) -> bytes:
    # Compressed row by row: all rows together would be tens of megabytes.
    row = bytes(1 + (width + 7) // 8)
    packer = zlib.compressobj(9)
    pixels = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


NO_SPEECH_INPUT = "no condition with speech input is declared"
NO_IMAGE_INPUT = "no condition with image input is declared"


@check
async def nan_audio_is_bad_media(service: ServiceUnderTest) -> Finding:
    """A 32-bit float WAV with a NaN sample is refused with BAD_MEDIA."""
    return await _audio_refused(service, audio_part(nan_wav()))


@check
async def empty_audio_is_bad_media(service: ServiceUnderTest) -> Finding:
    """An audio part without bytes is refused with BAD_MEDIA."""
    return await _audio_refused(service, audio_part(b""))


@check
async def audio_without_samples_is_bad_media(service: ServiceUnderTest) -> Finding:
    """A WAV file without samples is refused with BAD_MEDIA."""
    return await _audio_refused(service, audio_part(wav_without_samples()))


@check
async def mislabelled_audio_is_bad_media(service: ServiceUnderTest) -> Finding:
    """A WAV file with the MIME type `audio/flac` is refused with BAD_MEDIA."""
    return await _audio_refused(service, audio_part(speech_like(0), "audio/flac"))


@check
async def unknown_audio_type_is_bad_media(service: ServiceUnderTest) -> Finding:
    """Audio with an unknown MIME type is refused with BAD_MEDIA."""
    return await _audio_refused(service, audio_part(speech_like(0), "audio/x-unknown"))


@check
async def pcm_without_a_rate_is_bad_media(service: ServiceUnderTest) -> Finding:
    """Raw `audio/pcm` without `sample_rate_hz` and `channels` is refused with BAD_MEDIA."""
    return await _audio_refused(service, audio_part(bytes(16_000), "audio/pcm"))


@check
async def long_audio_is_too_large(service: ServiceUnderTest) -> Finding:
    """Audio longer than `limits.max_audio_seconds` is refused with TOO_LARGE."""
    condition, limit = service.taking(Modality.SPEECH), service.card.limits.max_audio_seconds
    if condition is None:
        return skipped(NO_SPEECH_INPUT)
    if not limit > 0:
        return skipped("limits.max_audio_seconds is not declared")
    # Clearly over the limit, so that rounding does not matter.
    seconds = 1.05 * limit + 1
    # 4096 bytes are left for the other fields of the request.
    if 2 * 8_000 * seconds > (service.card.limits.max_request_bytes or MAX_MESSAGE_BYTES) - 4096:
        return skipped(f"{seconds:.0f} s of audio exceed the size of a message, so no audio can be too long")
    return await refused(service, request_of(condition, audio_part(long_wav(seconds))), Reason.TOO_LARGE)


async def _audio_refused(service: ServiceUnderTest, part: pb.InputPart) -> Finding:
    condition = service.taking(Modality.SPEECH)
    if condition is None:
        return skipped(NO_SPEECH_INPUT)
    return await refused(service, request_of(condition, part), Reason.BAD_MEDIA)


@check
async def truncated_image_is_bad_media(service: ServiceUnderTest) -> Finding:
    """Half a PNG file is refused with BAD_MEDIA."""
    return await _image_refused(service, image_part(truncated_png()), Reason.BAD_MEDIA)


@check
async def empty_image_is_bad_media(service: ServiceUnderTest) -> Finding:
    """A PNG file of 0 x 0 pixels is refused with BAD_MEDIA."""
    return await _image_refused(service, image_part(empty_png()), Reason.BAD_MEDIA)


@check
async def mislabelled_image_is_bad_media(service: ServiceUnderTest) -> Finding:
    """A PNG file with the MIME type `image/jpeg` is refused with BAD_MEDIA."""
    return await _image_refused(service, image_part(picture("not a JPEG"), "image/jpeg"), Reason.BAD_MEDIA)


@check
async def unknown_image_type_is_bad_media(service: ServiceUnderTest) -> Finding:
    """An image with an unknown MIME type is refused with BAD_MEDIA."""
    return await _image_refused(service, image_part(picture("not known"), "image/x-unknown"), Reason.BAD_MEDIA)


@check
async def image_bomb_is_too_large(service: ServiceUnderTest) -> Finding:
    """A small PNG file that decodes to more than `limits.max_image_pixels` is refused with TOO_LARGE."""
    if service.taking(Modality.IMAGE) is None:
        return skipped(NO_IMAGE_INPUT)
    pixels = service.card.limits.max_image_pixels or BOMB_PIXELS
    if pixels > BOMB_PIXELS:
        return skipped(f"limits.max_image_pixels is {pixels}: an image over this limit takes too long to generate")
    return await _image_refused(service, image_part(bomb_png(pixels)), Reason.TOO_LARGE)


async def _image_refused(service: ServiceUnderTest, part: pb.InputPart, reason: Reason) -> Finding:
    condition = service.taking(Modality.IMAGE)
    if condition is None:
        return skipped(NO_IMAGE_INPUT)
    return await refused(service, request_of(condition, part), reason)
