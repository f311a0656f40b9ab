"""Options of the `hf-chat` service, and the decoding of one request: its own fields over the options' defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from pydantic import Field, field_validator

from omnigap.vocabulary import CONDITIONS, Architecture, Condition, Modality
from omnigap_services.adapter import DecodingOptions
from omnigap_services.torch_utils.decoding import Decoding, GenerationOptions, bad_request, decoding_of

SERVICE = "hf-chat"

TEXT_ANSWERS = tuple(condition.name for condition in CONDITIONS if condition.output is Modality.TEXT)

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class ChatOptions(GenerationOptions):
    """Options of the `hf-chat` service; extends `GenerationOptions`.

    Attributes:
        model: a checkpoint's folder, a GGUF file, or a hub name.
        revision: the full commit of a hub name.
        gguf_file: name of a GGUF file in the folder or hub repository, which is then the only file that is read; of a
            split one, any part. Not needed for a folder with one GGUF file and no other weights.
        name: in reports; empty: the model's.
        architecture: in reports; unset: none is declared.
        kind: the class that loads it; `auto` follows the checkpoint's config.
        conditions: those that it answers; unset: t2t, and s2t and i2t if its processor takes audio and images.
        reasons: by condition, a note for the reports.
        system_prompt: used if a request brings none.
        system_role: role of the system prompt; `auto` puts it before the question if the template has no such role.
        media_first: the audio or image comes before the typed text; otherwise the request's order is kept.
        chat_template: a Jinja file that replaces the checkpoint's template.
        template_arguments: further variables of the template, such as { enable_thinking = false }.
        adapters: LoRA folders inside the checkpoint, by input (text, speech, image); unset: the known ones of the
            model's type, such as Phi-4-multimodal's.
        think_open, think_close: marks around thinking, which is kept apart from the answer; empty: not split.
        batch_media: batch questions with audio or images; unset: images are batched, and audio for model types whose
            padding is known not to change answers. Text is always batched.
        max_batch_size: questions in one pass of the model.
        max_queue: requests that may wait.
        max_audio_seconds: longest clip of a question.
        max_image_pixels: largest image of a question.
    """

    model: str = Field(min_length=1)
    revision: str = ""
    gguf_file: str = ""
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
                raise ValueError(
                    f"{name} needs speech output, and this service answers in text: use {', '.join(TEXT_ANSWERS)}"
                )
        return names

    @field_validator("reasons")
    @classmethod
    def _known_conditions(cls, reasons: dict[str, str]) -> dict[str, str]:
        for name in reasons:
            Condition.parse(name)
        return reasons


@dataclass(frozen=True, slots=True)
class ChatDecoding(Decoding):
    """The decoding of one request, and whether the model is to think.

    Attributes:
        thinking: passed to the chat template; None leaves it to the template.
    """

    thinking: bool | None

    def template_arguments(self) -> Mapping[str, Any]:
        """Variables of the chat template; `enable_thinking` is the name that templates such as Qwen3's read."""
        return {} if self.thinking is None else {"enable_thinking": self.thinking}


def chat_decoding(requested: DecodingOptions, options: ChatOptions) -> ChatDecoding:
    """The decoding of one request.

    Raises:
        ContractError: BAD_REQUEST for an unknown extra field, and for sampling together with beam search.
    """
    found = decoding_of(requested, options, known_extra=("thinking",))
    return ChatDecoding(
        **{field.name: getattr(found, field.name) for field in fields(found)}, thinking=_thinking(requested.extra)
    )


def _thinking(extra: Mapping[str, str]) -> bool | None:
    if "thinking" not in extra:
        return None
    value = extra["thinking"].strip().lower()
    if value not in _BOOLEANS:
        raise bad_request(f"decoding.extra sets thinking to {extra['thinking']!r}: use true or false")
    return _BOOLEANS[value]
