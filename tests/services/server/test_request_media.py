"""Input media: invalid ones are refused before the adapter, valid ones arrive decoded and resampled."""

from __future__ import annotations

import io
import struct
import threading
import zlib
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image as Pictures

from omnigap.media import AudioClip, encode_pcm16, encode_png, encode_wav
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_services.adapter import Request
from omnigap_services.server import scheduler
from tests.services.server.model_double import PATIENCE_S, Double, Running, Start, asking

RATE = 16_000


def flac(seconds: float) -> bytes:
    """Digital silence: small on the wire, long once decoded."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(int(seconds * RATE), np.int16), RATE, format="FLAC")
    return buffer.getvalue()


def float_wav(samples: list[float]) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.array(samples, np.float32), RATE, format="WAV", subtype="FLOAT")
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG whose header claims a size that its data do not have."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 16)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def bomb() -> bytes:
    """64 million black pixels in a few kilobytes."""
    buffer = io.BytesIO()
    Pictures.new("1", (8_000, 8_000)).save(buffer, "PNG")
    assert buffer.tell() < 20_000
    return buffer.getvalue()


def audio(data: bytes, mime_type: str, sample_rate_hz: int = 0, channels: int = 0) -> pb.Audio:
    return pb.Audio(data=data, mime_type=mime_type, sample_rate_hz=sample_rate_hz, channels=channels)


def image(data: bytes, mime_type: str = "image/png") -> pb.Image:
    return pb.Image(data=data, mime_type=mime_type)


WAV = encode_wav(bytes(2 * RATE), RATE)
INVALID = {
    "a NaN sample": (audio(float_wav([0.1, float("nan")]), "audio/wav"), Reason.BAD_MEDIA),
    "an infinite sample": (audio(float_wav([0.1, float("inf")]), "audio/wav"), Reason.BAD_MEDIA),
    "no bytes of audio": (audio(b"", "audio/wav"), Reason.BAD_MEDIA),
    "a WAV without samples": (audio(encode_wav(b"", RATE), "audio/wav"), Reason.BAD_MEDIA),
    "an hour of FLAC": (audio(flac(3_600), "audio/flac"), Reason.TOO_LARGE),
    "WAV declared as FLAC": (audio(WAV, "audio/flac"), Reason.BAD_MEDIA),
    "audio of an unknown type": (audio(WAV, "video/mp4"), Reason.BAD_MEDIA),
    "audio without a type": (audio(WAV, ""), Reason.BAD_MEDIA),
    "text declared as WAV": (audio(b"not audio at all", "audio/wav"), Reason.BAD_MEDIA),
    "PCM without a rate": (audio(bytes(3_200), "audio/pcm", 0, 1), Reason.BAD_MEDIA),
    "PCM without channels": (audio(bytes(3_200), "audio/pcm", RATE, 0), Reason.BAD_MEDIA),
    "half a PCM frame": (audio(bytes(3_201), "audio/pcm", RATE, 1), Reason.BAD_MEDIA),
    "a cut WAV": (audio(WAV[:30], "audio/wav"), Reason.BAD_MEDIA),
    "an image bomb": (image(bomb()), Reason.TOO_LARGE),
    "an image of 0 x 0": (image(png_header(0, 0)), Reason.BAD_MEDIA),
    "a header with a wrong size": (image(png_header(100_000, 100_000)), Reason.TOO_LARGE),
    "no bytes of image": (image(b""), Reason.BAD_MEDIA),
    "PNG declared as JPEG": (image(encode_png(Pictures.new("RGB", (8, 8))), "image/jpeg"), Reason.BAD_MEDIA),
    "an SVG": (image(b"<svg/>", "image/svg+xml"), Reason.BAD_MEDIA),
    "a cut PNG": (image(encode_png(Pictures.effect_noise((64, 64), 9))[:500]), Reason.BAD_MEDIA),
}


@pytest.mark.parametrize("case", INVALID)
async def test_invalid_media_are_refused_and_the_server_continues(running: Start, case: str) -> None:
    part, reason = INVALID[case]
    adapter = Double()
    caller = (await running(adapter)).caller
    refusal = await caller.refusal(part)
    assert refusal.reason is reason, refusal
    assert adapter.batches == []
    assert (await caller.ask("still there?")).text == "still there?"


@pytest.fixture
async def listening(running: Start) -> tuple[Running, Double]:
    adapter = Double(input_sample_rate_hz=RATE, max_audio_seconds=2.0, max_image_pixels=10_000)
    return await running(adapter), adapter


async def test_the_audio_limit_holds_for_all_clips_together(listening: tuple[Running, Double]) -> None:
    served, _ = listening
    clip = audio(flac(1.5), "audio/flac")
    await served.caller.ask(clip)
    assert (await served.caller.refusal(clip, clip)).reason is Reason.TOO_LARGE


async def test_the_image_limit_holds_for_all_images_together(listening: tuple[Running, Double]) -> None:
    served, _ = listening
    picture = image(encode_png(Pictures.new("RGB", (90, 90))))
    await served.caller.ask(picture)
    assert (await served.caller.refusal(picture, picture)).reason is Reason.TOO_LARGE


async def test_audio_arrives_mono_and_at_the_cards_rate(listening: tuple[Running, Double]) -> None:
    served, adapter = listening
    time_s = np.arange(44_100) / 44_100
    tone = np.sin(2 * np.pi * 440 * time_s).astype(np.float32) / 2
    stereo = np.stack([tone, tone], axis=1).ravel()
    received = await served.caller.ask(audio(encode_pcm16(stereo), "audio/pcm", 44_100, 2), "transcribe")
    clip, instruction = adapter.batches[0][0].parts
    assert isinstance(clip, AudioClip)
    assert instruction == "transcribe"
    assert clip.sample_rate == RATE
    assert len(clip.samples) == RATE
    spectrum = np.abs(np.fft.rfft(clip.samples))
    assert np.argmax(spectrum) == 440
    assert received.complete.usage.input_audio_seconds == 1.0
    assert adapter.batches[0][0].condition.name == "s2t"


async def test_images_arrive_as_rgb_on_white(listening: tuple[Running, Double]) -> None:
    served, adapter = listening
    await served.caller.ask(image(encode_png(Pictures.new("RGBA", (9, 5), (255, 0, 0, 0)))))
    request = adapter.batches[0][0]
    picture = request.carrier
    assert isinstance(picture, Pictures.Image)
    assert (picture.mode, picture.size, picture.getpixel((0, 0))) == ("RGB", (9, 5), (255, 255, 255))
    assert request.condition.name == "i2t"


async def test_a_caller_that_leaves_during_decoding_cancels_its_request(
    listening: tuple[Running, Double], monkeypatch: pytest.MonkeyPatch
) -> None:
    served, adapter = listening
    decode, left = scheduler.decode_request, threading.Event()

    def held(*arguments: Any) -> Request:
        assert left.wait(PATIENCE_S)
        return decode(*arguments)

    monkeypatch.setattr(scheduler, "decode_request", held)
    call = served.caller.call(asking(audio(flac(1.9), "audio/flac")))
    await served.until(inflight=1)
    call.cancel()
    left.set()
    await served.until(inflight=0)
    assert len(adapter.batches) <= 1
