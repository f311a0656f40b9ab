"""The roles that tensors play: which part of a request goes into which input, of an answer comes from which output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import model_validator

from omnigap_services.options import Options

CARRIERS = ("text", "audio", "image")
"""Input roles that bring the question."""

DECODING = ("max_tokens", "temperature", "top_p", "top_k", "repetition_penalty", "seed", "beam_size")
"""Input roles that say how to decode."""


class Roles(Options):
    """Tensor names by role; a role that is left empty has no tensor."""

    @model_validator(mode="before")
    @classmethod
    def _known_roles(cls, given: Any) -> Any:
        if isinstance(given, dict) and (unknown := sorted(set(given) - set(cls.model_fields))):
            raise ValueError(f"unknown role {', '.join(unknown)}: the roles are {', '.join(cls.model_fields)}")
        return given

    def named(self) -> Iterator[tuple[str, str]]:
        """Role and tensor of every role that has one."""
        return ((role, tensor) for role, tensor in self.model_dump().items() if tensor)


class Inputs(Roles):
    """Which input tensor takes which part of a request.

    Attributes:
        text: the question where it is typed; with no tensor for the instruction, that too.
        instruction: what is typed beside the carrier.
        audio: the question where it is spoken, mono.
        sample_rate, audio_length: its rate in Hz, and its number of samples.
        image: the question where it is drawn.
        output: the modality asked for: `text` or `speech` in BYTES; whether it is speech in BOOL or a number.
        decoding: all decoding that is set, as one JSON object with vLLM's names (`max_tokens`, `temperature`, ...).
    """

    text: str = ""
    instruction: str = ""
    system_prompt: str = ""
    audio: str = ""
    sample_rate: str = ""
    audio_length: str = ""
    image: str = ""
    language: str = ""
    voice: str = ""
    words_per_minute: str = ""
    output: str = ""
    decoding: str = ""
    max_tokens: str = ""
    temperature: str = ""
    top_p: str = ""
    top_k: str = ""
    repetition_penalty: str = ""
    seed: str = ""
    beam_size: str = ""


class Outputs(Roles):
    """Which output tensor brings which part of an answer.

    Attributes:
        sample_rate: of the audio, in Hz; without it the audio is at `output_sample_rate_hz`.
        finish_reason: BYTES; `length` and `max_tokens` say that the answer was cut off.
        language: that was heard.
    """

    text: str = ""
    reasoning: str = ""
    audio: str = ""
    sample_rate: str = ""
    finish_reason: str = ""
    language: str = ""
    input_tokens: str = ""
    output_tokens: str = ""
    audio_tokens: str = ""


DEFAULTABLE = tuple(role for role in Inputs.model_fields if role not in (*CARRIERS, "output", "decoding"))
"""Input roles whose value the options may give where a request has none."""
