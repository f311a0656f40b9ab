"""A cascade whose LLM, ASR, OCR and TTS are test doubles, each served on its own socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from omnigap.media import AudioClip
from omnigap.media.audio import Samples
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Architecture, Condition, Modality
from omnigap_services.adapter import NATIVE, Capability, Completion, Turn
from omnigap_services.cascade.adapter import CascadeAdapter
from tests.helpers.serve_process import Part, Reply, Served
from tests.helpers.served_doubles import RATE, Double, Serve

TRANSCRIPT, OCR_TEXT, ANSWER = "what is the capital of france", "What is the capital of Spain?", "It is Paris."
CLIP = AudioClip((0.3 * np.sin(np.arange(RATE) / 9)).astype(np.float32), RATE)
PICTURE = Image.linear_gradient("L").convert("RGB")


def able(*names: str) -> dict[Condition, Capability]:
    return {Condition.parse(name): NATIVE for name in names}


def tone(rate: int = RATE) -> Samples:
    return (0.3 * np.sin(np.arange(rate // 4) / 7)).astype(np.float32)


def writes(text: str, **completion: object) -> Callable[[Turn], None]:
    """Answers with a text, and with a tone if speech is requested."""

    def answer(turn: Turn) -> None:
        turn.write(text)
        if turn.request.output is Modality.SPEECH:
            turn.speak(tone(), RATE)
        turn.complete(Completion(**completion))  # type: ignore[arg-type]

    return answer


def an_llm(*conditions: str, answer: Callable[[Turn], None] | None = None, **card: object) -> Double:
    """An LLM that declares these conditions and the architecture native_omni."""
    fields = {"name": "mind", "architecture": Architecture.NATIVE_OMNI, "languages": ("en", "ko"), **card}
    return Double(answer or writes(ANSWER), conditions=able(*conditions), **fields)


@dataclass
class Parts:
    """The stages of a cascade; None leaves one to the cascade's default."""

    asr: Double | None = field(
        default_factory=lambda: Double(
            writes(TRANSCRIPT, diagnostics={"avg_logprob": -0.5}, detected_language="en"),
            name="asr",
            conditions=able("s2t"),
            weights_revision="asr-1",
        )
    )
    ocr: Double | None = field(
        default_factory=lambda: Double(writes(OCR_TEXT, diagnostics={"lines": 1.0}), name="ocr", conditions=able("i2t"))
    )
    tts: Double | None = field(
        default_factory=lambda: Double(
            writes("ignored", diagnostics={"rtf": 0.1}), name="voice", conditions=able("t2s")
        )
    )


@dataclass
class Composed:
    """A running cascade and the doubles that it is composed of."""

    llm: Double
    parts: Parts
    served: Served

    async def ask(self, *parts: Part, output: Modality = Modality.TEXT, **fields: object) -> Reply:
        return await asyncio.to_thread(self.served.ask, *parts, output=output, **fields)

    async def card(self) -> pb.DescribeResponse:
        return await asyncio.to_thread(self.served.describe)

    async def support(self) -> dict[str, tuple[str, str]]:
        """Support and reason of each condition by its name."""
        return {
            Condition(_modality(c.input), _modality(c.output)).name: (_word(pb.Support.Name(c.support)), c.reason)
            for c in (await self.card()).conditions
        }


async def compose(host: Serve, llm: Double, parts: Parts | None = None, **options: object) -> Composed:
    """Starts the parts and a cascade of them; the requests of the warm-up are removed from the records."""
    parts = parts or Parts()
    places = {"llm": await host(llm)}
    for name, double in (("asr", parts.asr), ("ocr", parts.ocr), ("tts", parts.tts)):
        if double is not None:
            places[name] = await host(double)
    address = await host(CascadeAdapter({**places, "wait_s": 20, **options}))
    for double in (llm, parts.asr, parts.ocr, parts.tts):
        if double is not None:
            double.asked.clear()
    return Composed(llm, parts, Served(address, process=None))  # type: ignore[arg-type]


def _modality(value: pb.Modality.ValueType) -> Modality:
    return Modality[_word(pb.Modality.Name(value)).upper()]


def _word(name: str) -> str:
    return name.split("_", 1)[1].lower()
