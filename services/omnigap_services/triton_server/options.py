"""Options of the `triton` service: the model, the roles of its tensors, and how it is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from omnigap.channel import check_proxy, proxy_for
from omnigap.vocabulary import CONDITIONS, Architecture, Condition
from omnigap_services.options import Options, OptionsError, read_options

SERVICE = "triton"

Scalar = bool | int | float | str
"""A value of one tensor element."""

CARRIERS = ("text", "audio", "image")
"""Input roles for the question."""

DECODING = ("max_tokens", "temperature", "top_p", "top_k", "repetition_penalty", "seed", "beam_size")
"""Input roles for decoding fields."""


class Roles(Options):
    """Tensor names by role; an empty role has no tensor."""

    @model_validator(mode="before")
    @classmethod
    def _known_roles(cls, given: Any) -> Any:
        if isinstance(given, dict) and (unknown := sorted(set(given) - set(cls.model_fields))):
            raise ValueError(f"unknown role {', '.join(unknown)}: the roles are {', '.join(cls.model_fields)}")
        return given

    def named(self) -> Iterator[tuple[str, str]]:
        """Role and tensor name of every role that has one."""
        return ((role, tensor) for role, tensor in self.model_dump().items() if tensor)


class Inputs(Roles):
    """Input tensors by the part of a request that they take.

    Attributes:
        text: a typed question; also the instruction, if that has no tensor.
        instruction: the typed instruction.
        audio: a spoken question, mono.
        sample_rate, audio_length: its rate in Hz, its number of samples.
        image: a question as an image.
        output: the requested modality: `text` or `speech` for BYTES; 1 for speech for BOOL or a number.
        decoding: all decoding fields as one JSON object with vLLM's names (`max_tokens`, `temperature`, ...).
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
    """Output tensors by the part of an answer that they hold.

    Attributes:
        sample_rate: of the audio, in Hz; without it the audio is at `output_sample_rate_hz`.
        finish_reason: BYTES; `length` and `max_tokens` mean a truncated answer.
        language: the detected language.
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
"""Input roles that may have a default."""


# What a user may set about the `triton` service: which model, its tensors, how it is called, what is digested.

_ALL = tuple(condition.name for condition in CONDITIONS)

# They do not change answers, or have their own place on the card (revision, model version).
_NOT_IN_DIGEST = frozenset(
    {
        *("url", "ssl", "root_certificates", "client_key", "client_certificate"),
        *("name", "architecture", "revision", "conditions", "assisted", "reasons"),
        *("concurrency", "max_queue", "max_retries", "timeout_s", "wait_s", "proxy", "model_version"),
    }
)


class TritonOptions(Options):
    """Options of the `triton` service.

    Attributes:
        url: HOST:PORT of the server's gRPC endpoint; not in the digest, so that a server can move.
        model: the model's name on the server.
        model_version: empty: the newest that is ready when the service starts, and only that one from then on.
        revision: of the weights; the server cannot be asked for it.
        launch: the command that the server was started with; part of the digest.
        name: in reports; empty: the model's.
        conditions: those that the model answers natively; unset: all whose tensors are mapped.
        assisted: those that it answers with the help of another model.
        reasons: by condition, why it is not native, or another note.
        inputs, outputs: names of the model's tensors by role.
        diagnostics: numeric output tensors, by the name of the diagnostic.
        constants: input tensors with the same value in every request.
        defaults: by role of `inputs`, the value if a request has none.
        input_sample_rate_hz: of the audio that the model gets.
        output_sample_rate_hz: of the service's audio; audio with another rate in its tensor is resampled.
        max_audio_seconds: longest clip of a question.
        audio_in, audio_out: how a BYTES tensor holds audio. Numeric tensors hold samples.
        image_in: how a BYTES tensor holds an image. Numeric tensors hold RGB pixels.
        image_white: value of white in floating-point pixels.
        absent: content of a required tensor of samples or pixels if a request has none: nothing (`empty`), or a single
            `zero` for servers that refuse tensors without elements, such as pytriton's.
        text_separator: between the question and the instruction if one tensor takes both.
        text_out: texts of a decoupled model are `pieces`, or each is the whole text `so_far`.
        reads_aloud: the model speaks the text that it is given, so this is its own text.
        ignore: roles that a request may set although no tensor takes them.
        ssl, root_certificates, client_key, client_certificate: TLS to the server, with PEM files.
        concurrency: simultaneous calls.
        max_queue: requests that may wait.
        max_retries: further attempts of one call while the server is unavailable or its queue is full.
        timeout_s: silence of the server after which a call fails.
        wait_s: how long loading waits for the server and the model.
        proxy: `http://HOST:PORT` of an HTTP proxy, not used for a server on loopback; empty: none.
    """

    url: str = Field(default="127.0.0.1:8001", min_length=1)
    model: str = Field(min_length=1)
    model_version: str = Field(default="", pattern=r"^\d*$", coerce_numbers_to_str=True)
    revision: str = ""
    launch: str = ""
    name: str = ""
    architecture: Architecture | None = None
    conditions: tuple[str, ...] | None = None
    assisted: tuple[str, ...] = ()
    reasons: dict[str, str] = Field(default_factory=dict)
    inputs: Inputs = Inputs()
    outputs: Outputs = Outputs()
    diagnostics: dict[str, str] = Field(default_factory=dict)
    constants: dict[str, Scalar] = Field(default_factory=dict)
    defaults: dict[str, Scalar] = Field(default_factory=dict)
    input_sample_rate_hz: int = Field(default=16_000, ge=4_000, le=192_000)
    output_sample_rate_hz: int = Field(default=24_000, ge=4_000, le=192_000)
    max_audio_seconds: float = Field(default=120.0, gt=0)
    audio_in: Literal["wav", "wav_base64", "pcm16"] = "wav"
    audio_out: Literal["wav", "wav_base64", "pcm16"] = "wav"
    image_in: Literal["png", "png_base64"] = "png"
    image_white: float = Field(default=1.0, gt=0)
    absent: Literal["empty", "zero"] = "empty"
    text_separator: str = "\n"
    text_out: Literal["pieces", "so_far"] = "pieces"
    reads_aloud: bool = False
    # Every question of a run has a seed and a language, also for models that take neither.
    ignore: tuple[str, ...] = ("seed", "language")
    ssl: bool = False
    root_certificates: Path | None = None
    client_key: Path | None = None
    client_certificate: Path | None = None
    concurrency: int = Field(default=4, ge=1, le=256)
    max_queue: int = Field(default=64, ge=0)
    max_retries: int = Field(default=2, ge=0, le=10)
    timeout_s: float = Field(default=600.0, gt=0)
    wait_s: float = Field(default=30.0, ge=0)
    proxy: Annotated[str, AfterValidator(check_proxy)] = ""

    @field_validator("conditions", "assisted")
    @classmethod
    def _known_conditions(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in names or ():
            Condition.parse(name)
        return names

    @field_validator("defaults", "ignore")
    @classmethod
    def _known_roles(cls, roles: Any) -> Any:
        if unknown := sorted(set(roles) - set(DEFAULTABLE)):
            raise ValueError(f"{', '.join(unknown)} is not one of {', '.join(DEFAULTABLE)}")
        return roles

    @property
    def title(self) -> str:
        """The service's name in reports."""
        return self.name or self.model

    @property
    def where(self) -> str:
        """The server's address for messages, with the proxy if one is used."""
        proxy = proxy_for(self.url, self.proxy)
        return f"{self.url} through the proxy {proxy}" if proxy else self.url

    def settings(self) -> dict[str, str]:
        """Everything that changes answers, as shown on the card; without the address."""
        return self.shown_without(_NOT_IN_DIGEST)


