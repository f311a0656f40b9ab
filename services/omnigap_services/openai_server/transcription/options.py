"""What a user may set about the `openai-asr` service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator

from omnigap_services.audio import serving
from omnigap_services.openai_server.endpoint import EndpointOptions, check_address
from omnigap_services.options import OptionsError, read_options

SERVICE = "openai-asr"

# Written by the adapter, or able to lead the transcript to the answer: no option may set them.
RESERVED = frozenset({"model", "file", "language", "response_format", "temperature", "prompt", "stream", "keywords"})


class TranscriptionOptions(EndpointOptions):
    """Options of the `openai-asr` service, beside those of `EndpointOptions`.

    Attributes:
        language: where the request names none.
        languages: that the model hears, as BCP-47 tags; items in another one are refused, whatever their region is.
            Empty: any.
        send_language: whether the language is told to the server.
        response_format: `verbose_json` brings statistics; some models know `json` alone.
        extra_body: further form fields, part of the digest and shown to everyone: no place for a secret.
    """

    language: str = Field(default="en", min_length=2)
    languages: tuple[str, ...] = ()
    send_language: bool = True
    response_format: Literal["verbose_json", "json"] = "verbose_json"
    extra_body: dict[str, Any] = Field(default_factory=dict)

    @field_validator("extra_body")
    @classmethod
    def _own_fields_only(cls, body: dict[str, Any]) -> dict[str, Any]:
        if taken := RESERVED.intersection(body):
            raise ValueError(f"{', '.join(sorted(taken))} cannot be set: the scorer is told the language and no more")
        return body


def read_transcription_options(options: Mapping[str, object]) -> TranscriptionOptions:
    """The options, checked.

    Raises:
        OptionsError: for unknown keys, values that do not fit, and a default language that is not listed.
    """
    found = read_options(TranscriptionOptions, SERVICE, options)
    check_address(SERVICE, found)
    if found.languages and serving(found.language, found.languages) is None:
        raise OptionsError(
            f"service {SERVICE}: option language is {found.language!r}, which is not in languages"
            f" ({', '.join(found.languages)}): set it to one of them"
        )
    return found
