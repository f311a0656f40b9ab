"""Decodes audio to mono float32 and encodes PCM and WAV. Length limits are checked before and while decoding."""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason

Samples = npt.NDArray[np.float32]

PCM = "audio/pcm"
WAV = "audio/wav"

# libsndfile formats accepted for each MIME type. Anything else is refused before one of its parsers runs.
_CONTAINERS = {
    WAV: ("WAV", "WAVEX"),
    "audio/x-wav": ("WAV", "WAVEX"),
    "audio/wave": ("WAV", "WAVEX"),
    "audio/flac": ("FLAC",),
    "audio/x-flac": ("FLAC",),
    "audio/ogg": ("OGG",),
    "audio/mpeg": ("MPEG", "MP3"),
}
_BLOCK_FRAMES = 65_536


@dataclass(frozen=True, slots=True)
class AudioClip:
    """Mono audio.

    Attributes:
        samples: float32, shape (n,), full scale is 1.
        sample_rate: in Hz.
    """

    samples: Samples
    sample_rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.sample_rate


@dataclass(frozen=True, slots=True)
class AudioLimits:
    """Limits of an accepted clip: length in seconds, sample rates in Hz, and channels."""

    max_seconds: float = 600.0
    min_sample_rate: int = 4_000
    max_sample_rate: int = 192_000
    max_channels: int = 8


def decode_audio(
    data: bytes,
    mime_type: str,
    *,
    sample_rate: int = 0,
    channels: int = 0,
    limits: AudioLimits | None = None,
) -> AudioClip:
    """Decodes one clip to mono at its own sample rate; channels are averaged.

    Args:
        data: a WAV, FLAC, Ogg or MPEG file, or raw `audio/pcm` (signed 16-bit little endian).
        mime_type: type of `data`; parameters after `;` are ignored.
        sample_rate: in Hz; needed only for `audio/pcm`.
        channels: needed only for `audio/pcm`.

    Raises:
        ContractError: BAD_MEDIA for bytes that do not match `mime_type`, and for empty or non-finite audio; TOO_LARGE
            for a clip over the length limit.
    """
    limits = limits or AudioLimits()
    kind = mime_type.split(";")[0].strip().lower()
    if not data:
        raise ContractError(Reason.BAD_MEDIA, f"the {kind or 'audio'} part is empty: send at least one sample")
    if kind == PCM:
        frames = _pcm_frames(data, sample_rate, channels, limits)
    elif kind in _CONTAINERS:
        frames, sample_rate = _container_frames(data, kind, limits)
    else:
        known = ", ".join([PCM, *_CONTAINERS])
        raise ContractError(Reason.BAD_MEDIA, f"audio of type {mime_type!r} is not supported: send one of {known}")
    samples = frames.mean(axis=1, dtype=np.float32) if frames.shape[1] > 1 else frames[:, 0]
    if not np.isfinite(samples).all():
        raise ContractError(Reason.BAD_MEDIA, "the audio holds NaN or infinite samples: encode it again")
    return AudioClip(np.ascontiguousarray(samples, dtype=np.float32), sample_rate)


def _pcm_frames(data: bytes, sample_rate: int, channels: int, limits: AudioLimits) -> Samples:
    """Frames of raw PCM, shape (frames, channels)."""
    _check_format(sample_rate, channels, limits)
    if len(data) % (2 * channels):
        raise ContractError(
            Reason.BAD_MEDIA, f"{len(data)} bytes of {PCM} do not divide into 16-bit frames of {channels} channels"
        )
    _check_seconds(len(data) / (2 * channels) / sample_rate, limits)
    return pcm16_to_float(data).reshape(-1, channels)


def _container_frames(data: bytes, kind: str, limits: AudioLimits) -> tuple[Samples, int]:
    """Frames of a file, shape (frames, channels), and its sample rate in Hz."""
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            if file.format not in _CONTAINERS[kind]:
                raise ContractError(Reason.BAD_MEDIA, f"the part is declared as {kind} but its bytes are {file.format}")
            rate = int(file.samplerate)
            _check_format(rate, file.channels, limits)
            _check_seconds(file.frames / rate, limits)
            # A header can understate the length. Reading in blocks and checking each keeps memory bounded.
            blocks, total = [], 0
            for block in file.blocks(_BLOCK_FRAMES, dtype="float32", always_2d=True):
                total += len(block)
                _check_seconds(total / rate, limits)
                blocks.append(block)
    except soundfile.LibsndfileError as error:
        raise ContractError(Reason.BAD_MEDIA, f"the bytes do not decode as {kind}: {error.error_string}") from error
    if not total:
        raise ContractError(Reason.BAD_MEDIA, f"the {kind} file holds no samples: send at least one")
    return np.concatenate(blocks), rate


def _check_format(sample_rate: int, channels: int, limits: AudioLimits) -> None:
    if not limits.min_sample_rate <= sample_rate <= limits.max_sample_rate:
        span = f"{limits.min_sample_rate} to {limits.max_sample_rate} Hz"
        raise ContractError(Reason.BAD_MEDIA, f"sample_rate_hz is {sample_rate}: send {span}")
    if not 1 <= channels <= limits.max_channels:
        raise ContractError(Reason.BAD_MEDIA, f"channels is {channels}: send 1 to {limits.max_channels}")


def _check_seconds(seconds: float, limits: AudioLimits) -> None:
    if seconds > limits.max_seconds:
        text = f"the clip lasts {seconds:.1f} s, over the limit of {limits.max_seconds:g} s: send a shorter clip"
        raise ContractError(Reason.TOO_LARGE, text)


def pcm16_to_float(data: bytes) -> Samples:
    """Converts signed 16-bit little-endian bytes to float32 with full scale 1, shape (n,)."""
    return np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(32768)


def encode_pcm16(samples: Samples) -> bytes:
    """Converts float32 samples, shape (n,), to signed 16-bit little-endian bytes, clipped to full scale."""
    # Clipping keeps a sample of +1.0 (32768) from wrapping around to -32768.
    scaled = np.clip(np.rint(np.asarray(samples, dtype=np.float32) * 32768), -32768, 32767)
    return scaled.astype("<i2").tobytes()


def encode_wav(pcm: bytes, sample_rate: int, channels: int = 1) -> bytes:
    """Wraps signed 16-bit little-endian PCM in a WAV file; the same samples always give the same bytes."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(pcm)
    return buffer.getvalue()


def resample(clip: AudioClip, sample_rate: int) -> AudioClip:
    """Resamples a clip with soxr at high quality; returns the clip itself if the rate already fits."""
    if clip.sample_rate == sample_rate:
        return clip
    samples = soxr.resample(clip.samples, clip.sample_rate, sample_rate, quality="HQ")
    return AudioClip(np.asarray(samples, dtype=np.float32), sample_rate)