def read_triton_options(options: Mapping[str, object]) -> TritonOptions:
    """The options, checked as far as possible without the server.

    Raises:
        OptionsError: unknown keys and roles, invalid values, or a tensor that two keys would write.
    """
    found = read_options(TritonOptions, SERVICE, options)
    if "://" in found.url:
        raise option_error(
            f"url is {found.url!r}: write HOST:PORT of Triton's gRPC endpoint (8001 by default), without a scheme"
        )
    if twice := set(found.conditions or ()) & set(found.assisted):
        raise option_error(f"{', '.join(sorted(twice))} is in conditions and in assisted: keep one")
    if unknown := set(found.reasons) - set(_ALL):
        raise option_error(f"reasons names {', '.join(sorted(unknown))}: its keys are {', '.join(_ALL)}")
    owners: dict[str, str] = {}
    fed = [(f"inputs.{role}", tensor) for role, tensor in found.inputs.named()]
    for key, tensor in [*fed, *((f"constants.{tensor}", tensor) for tensor in found.constants)]:
        if tensor in owners:
            raise option_error(f"{key} and {owners[tensor]} both write the tensor {tensor!r}: keep one")
        owners[tensor] = key
    if tls := [key for key in ("root_certificates", "client_key", "client_certificate") if getattr(found, key)]:
        if not found.ssl:
            raise option_error(f"{tls[0]} is set, but ssl is not: set ssl = true")
        for key in tls:
            if not getattr(found, key).is_file():
                raise option_error(f"{key} is {str(getattr(found, key))!r}, which is not a file: name a PEM file")
    return found


def option_error(text: str) -> OptionsError:
    """The error for an option of this service."""
    return OptionsError(f"service {SERVICE}: option {text}")
