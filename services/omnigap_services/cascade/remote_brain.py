"""A brain that is a service of its own: any model behind the Generate contract, asked in what it declares."""

from __future__ import annotations

from dataclasses import replace

from omnigap.convert import architecture_from_proto, condition_from_proto, support_from_proto
from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_services.adapter import Capability, Card, Request, Turn, Voice
from omnigap_services.cascade.loudspeaker import Loudspeaker
from omnigap_services.cascade.part_client import PartClient
from omnigap_services.cascade.part_fault import absent
from omnigap_services.cascade.part_message import completion_of
from omnigap_services.cascade.sensing import prefixed
from omnigap_services.cascade.speaking import known_voice
from omnigap_services.cascade.thinking import Thought

THOUGHT = "brain"
"""Prefix of the brain's diagnostics."""


class RemoteBrain:
    """A model at an address. System prompt, decoding, typed instruction and language reach it as they were sent."""

    # An empty part is no request, and a pipeline that hears nothing still answers.
    nothing = "[inaudible]"
    knows_languages = True

    def __init__(self, client: PartClient) -> None:
        """Raises ContractError where its card makes no sense."""
        self._client = client
        self.part = client.part("brain")
        try:
            self.card = card_of(client.card)
        except ValueError as error:
            fault = ContractError(Reason.BAD_REQUEST, f"its Describe cannot be read: {error}")
            raise absent(client.place, fault) from error

    def glance(self, request: Request) -> Thought | None:
        return None

    def think(self, turn: Turn, question: Request, out: Loudspeaker) -> Thought:
        spoken = question.output is Modality.SPEECH
        voice = known_voice(question.voice, self.card.voices) if spoken else None
        question = replace(question, voice=voice, words_per_minute=question.words_per_minute if spoken else None)
        answer = self._client.ask(
            question, lambda: turn.cancelled, on_text=turn.write, on_reasoning=turn.reason, on_audio=out.play
        )
        out.end()
        done = completion_of(answer)
        return Thought(answer.own_text, replace(done, diagnostics=prefixed(THOUGHT, done.diagnostics)))

    def close(self) -> None:
        self._client.close()


def card_of(description: pb.DescribeResponse) -> Card:
    """A service's card as it is told over the wire; limits that it does not declare are those of a card.

    Raises:
        ValueError: for a condition or a support that is not set.
    """
    limits = description.limits
    blank = Card(name=description.name, conditions={})
    return replace(
        blank,
        conditions={
            condition_from_proto(found): Capability(support_from_proto(found.support), found.reason)
            for found in description.conditions
        },
        architecture=architecture_from_proto(description.architecture),
        weights_revision=description.weights_revision,
        voices=tuple(Voice(voice.name, voice.language) for voice in description.voices),
        languages=tuple(description.languages),
        max_concurrent=max(1, description.max_concurrent),
        input_sample_rate_hz=limits.input_sample_rate_hz or blank.input_sample_rate_hz,
        output_sample_rate_hz=description.output_sample_rate_hz,
        max_audio_seconds=limits.max_audio_seconds or blank.max_audio_seconds,
        max_image_pixels=limits.max_image_pixels or blank.max_image_pixels,
        max_text_chars=limits.max_text_chars or blank.max_text_chars,
    )
