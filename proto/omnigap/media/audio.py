"""Decodes audio to mono float32 and encodes PCM and WAV. Length limits are checked before and while decoding."""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from omnigap.errors import ContractError, quoted
from omnigap.vocabulary import Reason

Samples = npt.NDArray[np.float32]

PCM = "audio/pcm"
WAV = "audio/wav"

# Accepted files for each MIME type: libsndfile's names of the formats, and how such a file begins.
_CONTAINERS = {
    **dict.fromkeys((WAV, "audio/x-wav", "audio/wave"), (("WAV", "WAVEX"), (b"RIFF", b"RIFX"))),
    **dict.fromkeys(("audio/flac", "audio/x-flac"), (("FLAC",), (b"fLaC", b"ID3"))),
    "audio/ogg": (("OGG",), (b"OggS",)),
    # An MPEG frame begins with eleven set bits.
    "audio/mpeg": (("MPEG", "MP3"), (b"ID3", *(bytes((0xFF, byte)) for byte in range(0xE0, 0x100)))),
}
_BLOCK_FRAMES = 65_536
# libsndfile's frame count for a file that does not state its length, such as FLAC that was written to a pipe.
_UNKNOWN_FRAMES = 2**63 - 1


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
    """Limits of an accepted clip.

    Attributes:
        max_seconds: its length.
        max_samples: frames x channels, which bounds the time of decoding: an hour of mono at 48 kHz, or 130 s of eight
            channels at 192 kHz.
        min_sample_rate, max_sample_rate: in Hz.
    """

    max_seconds: float = 600.0
    max_samples: int = 200_000_000
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

    Channels are averaged block by block, so that no more than the mono clip is held in memory.

    Args:
        data: a WAV, FLAC, Ogg or MPEG file, or raw `audio/pcm` (signed 16-bit little endian).
        mime_type: type of `data`; parameters after `;` are ignored.
        sample_rate: in Hz; needed only for `audio/pcm`.
        channels: needed only for `audio/pcm`.

    Raises:
        ContractError: BAD_MEDIA for bytes that do not match `mime_type`, and for empty or non-finite audio; TOO_LARGE
            for a clip over the length limit, or with more samples than `max_samples`.
    """
    limits = limits or AudioLimits()
    kind = mime_type.split(";")[0].strip().lower()
    if not data:
        raise ContractError(Reason.BAD_MEDIA, f"the {kind or 'audio'} part is empty: send at least one sample")
    if kind == PCM:
        samples = _pcm_mono(data, sample_rate, channels, limits)
    elif kind in _CONTAINERS:
        samples, sample_rate = _container_mono(data, kind, limits)
    else:
        known = ", ".join([PCM, *_CONTAINERS])
        text = f"audio of type {quoted(mime_type)} is not supported: send one of {known}"
        raise ContractError(Reason.BAD_MEDIA, text)
    return AudioClip(samples, sample_rate)


def _pcm_mono(data: bytes, sample_rate: int, channels: int, limits: AudioLimits) -> Samples:
    """Mono samples of raw PCM, shape (frames,)."""
    _check_format(sample_rate, channels, limits)
    if len(data) % (2 * channels):
        raise ContractError(
            Reason.BAD_MEDIA, f"{len(data)} bytes of {PCM} do not divide into 16-bit frames of {channels} channels"
        )
    _check_length(len(data) // (2 * channels), sample_rate, channels, limits)
    if channels == 1:
        return pcm16_to_float(data)
    step = 2 * channels * _BLOCK_FRAMES
    blocks = (pcm16_to_float(data[at : at + step]).reshape(-1, channels) for at in range(0, len(data), step))
    return np.concatenate([_mixed(block) for block in blocks])


def _container_mono(data: bytes, kind: str, limits: AudioLimits) -> tuple[Samples, int]:
    """Mono samples of a file, shape (frames,), and its sample rate in Hz."""
    formats, beginnings = _CONTAINERS[kind]
    # libsndfile finds the format by itself. Bytes of another kind must not reach its rarer parsers.
    if not data.startswith(beginnings):
        raise ContractError(Reason.BAD_MEDIA, f"the bytes do not decode as {kind}: they do not begin like such a file")
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            if file.format not in formats:
                raise ContractError(Reason.BAD_MEDIA, f"the part is declared as {kind} but its bytes are {file.format}")
            rate = int(file.samplerate)
            _check_format(rate, file.channels, limits)
            samples = _read_mono(file, limits)
    # A lack of memory is not the file's fault: all limits are checked before.
    except (ContractError, MemoryError):
        raise
    except soundfile.LibsndfileError as error:
        # One of libsndfile's fixed texts: none quotes the file.
        raise ContractError(Reason.BAD_MEDIA, f"the bytes do not decode as {kind}: {error.error_string}") from error
    # Which other errors the binding raises for a broken file is not documented.
    except Exception as error:
        text = f"the bytes do not decode as {kind}: the decoder failed ({type(error).__name__})"
        raise ContractError(Reason.BAD_MEDIA, text) from error
    if not len(samples):
        raise ContractError(Reason.BAD_MEDIA, f"the {kind} file holds no samples: send at least one")
    return samples, rate


def _read_mono(file: soundfile.SoundFile, limits: AudioLimits) -> Samples:
    rate, channels = file.samplerate, file.channels
    if file.frames == _UNKNOWN_FRAMES:
        # libsndfile cannot read it through an object in memory.
        text = "the file does not state its length, as when it was encoded to a pipe: encode it to a file"
        raise ContractError(Reason.BAD_MEDIA, text)
    _check_length(stated := file.frames, rate, channels, limits)
    # The system provides memory as it is written, so a header that overstates the length costs nothing.
    samples, total = np.empty(stated, np.float32), 0
    # `read` instead of `blocks`, which refuses files that cannot seek, such as GSM in WAV.
    while len(block := file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
        end = total + len(block)
        # A header can understate the length.
        _check_length(end, rate, channels, limits)
        if end > len(samples):
            grown = np.empty(max(end, 2 * len(samples)), np.float32)
            grown[:total] = samples[:total]
            samples = grown
        samples[total:end] = _mixed(block)
        total = end
    return samples if total == len(samples) else samples[:total].copy()


def _mixed(block: Samples) -> Samples:
    """The mean of the channels of a block, shape (frames, channels).

    Raises:
        ContractError: BAD_MEDIA for NaN or infinite samples.
    """
    # The sum of finite samples may be infinite.
    with np.errstate(over="ignore", invalid="ignore"):
        mono: Samples = block.mean(axis=1, dtype=np.float32) if block.shape[1] > 1 else block[:, 0]
    if not np.isfinite(mono).all():
        raise ContractError(Reason.BAD_MEDIA, "the audio holds NaN or infinite samples: encode it again")
    return mono


def _check_format(sample_rate: int, channels: int, limits: AudioLimits) -> None:
    if not limits.min_sample_rate <= sample_rate <= limits.max_sample_rate:
        span = f"{limits.min_sample_rate} to {limits.max_sample_rate} Hz"
        raise ContractError(Reason.BAD_MEDIA, f"sample_rate_hz is {sample_rate}: send {span}")
    if not 1 <= channels <= limits.max_channels:
        raise ContractError(Reason.BAD_MEDIA, f"channels is {channels}: send 1 to {limits.max_channels}")


def _check_length(frames: int, sample_rate: int, channels: int, limits: AudioLimits) -> None:
    if (seconds := frames / sample_rate) > limits.max_seconds:
        text = f"the clip lasts {seconds:.1f} s, over the limit of {limits.max_seconds:g} s: send a shorter clip"
        raise ContractError(Reason.TOO_LARGE, text)
    if frames * channels > limits.max_samples:
        text = f"the clip has {frames} frames of {channels} channels, over the limit of {limits.max_samples} samples"
        raise ContractError(Reason.TOO_LARGE, f"{text}: send mono, or a lower sample rate")


def pcm16_to_float(data: bytes) -> Samples:
    """Converts signed 16-bit little-endian bytes to float32 with full scale 1, shape (n,)."""
    samples = np.frombuffer(data, dtype="<i2").astype(np.float32)
    samples /= np.float32(32768)
    return samples


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
    """Resamples a clip with soxr at high quality; returns the clip itself if the rate already fits.

    Raises:
        ContractError: BAD_MEDIA for samples so large that the result is infinite.
    """
    if clip.sample_rate == sample_rate:
        return clip
    samples = soxr.resample(clip.samples, clip.sample_rate, sample_rate, quality="HQ")
    if not np.isfinite(samples).all():
        raise ContractError(Reason.BAD_MEDIA, "the audio is too loud to be resampled: encode it with full scale 1")
    return AudioClip(np.asarray(samples, dtype=np.float32), sample_rate)
