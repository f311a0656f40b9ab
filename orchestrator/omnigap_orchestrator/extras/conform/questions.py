"""Valid sample questions for each condition, with generated audio and images."""

from __future__ import annotations

import functools
import uuid

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from omnigap.convert import modality_to_proto
from omnigap.media import encode_pcm16, encode_png, encode_wav
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Condition, Modality

# The sample rate that most ASR models use, so that services do not have to resample.
RATE = 16_000
_SECONDS = 1.0
_SYLLABLE_HZ = 4.0


def question(condition: Condition, variant: int = 0) -> pb.GenerateRequest:
    """A request of a condition, with a new id; each variant has different content."""
    return request_of(condition, carrier(condition.input, variant))


def request_of(condition: Condition, *parts: pb.InputPart) -> pb.GenerateRequest:
    """A request with these parts and a new id."""
    return pb.GenerateRequest(
        request_id=f"conform-{uuid.uuid4().hex}", parts=parts, output=modality_to_proto(condition.output)
    )


def carrier(modality: Modality, variant: int = 0) -> pb.InputPart:
    """The question as a part of one modality."""
    if modality is Modality.SPEECH:
        return audio_part(speech_like(variant))
    if modality is Modality.IMAGE:
        return image_part(picture(_words(variant)))
    return pb.InputPart(text=_words(variant))


def audio_part(data: bytes, mime_type: str = "audio/wav") -> pb.InputPart:
    return pb.InputPart(audio=pb.Audio(data=data, mime_type=mime_type))


def image_part(data: bytes, mime_type: str = "image/png") -> pb.InputPart:
    return pb.InputPart(image=pb.Image(data=data, mime_type=mime_type))


def _words(variant: int) -> str:
    return f"What is {variant + 2} plus three?"


@functools.lru_cache(maxsize=64)
def speech_like(variant: int) -> bytes:
    """A second of voice-like sound as a 16-bit WAV file: pitch with overtones and noise, modulated in syllables."""
    # Not silence or a plain tone: an ASR service may drop those with voice activity detection and answer nothing.
    time_s = np.arange(int(RATE * _SECONDS)) / RATE
    pitch = 110 + 3 * (variant % 40)
    voiced = sum(np.sin(2 * np.pi * pitch * overtone * time_s) / overtone for overtone in range(1, 12))
    noise = np.random.default_rng(variant).normal(0, 0.3, time_s.size)
    syllables = 0.5 - 0.5 * np.cos(2 * np.pi * _SYLLABLE_HZ * time_s)
    samples = 0.15 * syllables * (voiced + noise)
    return encode_wav(encode_pcm16(samples.astype(np.float32)), RATE)


@functools.lru_cache(maxsize=64)
def picture(words: str) -> bytes:
    """A line of black text on white, as a PNG file."""
    image = Image.new("RGB", (480, 80), "white")
    ImageDraw.Draw(image).text((20, 22), words, fill="black", font=ImageFont.load_default(28))
    return encode_png(image)
