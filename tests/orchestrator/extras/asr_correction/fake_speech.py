"""TTS, model and ASR doubles: every text has its own waveform, which the ASR recognises, with errors set by a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from omnigap.errors import ContractError
from omnigap.media import AudioClip, encode_pcm16
from omnigap.vocabulary import Modality, Reason
from omnigap_services.adapter import Turn
from tests.helpers.running import Setting, item
from tests.helpers.served_doubles import RATE, Double, Serve, sound


@dataclass
class FakeSpeech:
    """Doubles that share the texts of all synthesised audio.

    Attributes:
        mistranscribed: text -> its transcript; all other texts are transcribed correctly.
        refused: texts that the ASR refuses to transcribe.
        texts: audio bytes -> text.
    """

    mistranscribed: Mapping[str, str] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    texts: dict[bytes, str] = field(default_factory=dict)

    def speak(self, turn: Turn, text: str) -> None:
        """Writes a text, and its audio if speech is requested; text and voice determine the audio."""
        turn.write(text)
        if turn.request.output is Modality.SPEECH:
            samples = sound(f"{text} {turn.request.voice} {turn.request.words_per_minute}")
            self.texts[encode_pcm16(samples)] = text
            turn.speak(samples, RATE)

    def synthesise(self, turn: Turn) -> None:
        self.speak(turn, " ".join(turn.request.texts))

    def transcribe(self, turn: Turn) -> None:
        text = self._text_of(turn)
        if text in self.refused:
            raise ContractError(Reason.BAD_MEDIA, "this recording cannot be transcribed")
        turn.write(self.mistranscribed.get(text, text))

    def answering(self, answer: Callable[[str], str]) -> Callable[[Turn], None]:
        """A model that answers text and speech questions."""

        def reply(turn: Turn) -> None:
            self.speak(turn, answer(self._text_of(turn)))

        return reply

    def _text_of(self, turn: Turn) -> str:
        carrier = turn.request.parts[0]
        if isinstance(carrier, str):
            return carrier
        assert isinstance(carrier, AudioClip)
        return self.texts[encode_pcm16(carrier.samples)]

    async def endpoints(self, host: Serve, answer: Callable[[str], str], **scorer: object) -> dict[str, object]:
        """Serves one model, one scorer and one TTS service; returns their fields of a `Setting`."""
        model = await host(Double(self.answering(answer), name="speaker"))
        return {
            "models": {"speaker": [model]},
            "scorer": [await host(Double(self.transcribe, **{"name": "ASR", **scorer}))],
            "tts": [await host(Double(self.synthesise, name="tts"))],
        }


CITIES = ("Paris", "Lisbon", "London", "Oslo", "Berlin", "Madrid")
ITEMS = tuple(item(f"q{n}", question=f"What is city {n}?", answers=[city]) for n, city in enumerate(CITIES))
TEXT_IN = {"run": {"conditions": ["t2t", "t2s"]}}


def right(question: str) -> str:
    return CITIES[int(question.rstrip("?").split()[-1])]


async def a_setting(speech: FakeSpeech, host: Serve, root: Path, **fields: object) -> Setting:
    endpoints = await speech.endpoints(host, right)
    return Setting(root, **{"items": ITEMS, "tables": TEXT_IN, **endpoints, **fields})  # type: ignore[arg-type]
