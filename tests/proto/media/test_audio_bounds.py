"""Hostile audio: memory is bounded by the mono clip, lying headers are harmless, other errors never leave."""

from __future__ import annotations

import functools
import io

import numpy as np
import pytest
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st

from omnigap.errors import ContractError
from omnigap.media import AudioClip, AudioLimits, decode_audio, encode_wav, resample
from omnigap.vocabulary import Reason
from tests.proto.media.hostile import cost_of, silence, wav_with_sizes

MB = 1024 * 1024
TYPES = {"WAV": "audio/wav", "WAVEX": "audio/wav", "FLAC": "audio/flac", "OGG": "audio/ogg", "MP3": "audio/mpeg"}


@pytest.mark.parametrize(
    ("make", "mime_type"),
    [
        (functools.partial(silence, 40, 192_000, 8, "FLAC"), "audio/flac"),
        (functools.partial(silence, 30, 48_000, 2, "OGG", "VORBIS"), "audio/ogg"),
        (functools.partial(silence, 30, 48_000, 2, "OGG", "OPUS"), "audio/ogg"),
        (functools.partial(silence, 20, 48_000, 2, "MP3"), "audio/mpeg"),
    ],
    ids=["eight channels of FLAC", "Vorbis", "Opus", "MP3"],
)
def test_memory_is_bounded_by_the_mono_clip(make: functools.partial[bytes], mime_type: str) -> None:
    cost = cost_of(make(), mime_type)
    assert cost.outcome == "decoded"
    # One block of eight channels, and the decoder's own state.
    assert cost.peak < cost.size + 24 * MB


def test_memory_of_raw_pcm_is_bounded_by_the_mono_clip() -> None:
    data = bytes(48 * MB)
    cost = cost_of(data, "audio/pcm", 48_000, 8)
    assert cost.outcome == "decoded"
    # Twice: the blocks of the mono clip are joined.
    assert cost.peak < 2 * cost.size + 24 * MB


@pytest.mark.parametrize(
    ("seconds", "rate", "channels", "kind", "subtype"),
    [
        (121, 48_000, 8, "FLAC", None),
        (130, 192_000, 1, "FLAC", None),
        (200, 8_000, 1, "OGG", "OPUS"),
        (200, 8_000, 1, "MP3", None),
    ],
)
def test_long_clips_are_refused_before_they_fill_memory(
    seconds: int, rate: int, channels: int, kind: str, subtype: str | None
) -> None:
    cost = cost_of(silence(seconds, rate, channels, kind, subtype), TYPES[kind])
    assert cost.outcome == "TOO_LARGE"
    assert cost.peak < 24 * MB


def test_samples_of_all_channels_count() -> None:
    data = silence(2, 16_000, 8, "FLAC")
    limits = AudioLimits(max_samples=2 * 16_000 * 8)
    assert decode_audio(data, "audio/flac", limits=limits).seconds == 2
    fewer = AudioLimits(max_samples=limits.max_samples - 1)
    with pytest.raises(ContractError, match=r"32000 frames of 8 channels.*255999") as caught:
        decode_audio(data, "audio/flac", limits=fewer)
    assert caught.value.reason is Reason.TOO_LARGE
    with pytest.raises(ContractError, match="8 channels") as caught:
        decode_audio(bytes(2 * limits.max_samples), "audio/pcm", sample_rate=16_000, channels=8, limits=fewer)
    assert caught.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize("riff_size", [None, 0, 10, 2**31, 2**32 - 1])
@pytest.mark.parametrize(("data_size", "frames"), [(100, 50), (2_002, 1_000), (2**31 - 1, 1_000), (2**32 - 1, 1_000)])
def test_a_header_that_lies_gives_the_samples_that_are_there(
    data_size: int, frames: int, riff_size: int | None
) -> None:
    assert len(decode_audio(wav_with_sizes(1_000, data_size, riff_size), "audio/wav").samples) == frames


@pytest.mark.parametrize("data_size", [0, 1])
def test_a_header_without_samples_raises(data_size: int) -> None:
    with pytest.raises(ContractError, match="no samples"):
        decode_audio(wav_with_sizes(1_000, data_size), "audio/wav")


