"""Audio decoding and encoding: supported formats, refused input, and lossless round trips."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from omnigap.errors import ContractError
from omnigap.media import AudioClip, AudioLimits, decode_audio, encode_pcm16, encode_wav, pcm16_to_float, resample
from omnigap.vocabulary import Reason

RATE = 16_000
RAMP = (np.arange(-1_000, 1_000) * 16 / 32_768).astype(np.float32)


def file_of(samples: np.ndarray, kind: str, rate: int = RATE, subtype: str | None = None) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "mime_type"),
    [
        (encode_wav(encode_pcm16(RAMP), RATE), "audio/wav"),
        (file_of(RAMP, "WAV", subtype="FLOAT"), "audio/x-wav"),
        (file_of(RAMP, "FLAC"), "audio/flac"),
        (file_of(RAMP, "FLAC"), "Audio/FLAC; rate=16000"),
    ],
)
def test_lossless_files_decode_exactly(data: bytes, mime_type: str) -> None:
    clip = decode_audio(data, mime_type)
    assert clip.sample_rate == RATE
    assert clip.samples.dtype == np.float32
    assert np.array_equal(clip.samples, RAMP)


def test_pcm_round_trips() -> None:
    clip = decode_audio(encode_pcm16(RAMP), "audio/pcm", sample_rate=RATE, channels=1)
    assert np.array_equal(clip.samples, RAMP)
    assert clip.seconds == len(RAMP) / RATE


def test_channels_are_averaged_to_mono() -> None:
    stereo = np.stack([RAMP, -RAMP], axis=1)
    assert not decode_audio(file_of(stereo, "FLAC"), "audio/flac").samples.any()


def test_ogg_and_mpeg_decode() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32) / 2
    for kind, subtype, mime_type in (("OGG", "VORBIS", "audio/ogg"), ("MP3", None, "audio/mpeg")):
        clip = decode_audio(file_of(tone, kind, subtype=subtype), mime_type)
        spectrum = np.abs(np.fft.rfft(clip.samples, 2 * RATE))
        assert np.argmax(spectrum) == pytest.approx(880, abs=2)


def test_samples_beyond_full_scale_are_clipped() -> None:
    assert np.frombuffer(encode_pcm16(np.array([2.0, -2.0, 1.0, -1.0], np.float32)), "<i2").tolist() == [
        32767,
        -32768,
        32767,
        -32768,
    ]


def test_wav_encoding_is_deterministic() -> None:
    assert encode_wav(encode_pcm16(RAMP), RATE) == encode_wav(encode_pcm16(RAMP), RATE)


def test_length_limit_is_inclusive() -> None:
    limits = AudioLimits(max_seconds=1.0)
    second = encode_wav(bytes(2 * RATE), RATE)
    assert decode_audio(second, "audio/wav", limits=limits).seconds == 1.0
    with pytest.raises(ContractError, match="1 s") as caught:
        decode_audio(encode_wav(bytes(2 * RATE + 2), RATE), "audio/wav", limits=limits)
    assert caught.value.reason is Reason.TOO_LARGE


def test_length_limit_holds_if_the_header_hides_the_length() -> None:
    honest = bytearray(file_of(np.zeros(5 * RATE, np.int16), "FLAC"))
    # STREAMINFO keeps the total number of samples in the low 36 bits of bytes 21 to 25; 0 means unknown.
    honest[21] &= 0xF0
    honest[22:26] = bytes(4)
    with pytest.raises(ContractError) as caught:
        decode_audio(bytes(honest), "audio/flac", limits=AudioLimits(max_seconds=1.0))
    assert caught.value.reason in (Reason.TOO_LARGE, Reason.BAD_MEDIA)


@pytest.mark.parametrize("rate", [0, 3_999, 192_001, 4_000_000_000])
def test_sample_rate_outside_the_range_raises(rate: int) -> None:
    with pytest.raises(ContractError, match="4000 to 192000") as caught:
        decode_audio(bytes(200), "audio/pcm", sample_rate=rate, channels=1)
    assert caught.value.reason is Reason.BAD_MEDIA


def test_unsupported_type_raises_with_the_supported_ones() -> None:
    with pytest.raises(ContractError, match="audio/flac"):
        decode_audio(b"x", "audio/midi")


def test_resampling_keeps_the_duration() -> None:
    clip = AudioClip(np.zeros(44_100, np.float32), 44_100)
    assert len(resample(clip, RATE).samples) == RATE
    assert resample(clip, 44_100) is clip


def test_pcm_bytes_are_little_endian() -> None:
    assert pcm16_to_float(b"\x00\x40").tolist() == [0.5]
