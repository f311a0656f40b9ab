"""What a user may set about the `hf-chat` service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, field_validator

from omnigap.errors import ContractError
from omnigap.vocabulary import CONDITIONS, Architecture, Condition, Modality, Reason
from omnigap_services.adapter import DecodingOptions
from omnigap_services.torch_utils.checkpoint import CheckpointOptions

SERVICE = "hf-chat"

TEXT_ANSWERS = tuple(condition.name for condition in CONDITIONS if condition.output is Modality.TEXT)


class ChatOptions(CheckpointOptions):
    """Options of the `hf-chat` service, beside those of `CheckpointOptions`.

    Attributes:
        model: a checkpoint's folder, or its hub name.
        revision: for a hub name, the commit in full.
        name: in reports; empty: the model's.
        architecture: in reports; left out: none is declared.
        kind: the class that loads it; `auto` goes by the checkpoint's config.
        conditions: those it answers; left out: t2t, and s2t and i2t where its processor hears and sees.
        reasons: by condition, what else is to be known about it.
        system_prompt: used where a request brings none.
        system_role: where a system prompt goes; `auto` puts it before the question if the template knows no such role.
        media_first: the audio or image stands before the typed text; else in the request's order.
        chat_template: a Jinja file instead of the checkpoint's own template.
        template_arguments: further variables of the template, as { enable_thinking = false }.
        adapters: LoRA folders inside the checkpoint, by what they are for (text, speech, image); left out: those known
            of the model's type, as Phi-4-multimodal's.
        think_open, think_close: marks around thinking, which is kept apart from the answer; empty: none are sought.
        max_new_tokens, temperature, top_p, top_k, repetition_penalty, beam_size: defaults of decoding. Temperature 0
            is greedy; what the checkpoint's own generation config says about sampling is not used.
        batch_media: questions with audio or images go through the model together, as text always does; left out: images
            do, and audio where the model's type is known to hear nothing of the padding.
        max_batch_size: questions that go through the model at once.
        max_audio_seconds: of one question.
        max_image_pixels: likewise.
    """

    model: str = Field(min_length=1)
    revision: str = ""
    name: str = ""
    architecture: Architecture | None = None
    kind: Literal["auto", "causal", "image-text", "multimodal"] = "auto"
    conditions: tuple[str, ...] | None = None
    reasons: dict[str, str] = Field(default_factory=dict)
    system_prompt: str = ""
    system_role: Literal["auto", "system", "user"] = "auto"
    media_first: bool = True
    chat_template: str = ""
    template_arguments: dict[str, Any] = Field(default_factory=dict)
    adapters: dict[Literal["text", "speech", "image"], str] = Field(default_factory=dict)
    think_open: str = "<think>"
    think_close: str = "</think>"
    max_new_tokens: int = Field(default=256, ge=1, le=131_072)
    temperature: float = Field(default=0.0, ge=0, le=100)
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int = Field(default=0, ge=0)
    repetition_penalty: float = Field(default=1.0, gt=0, le=100)
    beam_size: int = Field(default=1, ge=1, le=64)
    batch_media: bool | None = None
    max_batch_size: int = Field(default=8, ge=1, le=1_024)
    max_queue: int = Field(default=64, ge=0)
    max_audio_seconds: float = Field(default=30.0, gt=0, le=3_600)
    max_image_pixels: int = Field(default=16_000_000, gt=0)

    @field_validator("conditions")
    @classmethod
    def _text_answers_only(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in names or ():
            if Condition.parse(name).output is not Modality.TEXT:
                raise ValueError(f"{name} asks for speech, and this service writes: one of {', '.join(TEXT_ANSWERS)}")
        return names

    @field_validator("reasons")
    @classmethod
    def _known_conditions(cls, reasons: dict[str, str]) -> dict[str, str]:
        for name in reasons:
            Condition.parse(name)
        return reasons


# How a request is decoded: its own fields on top of the options' defaults, as transformers' generate takes them.

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Decoding:
    """Everything that `generate` is told. Requests with the same one can go through the model together.

    Attributes:
        seed: None where nothing is drawn.
        thinking: asked of the template; None leaves it to the template.
    """

    max_new_tokens: int
    temperature: float
    top_p: float
    top_k: int
    repetition_penalty: float
    beam_size: int
    seed: int | None
    thinking: bool | None

    @property
    def samples(self) -> bool:
        """Whether tokens are drawn: then a request goes alone, so that its seed is its own."""
        return self.temperature > 0

    @property
    def streams(self) -> bool:
        """Whether every token is final once it is there; a beam may be given up."""
        return self.beam_size == 1

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of `generate`."""
        found: dict[str, Any] = {
            "max_new_tokens": self.max_new_tokens,
            "do_sample": self.samples,
            "num_beams": self.beam_size,
            "repetition_penalty": self.repetition_penalty,
        }
        if self.samples:
            found.update(temperature=self.temperature, top_p=self.top_p, top_k=self.top_k)
        return found

    def template_arguments(self) -> Mapping[str, Any]:
        """Variables of the chat template."""
        return {} if self.thinking is None else {"enable_thinking": self.thinking}


def decoding_of(asked: DecodingOptions, options: ChatOptions) -> Decoding:
    """The decoding of one request.

    Raises:
        ContractError: BAD_REQUEST for an extra field that this service does not know, and for sampled beams.
    """
    temperature = _first(asked.temperature, options.temperature)
    beams = _first(asked.beam_size, options.beam_size)
    if temperature > 0 and beams > 1:
        raise _bad(f"decoding asks for temperature {temperature:g} and beam_size {beams}: set one of them")
    return Decoding(
        max_new_tokens=_first(asked.max_new_tokens, options.max_new_tokens),
        temperature=temperature,
        top_p=_first(asked.top_p, options.top_p),
        top_k=_first(asked.top_k, options.top_k),
        repetition_penalty=_positive(_first(asked.repetition_penalty, options.repetition_penalty)),
        beam_size=beams,
        seed=(asked.seed or 0) if temperature > 0 else None,
        thinking=_thinking(asked.extra),
    )


def _thinking(extra: Mapping[str, str]) -> bool | None:
    if unknown := sorted(set(extra) - {"thinking"}):
        raise _bad(f"decoding.extra sets {', '.join(unknown)}: this service knows thinking (true or false) alone")
    if "thinking" not in extra:
        return None
    value = extra["thinking"].strip().lower()
    if value not in _BOOLEANS:
        raise _bad(f"decoding.extra sets thinking to {extra['thinking']!r}: true or false")
    return _BOOLEANS[value]


def _first(asked: Any, configured: Any) -> Any:
    return configured if asked is None else asked


def _positive(penalty: float) -> float:
    if penalty <= 0:
        raise _bad(f"decoding.repetition_penalty is {penalty:g}: over 0, and 1 for none")
    return penalty


def _bad(text: str) -> ContractError:
    return ContractError(Reason.BAD_REQUEST, text)
