"""Own media are decoded once before anything is asked, and hostile ones are named with item and file."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from omnigap.digest import sha256_hex
from omnigap.media import AudioLimits
from omnigap.vocabulary import AnswerType, Modality
from omnigap_orchestrator.carriers import check_own_carrier
from omnigap_orchestrator.items import Item, ItemError, OwnCarrier, load_items
from omnigap_orchestrator.items.item import mime_type_of


def audio(samples: np.ndarray, kind: str = "WAV", subtype: str | None = None, rate: int = 16_000) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def png(width: int, height: int) -> bytes:
    """A PNG whose header says a size, whatever its pixels are."""
    rows = zlib.compress(b"\0" * 64)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def bomb() -> bytes:
    """64 megapixels of white in a few kilobytes."""
    buffer = io.BytesIO()
    Image.new("1", (8_000, 8_000), 1).save(buffer, "PNG")
    assert len(buffer.getvalue()) < 30_000
    return buffer.getvalue()


def item(modality: Modality, data: bytes) -> Item:
    kind = mime_type_of(data)
    assert kind is not None
    return Item(
        "q1", "t", "en", "q?", ("x",), AnswerType.WORD, carriers={modality: OwnCarrier(data=data, mime_type=kind)}
    )


HOUR = np.zeros(8_000 * 3_600, dtype=np.int16)
QUIET = np.full(1_600, 0.01, dtype=np.float32)


@pytest.mark.parametrize(
    ("modality", "make", "said"),
    [
        (Modality.SPEECH, lambda: audio(np.full(160, np.nan, dtype=np.float32), subtype="FLOAT"), "NaN"),
        (Modality.SPEECH, lambda: audio(np.full(160, np.inf, dtype=np.float32), subtype="FLOAT"), "NaN or infinite"),
        (Modality.SPEECH, lambda: audio(np.zeros(0, dtype=np.int16)), "no samples"),
        (Modality.SPEECH, lambda: audio(HOUR, "FLAC", rate=8_000), "3600.0 s, over the limit of 600 s"),
        (Modality.SPEECH, lambda: b"RIFF\0\0\0\0WAVEfmt ", "do not decode as audio/wav"),
        (Modality.SPEECH, lambda: audio(QUIET, "FLAC")[:60], "audio/flac"),
        (Modality.IMAGE, lambda: png(0, 0), "a side of 0 pixels"),
        (Modality.IMAGE, lambda: png(0, 5), "a side of 0 pixels"),
        (Modality.IMAGE, lambda: png(4, 4)[:40], "do not decode as image/png"),
        (Modality.IMAGE, bomb, "8000 x 8000, over the limit"),
        (Modality.IMAGE, lambda: png(2**31 - 1, 2**31 - 1), "too many pixels"),
    ],
)
def test_a_medium_that_can_not_be_used_is_named_with_its_item(modality: Modality, make, said: str) -> None:  # type: ignore[no-untyped-def]
    data = make()
    with pytest.raises(ItemError) as caught:
        check_own_carrier(item(modality, data), modality)
    assert f"item 'q1': carriers.{modality}: {len(data)} bytes in the row: " in str(caught.value)
    assert said in str(caught.value)


def test_a_file_that_can_not_be_used_is_named(tmp_path: Path) -> None:
    paths = [tmp_path / "a.wav", tmp_path / "b.wav"]
    paths[0].write_bytes(audio(np.zeros(0, dtype=np.int16)))
    carriers = [OwnCarrier(path=path, mime_type="audio/wav") for path in paths]
    items = [
        Item(name, "t", "en", "q?", ("x",), AnswerType.WORD, carriers={Modality.SPEECH: carrier})
        for name, carrier in zip("ab", carriers, strict=True)
    ]
    faults = []
    for each in items:
        with pytest.raises(ItemError) as caught:
            check_own_carrier(each, Modality.SPEECH)
        faults += caught.value.faults
    first, second = faults
    assert f"item 'a': carriers.speech: {paths[0]}: the audio/wav file holds no samples" in first
    assert f"item 'b': carriers.speech: {paths[1]}: can't be read: No such file" in second


def test_limits_can_be_set() -> None:
    with pytest.raises(ItemError, match=r"over the limit of 0\.05 s"):
        check_own_carrier(
            item(Modality.SPEECH, audio(QUIET)), Modality.SPEECH, audio_limits=AudioLimits(max_seconds=0.05)
        )


@pytest.mark.parametrize(("kind", "extension"), [("WAV", "wav"), ("FLAC", "flac"), ("OGG", "ogg"), ("MP3", "mp3")])
def test_audio_that_decodes_is_told_with_kind_length_and_hash(kind: str, extension: str) -> None:
    data = audio(np.sin(np.arange(16_000) / 20).astype(np.float32) * 0.3, kind)
    checked = check_own_carrier(item(Modality.SPEECH, data), Modality.SPEECH)
    assert (checked.data, checked.sha256, checked.extension) == (data, sha256_hex(data), extension)
    assert checked.seconds == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize(("kind", "extension"), [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp")])
def test_an_image_that_decodes_is_told_with_kind_and_size(kind: str, extension: str) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(buffer, kind)
    checked = check_own_carrier(item(Modality.IMAGE, buffer.getvalue()), Modality.IMAGE)
    assert (checked.size, checked.extension) == ((30, 20), extension)


def test_the_built_in_media_can_all_be_used() -> None:
    for each in load_items():
        for modality in each.carriers:
            if modality is not Modality.TEXT:
                check_own_carrier(each, modality)
