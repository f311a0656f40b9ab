"""The service under check, and requests that a service of any condition can answer."""

from __future__ import annotations

import asyncio
import functools
import time
import uuid
from types import TracebackType

import grpc
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from omnigap.client import UNREADABLE_CARD, GenerateClient
from omnigap.convert import condition_from_proto, modality_to_proto
from omnigap.limits import MAX_CONCURRENT
from omnigap.media import encode_pcm16, encode_png, encode_wav
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import CONDITIONS, Condition, Modality, Reason
from omnigap_orchestrator.extras.conform.reply import Fault, Reply, fault_of, gather

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


_ABLE = (pb.SUPPORT_NATIVE, pb.SUPPORT_ASSISTED)


class ServiceUnderTest:
    """A service at an address. Its faults are returned as values, not raised: the checks judge them."""

    def __init__(self, address: str, timeout_s: float, proxy: str = "") -> None:
        """`timeout_s`: time limit of one call; `proxy`: URL of an HTTP proxy to the service."""
        self.address = address
        self.timeout_s = timeout_s
        self.card = pb.DescribeResponse()
        self.client = GenerateClient(address, proxy)
        self._samples: dict[Condition, Reply] = {}

    async def __aenter__(self) -> ServiceUnderTest:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.close()

    @property
    def declared(self) -> tuple[Condition, ...]:
        """Conditions that are declared native or assisted, text answers first; invalid entries are ignored."""
        found = set()
        for capability in self.card.conditions:
            try:
                condition = condition_from_proto(capability)
            except ValueError:
                continue
            if capability.support in _ABLE:
                found.add(condition)
        return tuple(condition for condition in CONDITIONS if condition in found)

    def taking(self, modality: Modality) -> Condition | None:
        """The first declared condition with this input."""
        return next((condition for condition in self.declared if condition.input is modality), None)

    @property
    def concurrent(self) -> int:
        """Declared number of concurrent calls, up to the bound of the contract; 1 if none is declared."""
        return min(MAX_CONCURRENT, max(1, self.card.max_concurrent))

    async def describe(self) -> pb.DescribeResponse | Fault:
        try:
            card: pb.DescribeResponse = await self.client.call_describe(self.timeout_s)
        except grpc.RpcError as error:
            return fault_of(error)
        if card is UNREADABLE_CARD:
            return Fault(grpc.StatusCode.INTERNAL, "the answer's bytes are no DescribeResponse")
        return card

    async def health(self, service: str = "") -> str:
        """`SERVING`, another status of grpc.health.v1, or the gRPC status of the error."""
        return await self.client.health(service, self.timeout_s)

    def call(
        self, request: pb.GenerateRequest, timeout_s: float | None = None
    ) -> grpc.aio.UnaryStreamCall[pb.GenerateRequest, pb.GenerateResponse]:
        """Starts a Generate call."""
        return self.client.call(request, timeout_s or self.timeout_s)

    async def generate(self, request: pb.GenerateRequest, timeout_s: float | None = None) -> Reply:
        """Sends a request and collects the complete stream."""
        return await gather(self.call(request, timeout_s))

    # Several checks judge the same answers; asking again would multiply the time of a slow model.
    async def sample(self, condition: Condition) -> Reply:
        """The answer to the sample question of a condition; sent once and cached."""
        if condition not in self._samples:
            self._samples[condition] = await self.generate(question(condition))
        return self._samples[condition]

    async def samples(self) -> dict[Condition, Reply]:
        """The sample answers of all declared conditions."""
        return {condition: await self.sample(condition) for condition in self.declared}

    async def answered_samples(self) -> dict[Condition, Reply]:
        """The complete sample answers."""
        return {condition: reply for condition, reply in (await self.samples()).items() if reply.complete_stream}

    async def working(self) -> Condition | None:
        """The first declared condition with a complete sample answer; further checks use it."""
        for condition in self.declared:
            if (await self.sample(condition)).complete_stream:
                return condition
        return None

    async def answer_when_idle(self, condition: Condition) -> Reply:
        """An answer; a service that is still BUSY with earlier calls is asked again for the time limit of a call."""
        # Abandoned calls may hold their slots until the step of the model that runs ends, as long as an answer takes.
        end = time.monotonic() + self.timeout_s
        number = 0
        while True:
            number += 1
            # A fresh question each time, so that no answer is replayed.
            reply = await self.generate(question(condition, 1000 + number))
            if reply.fault is None or not reply.fault.has(Reason.BUSY) or time.monotonic() > end:
                return reply
            # Long enough not to add to the load, short compared with a model's answer.
            await asyncio.sleep(0.2)
