"""The language model of a cascade: the interface that it must have, and one that is a service."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from omnigap.errors import ContractError
from omnigap.vocabulary import Modality, Reason
from omnigap_services.adapter import Card, Completion, Part, Request, Turn
from omnigap_services.cascade.client import PartClient, unreachable
from omnigap_services.cascade.messages import card_of, completion_of
from omnigap_services.cascade.tts import AudioOut, known_voice


@dataclass(frozen=True, slots=True)
class LlmAnswer:
    """An answer's own text, and how the answer ended."""

    text: str
    completion: Completion


class LanguageModel(Protocol):
    """Answers questions. All methods may be called from many threads."""

    @property
    def card(self) -> Card:
        """What it supports without other stages."""

    @property
    def part(self) -> Part | None:
        """Its entry among the cascade's parts; None if it runs in the cascade's own process."""

    @property
    def empty_input(self) -> str:
        """The question that it gets if recognition found no text in the carrier."""

    @property
    def knows_languages(self) -> bool:
        """Whether the request's language is passed on to it, and to ASR and TTS."""

    def answer_carrier(self, request: Request) -> LlmAnswer | None:
        """An answer that needs the carrier but not its words, not written to the turn yet; None for all else."""

    def answer(self, turn: Turn, question: Request, out: AudioOut) -> LlmAnswer:
        """Answers: writes the own text into the turn as it comes, and audio if `question.output` is speech.

        Raises:
            ContractError: if it cannot answer.
        """

    def close(self) -> None: ...


class RemoteLlm:
    """A model service. System prompt, decoding, typed instruction and language reach it unchanged."""

    # A request with an empty part would be refused. A real pipeline also answers when ASR returns an empty text.
    empty_input = "[inaudible]"
    knows_languages = True

    def __init__(self, client: PartClient) -> None:
        """Raises ContractError if the service's description cannot be read."""
        self._client = client
        self.part = client.part("llm")
        try:
            self.card = card_of(client.card)
        except ValueError as error:
            fault = ContractError(Reason.BAD_REQUEST, f"its Describe cannot be read: {error}")
            raise unreachable(client.place, fault) from error

    def answer_carrier(self, request: Request) -> LlmAnswer | None:
        return None

    def answer(self, turn: Turn, question: Request, out: AudioOut) -> LlmAnswer:
        spoken = question.output is Modality.SPEECH
        voice = known_voice(question.voice, self.card.voices) if spoken else None
        question = replace(question, voice=voice, words_per_minute=question.words_per_minute if spoken else None)
        answer = self._client.ask(
            question, lambda: turn.cancelled, on_text=turn.write, on_reasoning=turn.reason, on_audio=out.play
        )
        out.flush()
        return LlmAnswer(answer.own_text, completion_of(answer, "llm"))

    def close(self) -> None:
        self._client.close()
