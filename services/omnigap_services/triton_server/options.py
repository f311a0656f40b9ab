"""The roles that tensors play: which part of a request goes into which input, of an answer comes from which output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from omnigap.channel import check_proxy, proxy_for
from omnigap.vocabulary import CONDITIONS, Architecture, Condition
from omnigap_services.options import Options, OptionsError, read_options

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


# What a user may set about the `triton` service: which model, its tensors, how it is called, what is digested.

SERVICE = "triton"

Scalar = bool | int | float | str
"""A value that one element of a tensor can hold."""

_ALL = tuple(condition.name for condition in CONDITIONS)

# How calls are made, not what they ask: these may change and the service stays the same.
_NOT_IN_THE_DIGEST = frozenset(
    {
        *("url", "ssl", "root_certificates", "client_key", "client_certificate"),
        *("name", "architecture", "revision", "conditions", "assisted", "reasons"),
        *("concurrency", "max_queue", "max_retries", "timeout_s", "wait_s", "proxy", "model_version"),
    }
)


class TritonOptions(Options):
    """Options of the `triton` service.

    Attributes:
        url: HOST:PORT of the server's gRPC endpoint; not part of the digest, so that a server can move.
        model: its name on the server.
        model_version: empty: the newest that the server has ready when the service starts; it is then kept to.
        revision: of the weights; the server cannot be asked for it.
        launch: the command that the server was started with; it is part of the digest.
        name: in reports; empty: the model's.
        conditions: those that the model answers natively; left out: all for which its tensors are mapped.
        assisted: those that it answers with another model's help.
        reasons: by condition, why it is not native, or what else is to be known.
        diagnostics: tensors with numbers about an answer, by the name that they are told under.
        constants: input tensors that get the same value every time.
        defaults: by role of `inputs`, the value where a request has none.
        input_sample_rate_hz: audio reaches the model at this rate.
        output_sample_rate_hz: that answers go out at; audio whose tensor tells another rate is resampled.
        audio_in, audio_out: how a BYTES tensor holds audio. Tensors of numbers hold samples.
        image_in: how a BYTES tensor holds an image. Tensors of numbers hold RGB pixels.
        image_white: value of white where pixels are floating-point numbers.
        absent: what a required tensor of samples or pixels gets where a request has none: nothing (`empty`), or a
            single `zero`, for servers that take no tensor without an element, as pytriton's.
        text_separator: between the question and the instruction where one tensor takes both.
        text_out: a decoupled model's texts are `pieces`, or each holds the whole text `so_far`.
        reads_aloud: the model says the text that it is given, so that this is its own text.
        ignore: what a request may set though no tensor takes it.
        ssl, root_certificates, client_key, client_certificate: TLS to the server, with PEM files.
        concurrency: calls at once.
        max_retries: further tries of one call while the server is away or its queue full.
        timeout_s: silence of the server after which a call is given up.
        wait_s: how long loading waits for the server and the model.
        proxy: `http://HOST:PORT` of an HTTP proxy to the server, unless it is on loopback; empty: none.
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
        """The server's address for messages, with the proxy on the way."""
        way = proxy_for(self.url, self.proxy)
        return f"{self.url} through the proxy {way}" if way else self.url

    def settings(self) -> dict[str, str]:
        """All that changes answers, as the card shows it; the address is no part of it."""
        return self.shown_without(_NOT_IN_THE_DIGEST)


def read_triton_options(options: Mapping[str, object]) -> TritonOptions:
    """The options as an object.

    Raises:
        OptionsError: for unknown keys and roles, values that do not fit, a tensor that would be written twice.
    """
    found = read_options(TritonOptions, SERVICE, options)
    if "://" in found.url:
        raise option_error(
            f"url is {found.url!r}: write HOST:PORT of Triton's gRPC endpoint (8001 by default), without a scheme"
        )
    if twice := set(found.conditions or ()) & set(found.assisted):
        raise option_error(f"{', '.join(sorted(twice))} stands in conditions and in assisted: keep one")
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
                raise option_error(f"{key} is {str(getattr(found, key))!r}, which is no file: name a PEM file")
    return found


def option_error(text: str) -> OptionsError:
    """The error for an option, in the words of all the others."""
    return OptionsError(f"service {SERVICE}: option {text}")
