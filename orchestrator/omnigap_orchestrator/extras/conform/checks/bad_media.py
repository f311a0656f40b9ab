"""Media that a service must refuse, each broken in one way."""

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
from omnigap_orchestrator.extras.conform.questions import (
    audio_part,
    image_part,
    picture,
    request_of,
    speech_like,
)
from omnigap_orchestrator.extras.conform.subject import Subject

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


# Audio that is not what it says, or no sound at all: a service that hears must refuse it.

DEAF = "it takes no speech"


@check
async def nan_audio_is_bad_media(subject: Subject) -> Finding:
    """A 32-bit float WAV with a NaN sample is refused with BAD_MEDIA."""
    return await _audio_refused(subject, audio_part(nan_wav()))


@check
async def empty_audio_is_bad_media(subject: Subject) -> Finding:
    """An audio part without bytes is refused with BAD_MEDIA."""
    return await _audio_refused(subject, audio_part(b""))


@check
async def audio_without_samples_is_bad_media(subject: Subject) -> Finding:
    """A WAV file that is a header alone is refused with BAD_MEDIA."""
    return await _audio_refused(subject, audio_part(wav_without_samples()))


@check
async def mislabelled_audio_is_bad_media(subject: Subject) -> Finding:
    """A WAV file that is called `audio/flac` is refused with BAD_MEDIA."""
    return await _audio_refused(subject, audio_part(speech_like(0), "audio/flac"))


@check
async def unknown_audio_type_is_bad_media(subject: Subject) -> Finding:
    """Audio of a MIME type that nobody knows is refused with BAD_MEDIA."""
    return await _audio_refused(subject, audio_part(speech_like(0), "audio/x-unheard-of"))


@check
async def pcm_without_a_rate_is_bad_media(subject: Subject) -> Finding:
    """Raw `audio/pcm` without `sample_rate_hz` and `channels` is refused with BAD_MEDIA."""
    return await _audio_refused(subject, audio_part(bytes(16_000), "audio/pcm"))


@check
async def long_audio_is_too_large(subject: Subject) -> Finding:
    """Audio longer than `limits.max_audio_seconds` is refused with TOO_LARGE."""
    condition, limit = subject.taking(Modality.SPEECH), subject.card.limits.max_audio_seconds
    if condition is None:
        return skipped(DEAF)
    if not limit > 0:
        return skipped("limits.max_audio_seconds is not declared")
    seconds = 1.05 * limit + 1
    if 2 * 8_000 * seconds > (subject.card.limits.max_request_bytes or MAX_MESSAGE_BYTES) - 4096:
        return skipped(f"{seconds:.0f} s of audio do not fit into a message: no clip can be too long")
    return await refused(subject, request_of(condition, audio_part(long_wav(seconds))), Reason.TOO_LARGE)


async def _audio_refused(subject: Subject, part: pb.InputPart) -> Finding:
    condition = subject.taking(Modality.SPEECH)
    if condition is None:
        return skipped(DEAF)
    return await refused(subject, request_of(condition, part), Reason.BAD_MEDIA)


# Images that do not decode, or unfold to more than a service may hold: one that sees must refuse them.

BLIND = "it takes no images"


@check
async def truncated_image_is_bad_media(subject: Subject) -> Finding:
    """Half a PNG file is refused with BAD_MEDIA."""
    return await _image_refused(subject, image_part(truncated_png()), Reason.BAD_MEDIA)


@check
async def empty_image_is_bad_media(subject: Subject) -> Finding:
    """A PNG file of 0 x 0 pixels is refused with BAD_MEDIA."""
    return await _image_refused(subject, image_part(empty_png()), Reason.BAD_MEDIA)


@check
async def mislabelled_image_is_bad_media(subject: Subject) -> Finding:
    """A PNG file that is called `image/jpeg` is refused with BAD_MEDIA."""
    return await _image_refused(subject, image_part(picture("not a JPEG"), "image/jpeg"), Reason.BAD_MEDIA)


@check
async def unknown_image_type_is_bad_media(subject: Subject) -> Finding:
    """An image of a MIME type that nobody knows is refused with BAD_MEDIA."""
    return await _image_refused(subject, image_part(picture("not known"), "image/x-unseen"), Reason.BAD_MEDIA)


@check
async def image_bomb_is_too_large(subject: Subject) -> Finding:
    """A small PNG file that unfolds to more than `limits.max_image_pixels` is refused with TOO_LARGE."""
    if subject.taking(Modality.IMAGE) is None:
        return skipped(BLIND)
    pixels = subject.card.limits.max_image_pixels or BOMB_PIXELS
    if pixels > BOMB_PIXELS:
        return skipped(f"limits.max_image_pixels is {pixels}: too many to make a file of")
    return await _image_refused(subject, image_part(bomb_png(pixels)), Reason.TOO_LARGE)


async def _image_refused(subject: Subject, part: pb.InputPart, reason: Reason) -> Finding:
    condition = subject.taking(Modality.IMAGE)
    if condition is None:
        return skipped(BLIND)
    return await refused(subject, request_of(condition, part), reason)
