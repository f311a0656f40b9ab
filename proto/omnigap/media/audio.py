"""Audio bytes to mono float32 and back, with the length checked before and while decoding."""

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

# The containers that libsndfile may open, by MIME type; anything else is refused before a parser sees it.
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
        samples: float32, shape (n,), full scale at 1.
        sample_rate: in Hz.
    """

    samples: Samples
    sample_rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.sample_rate


@dataclass(frozen=True, slots=True)
class AudioLimits:
    """What a clip may be: seconds of audio, and the range of sample rates in Hz."""

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
    """Decodes one clip to mono at its own rate.

    Args:
        data: the bytes of a WAV, FLAC, Ogg or MPEG file, or raw `audio/pcm` (signed 16-bit little endian).
        mime_type: what the bytes are; parameters after `;` are ignored.
        sample_rate: needed for `audio/pcm` only, in Hz.
        channels: likewise.

    Raises:
        ContractError: BAD_MEDIA for bytes that are not what they say, empty or non-finite audio; TOO_LARGE for a clip
            over the limit, found in the header or, where headers lie, while decoding.
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
        raise ContractError(Reason.BAD_MEDIA, f"audio of MIME type {mime_type!r} is not known: send one of {known}")
    samples = frames.mean(axis=1, dtype=np.float32) if frames.shape[1] > 1 else frames[:, 0]
    if not np.isfinite(samples).all():
        raise ContractError(Reason.BAD_MEDIA, "the audio holds NaN or infinite samples: write it again")
    return AudioClip(np.ascontiguousarray(samples, dtype=np.float32), sample_rate)


def _pcm_frames(data: bytes, sample_rate: int, channels: int, limits: AudioLimits) -> Samples:
    """Frames x channels of raw PCM."""
    _check_format(sample_rate, channels, limits)
    if len(data) % (2 * channels):
        raise ContractError(
            Reason.BAD_MEDIA, f"{len(data)} bytes of {PCM} are no whole number of 16-bit frames of {channels} channels"
        )
    _check_seconds(len(data) / (2 * channels) / sample_rate, limits)
    return pcm16_to_float(data).reshape(-1, channels)


def _container_frames(data: bytes, kind: str, limits: AudioLimits) -> tuple[Samples, int]:
    """Frames x channels of a file, and its rate in Hz; read in blocks so that a lying header cannot fill the memory."""
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            if file.format not in _CONTAINERS[kind]:
                raise ContractError(Reason.BAD_MEDIA, f"the part says {kind} but its bytes are {file.format}")
            rate = int(file.samplerate)
            _check_format(rate, file.channels, limits)
            _check_seconds(file.frames / rate, limits)
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
        raise ContractError(Reason.BAD_MEDIA, f"sample_rate_hz is {sample_rate}: audio travels at {span}")
    if not 1 <= channels <= limits.max_channels:
        raise ContractError(Reason.BAD_MEDIA, f"channels is {channels}: 1 to {limits.max_channels} are read")


def _check_seconds(seconds: float, limits: AudioLimits) -> None:
    if seconds > limits.max_seconds:
        text = f"the clip lasts {seconds:.1f} s, over the limit of {limits.max_seconds:g} s: cut it"
        raise ContractError(Reason.TOO_LARGE, text)


def pcm16_to_float(data: bytes) -> Samples:
    """Signed 16-bit little-endian bytes to float32 at full scale 1, shape (n,)."""
    return np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(32768)


def encode_pcm16(samples: Samples) -> bytes:
    """Float32 samples, shape (n,), clipped to full scale, to signed 16-bit little-endian bytes."""
    scaled = np.clip(np.rint(np.asarray(samples, dtype=np.float32) * 32768), -32768, 32767)
    return scaled.astype("<i2").tobytes()


def encode_wav(pcm: bytes, sample_rate: int, channels: int = 1) -> bytes:
    """A WAV file around signed 16-bit little-endian PCM; the same samples always give the same bytes."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(pcm)
    return buffer.getvalue()


def resample(clip: AudioClip, sample_rate: int) -> AudioClip:
    """The same clip at another rate (soxr, high quality); the clip itself where the rate fits already."""
    if clip.sample_rate == sample_rate:
        return clip
    samples = soxr.resample(clip.samples, clip.sample_rate, sample_rate, quality="HQ")
    return AudioClip(np.asarray(samples, dtype=np.float32), sample_rate)
