"""What a user may set about the `openai` service: which server, what it is asked, and what of it enters the digest."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from omnigap.vocabulary import CONDITIONS, Architecture, Condition
from omnigap_services.openai_server.presets import with_preset
from omnigap_services.options import Options, OptionsError, read_options

SERVICE = "openai"

# Fields of the body that the adapter writes by itself: no option and no request may overwrite them.
RESERVED = frozenset({"model", "messages", "modalities", "audio", "stream", "stream_options", "sampling_params_list"})

_ALL = tuple(condition.name for condition in CONDITIONS)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# How calls are made, not what they ask: these may change and the service stays the same.
_NOT_IN_THE_DIGEST = frozenset(
    {
        *("preset", "name", "architecture", "revision", "conditions", "assisted", "reasons"),
        *("base_url", "api_key_env", "concurrency", "max_queue", "max_retries", "stream"),
        *("timeout_s", "connect_timeout_s", "wait_s"),
    }
)


class OpenaiOptions(Options):
    """Options of the `openai` service.

    Attributes:
        preset: a shipped file of options that these stand on top of, key by key.
        base_url: root of the API, as `http://127.0.0.1:8091/v1`; not part of the digest, so that a server can move.
        model: the name that the server knows the model by.
        revision: of the weights that the server was started with; the server cannot be asked for it.
        launch: the command that the server was started with; it is part of the digest.
        api_key_env: name of the environment variable that holds the key; empty: the server needs none.
        name: in reports; empty: the preset's name, else the model's.
        conditions: those that the model answers natively.
        assisted: those that it answers with another model's help.
        reasons: by condition, why it is not native, or what else is to be known.
        output_sample_rate_hz: that answers go out at; one whose own header tells another rate is resampled.
        system_prompt: used where a request brings none.
        audio_part: how audio goes in, `audio_url` (a data URL) or `input_audio` (OpenAI's own).
        text_modalities, speech_modalities: `modalities` of the body where text, where speech is asked for.
        voice: it speaks with; empty: the server's default.
        voice_field: where the voice goes, `audio.voice` or the root field `speaker`.
        audio_format: that speech answers are asked for in.
        temperature, top_p, top_k, repetition_penalty, seed: defaults of decoding; left out: the server's.
        max_tokens: likewise.
        max_tokens_field: its name in the body; some APIs know only `max_completion_tokens`.
        sampling_params_list: one table a stage of vLLM-Omni's pipeline (thinker, talker, code2wav).
        extra_body: further root fields. They are part of the digest and shown to everyone: no place for a secret.
        omit: root fields that this server must not be sent, such as `modalities` or `seed`.
        stream: text answers come piece by piece; speech always comes whole.
        concurrency: calls at once.
        max_retries: further tries of one call after 408, 409, 429, 5xx and lost connections.
        timeout_s: silence of the server after which a try is given up.
        connect_timeout_s: until a connection must stand.
        wait_s: how long loading waits for the server to answer.
    """

    preset: str = ""
    base_url: str = "http://127.0.0.1:8091/v1"
    model: str = Field(min_length=1)
    revision: str = ""
    launch: str = ""
    api_key_env: str = ""
    name: str = ""
    architecture: Architecture | None = None
    conditions: tuple[str, ...] = _ALL
    assisted: tuple[str, ...] = ()
    reasons: dict[str, str] = Field(default_factory=dict)
    output_sample_rate_hz: int = Field(default=24_000, ge=4_000, le=192_000)
    system_prompt: str = ""
    audio_part: Literal["audio_url", "input_audio"] = "audio_url"
    text_modalities: tuple[str, ...] = ("text",)
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
    sampling_params_list: tuple[dict[str, Any], ...] = ()
    extra_body: dict[str, Any] = Field(default_factory=dict)
    omit: tuple[str, ...] = ()
    stream: bool = False
    concurrency: int = Field(default=4, ge=1, le=256)
    max_queue: int = Field(default=64, ge=0)
    max_retries: int = Field(default=2, ge=0, le=10)
    timeout_s: float = Field(default=600.0, gt=0)
    connect_timeout_s: float = Field(default=10.0, gt=0)
    wait_s: float = Field(default=30.0, ge=0)

    @field_validator("conditions", "assisted")
    @classmethod
    def _known_conditions(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            Condition.parse(name)
        return names

    @field_validator("extra_body")
    @classmethod
    def _own_fields_only(cls, body: dict[str, Any]) -> dict[str, Any]:
        if taken := RESERVED.intersection(body):
            raise ValueError(f"{', '.join(sorted(taken))} is written by the adapter: set the option of that name")
        return body

    @property
    def title(self) -> str:
        """The service's name in reports."""
        return self.name or self.preset or self.model

    def settings(self) -> dict[str, str]:
        """All that changes answers, as the card shows it; the host and the key are no part of it."""
        values = self.model_dump(mode="json", exclude=set(_NOT_IN_THE_DIGEST))
        return {
            key: value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
            for key, value in values.items()
        }


def read_openai_options(options: Mapping[str, object]) -> OpenaiOptions:
    """The options on top of their preset.

    Raises:
        OptionsError: for unknown keys, values that do not fit, an unknown preset, a `base_url` that holds a secret.
            No message repeats what might be a key.
    """
    found = read_options(OpenaiOptions, SERVICE, with_preset(options))
    address = urlsplit(found.base_url)
    if address.username or address.password or address.query:
        # Addresses are printed in errors and by the HTTP client.
        raise _wrong("base_url holds a user, a password or a query: give a key through api_key_env")
    if address.scheme not in ("http", "https") or not address.hostname:
        raise _wrong(f"base_url is {found.base_url!r}: write it as http://HOST:PORT/v1")
    if twice := set(found.conditions) & set(found.assisted):
        raise _wrong(f"{', '.join(sorted(twice))} stands in conditions and in assisted: keep one")
    if unknown := set(found.reasons) - set(_ALL):
        raise _wrong(f"reasons names {', '.join(sorted(unknown))}: its keys are {', '.join(_ALL)}")
    return found


def read_key(options: OpenaiOptions) -> str:
    """The key from the environment; empty where none is configured.

    Raises:
        OptionsError: where the variable is not there. What `api_key_env` says is not repeated: it may be a key.
    """
    if not options.api_key_env:
        return ""
    known = _VARIABLE.fullmatch(options.api_key_env) is not None
    key = os.environ.get(options.api_key_env, "").strip() if known else ""
    if not key:
        raise _wrong(
            "api_key_env is not the name of a variable in this service's environment: export the key under a name,"
            " as in OPENAI_API_KEY, and write that name"
        )
    return key


def _wrong(text: str) -> OptionsError:
    return OptionsError(f"service {SERVICE}: option {text}")
