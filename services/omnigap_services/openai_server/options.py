"""Options of the `openai` service, and its presets: shipped option files for known models and servers."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from omnigap.vocabulary import CONDITIONS, Architecture, Condition
from omnigap_services.openai_server.endpoint import CALL_OPTIONS, EndpointOptions, check_address
from omnigap_services.options import OptionsError, read_options

SERVICE = "openai"

RESERVED = frozenset({"model", "messages", "modalities", "audio", "stream", "stream_options", "sampling_params_list"})
"""Fields of the body that the adapter writes; neither options nor requests may overwrite them."""

_ALL = tuple(condition.name for condition in CONDITIONS)

# They do not change answers, or have their own place on the card.
_NOT_IN_DIGEST = frozenset({"preset", "architecture", "conditions", "assisted", "reasons", "stream"})


class OpenaiOptions(EndpointOptions):
    """Options of the `openai` service; extends `EndpointOptions`.

    Attributes:
        preset: a shipped file of options; the options here override it key by key.
        name: in reports; empty: the preset's, else the model's.
        conditions: those that the model answers natively.
        assisted: those that it answers with the help of another model.
        reasons: by condition, why it is not native, or another note.
        output_sample_rate_hz: of the answers' audio; audio with another rate in its header is resampled.
        system_prompt: used if a request brings none.
        join_text: parts that are all text are sent as one string, for servers that make a message of each part.
        audio_part: form of audio input: `audio_url` (a data URL) or `input_audio` (OpenAI's own).
        text_modalities, speech_modalities: `modalities` of the body for text and for speech answers.
        voice: of speech answers; empty: the server's default.
        voice_field: where the voice goes: `audio.voice`, or the root field `speaker`.
        audio_format: requested for speech answers.
        temperature, top_p, top_k, repetition_penalty, seed, max_tokens: decoding defaults; unset: the server's.
        max_tokens_field: its name in the body; some APIs know `max_completion_tokens` only.
        repetition_penalty_field: its name in the body.
        unsupported: decoding settings that the server ignores (top_k, repetition_penalty, seed); a request with one is
            refused, unless its value changes nothing.
        sampling_params_list: one table for each stage of vLLM-Omni's pipeline (thinker, talker, code2wav).
        extra_body: further root fields; part of the digest and shown to everyone, so no place for a secret.
        omit: root fields that this server must not be sent, such as `modalities`, `seed` or, if it serves one model
            only, `model`.
        stream: text answers are streamed; speech is always returned as a whole.
    """

    not_in_digest: ClassVar[frozenset[str]] = CALL_OPTIONS | _NOT_IN_DIGEST

    preset: str = ""
    architecture: Architecture | None = None
    conditions: tuple[str, ...] = _ALL
    assisted: tuple[str, ...] = ()
    reasons: dict[str, str] = Field(default_factory=dict)
    output_sample_rate_hz: int = Field(default=24_000, ge=4_000, le=192_000)
    system_prompt: str = ""
    join_text: bool = False
    audio_part: Literal["audio_url", "input_audio"] = "audio_url"
    text_modalities: tuple[str, ...] = ("text",)
    # Both: vLLM-Omni returns no text for ["audio"].
    speech_modalities: tuple[str, ...] = ("text", "audio")
    voice: str = ""
    voice_field: Literal["audio.voice", "speaker"] = "audio.voice"
    audio_format: Literal["wav", "flac"] = "wav"
    temperature: float | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, ge=0, le=1)
    top_k: int | None = None
    repetition_penalty: float | None = Field(default=None, gt=0)
    seed: int | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    repetition_penalty_field: Literal["repetition_penalty", "repeat_penalty"] = "repetition_penalty"
    unsupported: tuple[Literal["top_p", "top_k", "repetition_penalty", "seed"], ...] = ()
    sampling_params_list: tuple[dict[str, Any], ...] = ()
    extra_body: dict[str, Any] = Field(default_factory=dict)
    omit: tuple[str, ...] = ()
    stream: bool = False

    @field_validator("conditions", "assisted")
    @classmethod
    def _known_conditions(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            Condition.parse(name)
        return names

    @field_validator("omit")
    @classmethod
    def _required_fields_stay(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if "messages" in names:
            raise ValueError("messages is the question itself: remove it from omit")
        if "stream" in names:
            raise ValueError("stream is sent only if the option stream is true: set that to false instead")
        return names

    @field_validator("extra_body")
    @classmethod
    def _no_reserved_fields(cls, body: dict[str, Any]) -> dict[str, Any]:
        if taken := RESERVED.intersection(body):
            raise ValueError(f"{', '.join(sorted(taken))} is written by the adapter: set the option of that name")
        return body

    @property
    def title(self) -> str:
        """The service's name in reports."""
        return self.name or self.preset or self.model


def read_openai_options(options: Mapping[str, object]) -> OpenaiOptions:
    """The options, with those of their preset.

    Raises:
        OptionsError: unknown keys, invalid values, an unknown preset, or a secret in `base_url`; no message repeats
            what may be a key.
    """
    found = read_options(OpenaiOptions, SERVICE, apply_preset(options))
    check_address(SERVICE, found)
    if twice := set(found.conditions) & set(found.assisted):
        raise _wrong(f"{', '.join(sorted(twice))} is in conditions and in assisted: keep one")
    if unknown := set(found.reasons) - set(_ALL):
        raise _wrong(f"reasons names {', '.join(sorted(unknown))}: its keys are {', '.join(_ALL)}")
    return found


def preset_names() -> tuple[str, ...]:
    """Names of all shipped presets."""
    found = files(__package__).joinpath("presets").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in found if file.name.endswith(".toml")))


def apply_preset(options: Mapping[str, object]) -> dict[str, object]:
    """The options over those of their preset; a key replaces the preset's key as a whole, tables included.

    Raises:
        OptionsError: the preset is not shipped.
    """
    name = options.get("preset", "")
    if not name:
        return dict(options)
    if name not in preset_names():
        raise OptionsError(f"service {SERVICE}: option 'preset' is {name!r}: use one of {', '.join(preset_names())}")
    text = files(__package__).joinpath("presets", f"{name}.toml").read_text(encoding="utf-8")
    return {**tomllib.loads(text), **options}


def _wrong(text: str) -> OptionsError:
    return OptionsError(f"service {SERVICE}: option {text}")
