"""A run with simulated TTS, ASR and OCR services, which identify a carrier by its samples or pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from omnigap.media import AudioClip, decode_image, encode_pcm16
from omnigap.media.image import PNG
from omnigap.vocabulary import Condition, Modality
from omnigap_orchestrator.carriers import ImageStyle, render_text
from omnigap_orchestrator.items import load_items
from omnigap_services.adapter import NATIVE, Turn
from tests.helpers.running import Row, Setting, item
from tests.helpers.served_doubles import RATE, Double, Serve, say, sound

PLACES = ("France", "Spain", "Peru", "Chad", "Oman", "Cuba", "Mali", "Iran")


@dataclass
class Readers:
    """Simulated ASR and OCR that read every carrier right, except where a test sets another text.

    Attributes:
        spoiled: expected text -> text that is read instead.
    """

    texts: dict[str, str] = field(default_factory=dict)
    spoiled: dict[Modality, dict[str, str]] = field(default_factory=lambda: {Modality.SPEECH: {}, Modality.IMAGE: {}})

    def speak(self, turn: Turn) -> None:
        text = " ".join(turn.request.texts)
        samples = sound(f"{text} {turn.request.voice} {turn.request.words_per_minute}")
        self.texts[hashlib.sha256(encode_pcm16(samples)).hexdigest()] = text
        turn.write(text)
        turn.speak(samples, RATE)

    def draw(self, text: str, style: ImageStyle) -> None:
        pixels = decode_image(render_text(text, style), PNG)
        self.texts[hashlib.sha256(pixels.tobytes()).hexdigest()] = text

    def read(self, turn: Turn) -> None:
        carrier = turn.request.carrier
        if isinstance(carrier, str):
            turn.write(carrier)
            return
        spoken = isinstance(carrier, AudioClip)
        data = encode_pcm16(carrier.samples) if isinstance(carrier, AudioClip) else carrier.tobytes()
        text = self.texts.get(hashlib.sha256(data).hexdigest(), "Paris")
        turn.write(self.spoiled[Modality.SPEECH if spoken else Modality.IMAGE].get(text, text))


@dataclass
class Verifiable:
    """A complete run, with the services that read it back."""

    setting: Setting
    readers: Readers
    model: Double
    asr: Double
    ocr: Double


Make = Callable[..., Awaitable[Verifiable]]


def maker(tmp_path: Path, host: Serve) -> Make:
    """A function that makes the run: eight questions, and the items, styles and tables that a test adds."""

    async def make(
        *more: Row, styles: tuple[ImageStyle, ...] = (ImageStyle(),), tables: Mapping[str, object] | None = None
    ) -> Verifiable:
        readers = Readers()
        rows = [*(item(place.lower(), question=f"What is the capital of {place}?") for place in PLACES), *more]
        speech_to_text = {Condition(Modality.SPEECH, Modality.TEXT): NATIVE}
        image_to_text = {Condition(Modality.IMAGE, Modality.TEXT): NATIVE}
        model, tts = Double(lambda turn: say(turn, "Paris")), Double(readers.speak)
        asr = Double(readers.read, name="test-asr", conditions=speech_to_text, languages=("en",))
        ocr = Double(readers.read, name="test-ocr", conditions=image_to_text, languages=("en",))
        setting = Setting(
            tmp_path,
            {"omni": [await host(model)]},
            [await host(asr)],
            [await host(tts)],
            rows,
            {"ocr": {"endpoints": [await host(ocr)]}, **(tables or {})},
        )
        setting.write()
        for loaded in load_items(str(tmp_path / "items.jsonl")):
            for style in styles:
                readers.draw(loaded.typed, style)
        await setting.drive()
        return Verifiable(setting, readers, model, asr, ocr)

    return make
