"""A cascade whose brain, ears, reader and voice are served doubles, each on a socket of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image
from served import Part, Reply, Served
from served_doubles import RATE, Double, Serve

from omnigap.media import AudioClip
from omnigap.media.audio import Samples
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Architecture, Condition, Modality
from omnigap_services.adapter import NATIVE, Capability, Completion, Turn
from omnigap_services.cascade.adapter import CascadeAdapter

HEARD, READ, SAID = "what is the capital of france", "What is the capital of Spain?", "It is Paris."
CLIP = AudioClip((0.3 * np.sin(np.arange(RATE) / 9)).astype(np.float32), RATE)
PICTURE = Image.linear_gradient("L").convert("RGB")


def able(*names: str) -> dict[Condition, Capability]:
    return {Condition.parse(name): NATIVE for name in names}


def tone(rate: int = RATE) -> Samples:
    return (0.3 * np.sin(np.arange(rate // 4) / 7)).astype(np.float32)


def writes(text: str, **completion: object) -> Callable[[Turn], None]:
    """An answer; spoken in a tone where speech is asked for."""

    def answer(turn: Turn) -> None:
        turn.write(text)
        if turn.request.output is Modality.SPEECH:
            turn.speak(tone(), RATE)
        turn.complete(Completion(**completion))  # type: ignore[arg-type]

    return answer


def a_brain(*conditions: str, answer: Callable[[Turn], None] | None = None, **card: object) -> Double:
    """A brain that declares these conditions, and is an omni model by its own account."""
    fields = {"name": "mind", "architecture": Architecture.NATIVE_OMNI, "languages": ("en", "ko"), **card}
    return Double(answer or writes(SAID), conditions=able(*conditions), **fields)


@dataclass
class Parts:
    """Helpers of a cascade; what is None is left to the cascade's own default."""

    ears: Double | None = field(
        default_factory=lambda: Double(
            writes(HEARD, diagnostics={"avg_logprob": -0.5}, detected_language="en"),
            name="ears",
            conditions=able("s2t"),
            weights_revision="ears-1",
        )
    )
    reader: Double | None = field(
        default_factory=lambda: Double(writes(READ, diagnostics={"lines": 1.0}), name="reader", conditions=able("i2t"))
    )
    voice: Double | None = field(
        default_factory=lambda: Double(
            writes("ignored", diagnostics={"rtf": 0.1}), name="voice", conditions=able("t2s")
        )
    )


@dataclass
class Composed:
    """A running cascade and the doubles that it is made of."""

    brain: Double
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


async def compose(host: Serve, brain: Double, parts: Parts | None = None, **options: object) -> Composed:
    """Starts the parts and a cascade of them; what the parts were asked at its start is forgotten."""
    parts = parts or Parts()
    places = {"brain": await host(brain)}
    for name, double in (("ears", parts.ears), ("reader", parts.reader), ("tts", parts.voice)):
        if double is not None:
            places[name] = await host(double)
    address = await host(CascadeAdapter({**places, "wait_s": 20, **options}))
    for double in (brain, parts.ears, parts.reader, parts.voice):
        if double is not None:
            double.asked.clear()
    return Composed(brain, parts, Served(address, process=None))  # type: ignore[arg-type]


def _modality(value: pb.Modality.ValueType) -> Modality:
    return Modality[_word(pb.Modality.Name(value)).upper()]


def _word(name: str) -> str:
    return name.split("_", 1)[1].lower()