def test_flac_of_unknown_length_is_refused_with_advice() -> None:
    file = bytearray(silence(1, 16_000, 1, "FLAC"))
    # STREAMINFO keeps the total number of samples in the low 36 bits of bytes 21 to 25; 0 means unknown.
    file[21] &= 0xF0
    file[22:26] = bytes(4)
    with pytest.raises(ContractError, match="does not state its length") as caught:
        decode_audio(bytes(file), "audio/flac")
    assert caught.value.reason is Reason.BAD_MEDIA


@functools.cache
def files() -> list[tuple[bytes, str]]:
    """A short file of every format and encoding that the library can write."""
    found = []
    tone = (np.sin(np.arange(4_000) / 10) / 2).astype(np.float32)
    for kind, mime_type in TYPES.items():
        for subtype in soundfile.available_subtypes(kind):
            for channels in (1, 2):
                buffer = io.BytesIO()
                try:
                    soundfile.write(buffer, tone.reshape(-1, channels), 8_000, format=kind, subtype=subtype)
                except soundfile.LibsndfileError:  # listed, but not implemented
                    continue
                found.append((buffer.getvalue(), mime_type))
    return found


def test_every_encoding_decodes_or_is_refused() -> None:
    assert len(files()) > 30
    for data, mime_type in files():
        assert decode_audio(data, mime_type).seconds > 0.2


Edit = tuple[float, bytes]
EXTREMES = [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b""]
REPLACEMENTS = st.sampled_from(EXTREMES) | st.binary(min_size=1, max_size=4)
EDITS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), REPLACEMENTS), max_size=8)


def edited(data: bytes, edits: list[Edit], header: bool) -> bytes:
    """The file with bytes replaced, all of them in its first 80 if `header`; an empty replacement cuts it off."""
    found = bytearray(data)
    for place, new in edits:
        at = int(place * (min(80, len(found)) if header else len(found)))
        if new:
            found[at : at + len(new)] = new
        else:
            del found[at:]
    return bytes(found)


@given(st.integers(0, 10**6), EDITS, st.booleans())
@example(0, [(0.5, b"\xff\xff\xff\xff")], True)
def test_no_file_raises_anything_but_contract_errors(number: int, edits: list[Edit], header: bool) -> None:
    data, mime_type = files()[number % len(files())]
    _decodes_or_refuses(edited(data, edits, header), mime_type)


@given(
    st.binary(max_size=300), st.sampled_from([*TYPES.values(), "audio/pcm"]), st.sampled_from([b"", b"RIFF", b"ID3"])
)
def test_no_bytes_raise_anything_but_contract_errors(data: bytes, mime_type: str, beginning: bytes) -> None:
    _decodes_or_refuses(beginning + data, mime_type)


def _decodes_or_refuses(data: bytes, mime_type: str) -> None:
    try:
        clip = decode_audio(data, mime_type, sample_rate=8_000, channels=2)
        resample(clip, 16_000)
    except ContractError as error:
        assert error.reason in (Reason.BAD_MEDIA, Reason.TOO_LARGE)
        assert error.message.isprintable()
        assert len(error.message) < 300
    else:
        assert clip.samples.dtype == np.float32
        assert len(clip.samples)
        assert np.isfinite(clip.samples).all()


def test_infinite_sums_and_resampled_values_are_refused() -> None:
    huge = np.full((100, 2), 3e38, np.float32)
    buffer = io.BytesIO()
    soundfile.write(buffer, huge, 16_000, format="WAV", subtype="FLOAT")
    with pytest.raises(ContractError, match="infinite"):
        decode_audio(buffer.getvalue(), "audio/wav")
    with pytest.raises(ContractError, match="too loud"):
        resample(AudioClip(np.tile(np.array([3e38, -3e38], np.float32), 500), 16_000), 48_000)


def test_errors_show_neither_the_bytes_nor_a_long_type() -> None:
    secret = b"RIFF" + b"password=hunter2 " * 20
    with pytest.raises(ContractError) as caught:
        decode_audio(secret, "audio/wav")
    assert "hunter2" not in caught.value.message
    with pytest.raises(ContractError) as caught:
        decode_audio(encode_wav(bytes(8), 16_000), "\x1b[31m\u202e" + "x" * 10_000)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 400
