"""What a user may set about the `openai-speech` service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from omnigap_services.openai_server.endpoint import HOW_CALLS_ARE_MADE, EndpointOptions, check_address
from omnigap_services.options import OptionsError, read_options

SERVICE = "openai-speech"

# Fields of the body that the adapter writes by itself: no option may overwrite them.
RESERVED = frozenset({"model", "input", "voice", "response_format", "speed", "stream", "stream_format"})


class SpeechOptions(EndpointOptions):
    """Options of the `openai-speech` service, beside those of `EndpointOptions`.

    Attributes:
        voices: names that the server knows; the first speaks where a request names none.
        language_voices: by language, who speaks where a request names no voice, as { ko = "jf_alpha" }.
        languages: that it speaks, as BCP-47 tags; items in another one are refused. Empty: any.
        audio_format: `wav`, whose header tells the rate, or `pcm`, 16 bits and mono, at `pcm_sample_rate_hz`.
        pcm_sample_rate_hz: of `pcm`, where the answer's Content-Type does not tell it.
        output_sample_rate_hz: that speech goes out at; one whose own rate differs is resampled.
        words_per_minute: what the voice speaks at speed 1; 0: not known, and requests for a rate are refused.
        speed: where a request brings no rate; left out: it is not sent.
        instructions: how to speak, for servers that take them.
        seed_field: root field that the seed goes into, for servers that take one; empty: it is not sent.
        seed: where a request brings none and there is a field for it.
        extra_body: further root fields, part of the digest and shown to everyone: no place for a secret.
        max_text_chars: of one question.
    """

    not_in_the_digest: ClassVar[frozenset[str]] = HOW_CALLS_ARE_MADE | {"max_text_chars"}

    voices: tuple[str, ...] = Field(default=("alloy",), min_length=1)
    language_voices: dict[str, str] = Field(default_factory=dict)
    languages: tuple[str, ...] = ()
    audio_format: Literal["wav", "pcm"] = "wav"
    pcm_sample_rate_hz: int = Field(default=24_000, ge=4_000, le=192_000)
    output_sample_rate_hz: int = Field(default=24_000, ge=4_000, le=192_000)
    words_per_minute: float = Field(default=0.0, ge=0, le=1_000)
    speed: float | None = Field(default=None, ge=0.25, le=4.0)
    instructions: str = ""
    seed_field: str = ""
    seed: int = Field(default=0, ge=0)
    extra_body: dict[str, Any] = Field(default_factory=dict)
    max_text_chars: int = Field(default=4_000, ge=1, le=100_000)

    @field_validator("extra_body")
    @classmethod
    def _own_fields_only(cls, body: dict[str, Any]) -> dict[str, Any]:
        if taken := RESERVED.intersection(body):
            raise ValueError(f"{', '.join(sorted(taken))} is written by the adapter: set the option of that name")
        return body


def read_speech_options(options: Mapping[str, object]) -> SpeechOptions:
    """The options, checked.

    Raises:
        OptionsError: for unknown keys, values that do not fit, and voices that are not listed.
    """
    found = read_options(SpeechOptions, SERVICE, options)
    check_address(SERVICE, found)
    if unknown := set(found.language_voices.values()) - set(found.voices):
        raise OptionsError(
            f"service {SERVICE}: option language_voices names {', '.join(sorted(unknown))}: list them in voices too"
        )
    return found
