"""A voice whose every text sounds its own way, and ears that know what was said, and mishear what a test wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from served_doubles import RATE, Double, Serve, sound

from omnigap.errors import ContractError
from omnigap.media import AudioClip, encode_pcm16
from omnigap.vocabulary import Modality, Reason
from omnigap_services.adapter import Turn


@dataclass
class Parrots:
    """Voice, models and ears that share what was said.

    Attributes:
        misheard: text -> what the ears make of it; all else is heard as it was said.
        refused: texts that the ears cannot transcribe.
    """

    misheard: Mapping[str, str] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    said: dict[bytes, str] = field(default_factory=dict)

    def speak(self, turn: Turn, text: str) -> None:
        """Writes a text, and says it where speech is asked for; the same text in the same voice sounds the same."""
        turn.write(text)
        if turn.request.output is Modality.SPEECH:
            samples = sound(f"{text} {turn.request.voice} {turn.request.words_per_minute}")
            self.said[encode_pcm16(samples)] = text
            turn.speak(samples, RATE)

    def read_aloud(self, turn: Turn) -> None:
        self.speak(turn, " ".join(turn.request.texts))

    def hear(self, turn: Turn) -> None:
        text = self._understood(turn)
        if text in self.refused:
            raise ContractError(Reason.BAD_MEDIA, "this recording cannot be heard")
        turn.write(self.misheard.get(text, text))

    def answering(self, answer: Callable[[str], str]) -> Callable[[Turn], None]:
        """A model that answers each question; it understands speech, and no images."""

        def reply(turn: Turn) -> None:
            self.speak(turn, answer(self._understood(turn)))

        return reply

    def _understood(self, turn: Turn) -> str:
        carrier = turn.request.parts[0]
        if isinstance(carrier, str):
            return carrier
        assert isinstance(carrier, AudioClip)
        return self.said[encode_pcm16(carrier.samples)]

    async def places(self, host: Serve, answer: Callable[[str], str], **ears: object) -> dict[str, object]:
        """Served: the fields of a `Setting` for one model, one scorer and one voice."""
        model = await host(Double(self.answering(answer), name="speaker"))
        return {
            "models": {"speaker": [model]},
            "scorer": [await host(Double(self.hear, **{"name": "ears", **ears}))],
            "tts": [await host(Double(self.read_aloud, name="voice"))],
        }
