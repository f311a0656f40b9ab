"""Spoken text, own media and their limits, and speech keys."""

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
from omnigap.vocabulary import CHOICE_LETTERS, AnswerType, Modality
from omnigap_orchestrator.carriers import CarrierError, check_own_carrier, speech_carrier_key, spoken_text
from omnigap_orchestrator.items import Item, ItemError, OwnCarrier, load_items
from omnigap_orchestrator.items.item import mime_type_of


def choice_item(question: str, *choices: str) -> Item:
    return Item("q", "t", "en", question, ("A",), AnswerType.LETTER, choices=choices)


@pytest.mark.parametrize(
    ("question", "choices", "expected"),
    [
        ("Which city?", ("Paris", "Rome"), "Which city? A: Paris. B: Rome."),
        ("Name the city", ("Paris.", "Rome!"), "Name the city. A: Paris. B: Rome!"),
        ("Read this\n\nIs it   true?", (), "Read this. Is it true?"),
        ("The sky is ____.", (), "The sky is blank."),
        ("The sky is ____ today.", (), "The sky is blank today."),
        ("# Task\n- Say **this** `word`", (), "Task. Say this word"),
        ("What is 3 * 4?", (), "What is 3 * 4?"),
        ("Where is it?", ("line one\nline two",), "Where is it? A: line one. line two."),
    ],
)
def test_spoken_text(question: str, choices: tuple[str, ...], expected: str) -> None:
    assert spoken_text(choice_item(question, *choices)) == expected


def test_question_without_speakable_text_raises() -> None:
    with pytest.raises(CarrierError, match=r"item 'q': .*'\?!'.*carriers\.speech"):
        spoken_text(choice_item("?!"))


def test_builtin_questions_are_spoken_as_written() -> None:
    for built_in in load_items():
        choices = (f"{letter}: {choice}." for letter, choice in zip(CHOICE_LETTERS, built_in.choices, strict=False))
        assert spoken_text(built_in) == " ".join([built_in.question, *choices])


def test_speech_key_depends_on_text_voice_rate_and_service() -> None:
    base = speech_carrier_key("a", "v", 150, "d")
    assert base == speech_carrier_key("a", "v", 150.0, "d")
    others = {
        speech_carrier_key("b", "v", 150, "d"),
        speech_carrier_key("a", "w", 150, "d"),
        speech_carrier_key("a", None, 150, "d"),
        speech_carrier_key("a", "v", None, "d"),
        speech_carrier_key("a", "v", 150, "e"),
    }
    assert len(others) == 5
    assert base not in others


def audio(samples: np.ndarray, kind: str = "WAV", subtype: str | None = None, rate: int = 16_000) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def png(width: int, height: int) -> bytes:
    """A PNG whose header claims a size that its pixels do not have."""
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


def media_item(modality: Modality, data: bytes) -> Item:
    kind = mime_type_of(data)
    assert kind is not None
    return Item(
        "q1", "t", "en", "q?", ("x",), AnswerType.WORD, carriers={modality: OwnCarrier(data=data, mime_type=kind)}
    )


HOUR = np.zeros(8_000 * 3_600, dtype=np.int16)
QUIET = np.full(1_600, 0.01, dtype=np.float32)


@pytest.mark.parametrize(
    ("modality", "make", "expected"),
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
def test_invalid_media_raise_with_item_and_modality(modality: Modality, make, expected: str) -> None:  # type: ignore[no-untyped-def]
    data = make()
    with pytest.raises(ItemError) as caught:
        check_own_carrier(media_item(modality, data), modality)
    assert f"item 'q1': carriers.{modality}: {len(data)} bytes in the row: " in str(caught.value)
    assert expected in str(caught.value)


def test_invalid_media_files_raise_with_their_path(tmp_path: Path) -> None:
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


def test_limits_are_configurable() -> None:
    with pytest.raises(ItemError, match=r"over the limit of 0\.05 s"):
        check_own_carrier(
            media_item(Modality.SPEECH, audio(QUIET)), Modality.SPEECH, audio_limits=AudioLimits(max_seconds=0.05)
        )


@pytest.mark.parametrize(("kind", "extension"), [("WAV", "wav"), ("FLAC", "flac"), ("OGG", "ogg"), ("MP3", "mp3")])
def test_checked_audio_has_extension_duration_and_hash(kind: str, extension: str) -> None:
    data = audio(np.sin(np.arange(16_000) / 20).astype(np.float32) * 0.3, kind)
    checked = check_own_carrier(media_item(Modality.SPEECH, data), Modality.SPEECH)
    assert (checked.data, checked.sha256, checked.extension) == (data, sha256_hex(data), extension)
    assert checked.seconds == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize(("kind", "extension"), [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp")])
def test_checked_image_has_extension_and_size(kind: str, extension: str) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(buffer, kind)
    checked = check_own_carrier(media_item(Modality.IMAGE, buffer.getvalue()), Modality.IMAGE)
    assert (checked.size, checked.extension) == ((30, 20), extension)


def test_builtin_media_are_valid() -> None:
    for each in load_items():
        for modality in each.carriers:
            if modality is not Modality.TEXT:
                check_own_carrier(each, modality)
