"""The services of a run: `[[models]]`, `[scorer]`, `[tts]`, and the `[fleet]` that starts them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from omnigap.vocabulary import Architecture
from omnigap_orchestrator.validation import Conditions, EndpointList, Language, Name, StrictModel

OptionValue = str | int | float | bool


def _as_text(value: object) -> object:
    """Converts a number or boolean to text: `extra` is a map of strings in the contract."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


class DecodingConfig(StrictModel):
    """Decoding settings; None leaves the declared default of the service, and 0 is a value.

    Attributes:
        extra: settings specific to a service, by its own names.
    """

    # The bounds are those of the integer types in the .proto.
    max_new_tokens: int | None = Field(default=None, ge=1, lt=2**32)
    temperature: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=0, lt=2**32)
    repetition_penalty: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    beam_size: int | None = Field(default=None, ge=1, lt=2**32)
    extra: dict[str, Annotated[str, BeforeValidator(_as_text)]] = Field(default_factory=dict)


class ModelConfig(StrictModel):
    """One model under test.

    Attributes:
        name: its name in tables and on the command line (`--models`).
        endpoints: `host:port` of each replica; all must have the same digest. Empty: the fleet starts the service of
            this name.
        architecture: overrides the declared architecture type.
        voice: voice of speech answers. None: the default of the service.
        system_prompt: overrides that of the run.
        conditions: restricts the conditions of the run. None: all of them.
    """

    name: Name
    endpoints: EndpointList = ()
    # strict=False here and below: in strict mode, pydantic takes enum members only, and TOML has strings.
    architecture: Annotated[Architecture, Field(strict=False)] | None = None
    decoding: DecodingConfig = DecodingConfig()
    voice: str | None = Field(default=None, min_length=1)
    system_prompt: str | None = None
    conditions: Conditions | None = None


class ScorerConfig(StrictModel):
    """The ASR scorer, which transcribes speech answers; as `[second_scorer]`, another one for comparison.

    Attributes:
        endpoints: `host:port` of each replica. Empty: that of the fleet, which has no second scorer.
        language: language of all answers. None: that of each item.
    """

    endpoints: EndpointList = ()
    language: Language | None = None
    decoding: DecodingConfig = DecodingConfig()


class TtsConfig(StrictModel):
    """The TTS service that synthesises questions; without endpoints that of the fleet."""

    endpoints: EndpointList = ()


class FleetKind(StrEnum):
    AUTO = "auto"
    COMPOSE = "compose"
    STATIC = "static"
    EMBEDDED = "embedded"


class ServiceRole(StrEnum):
    MODEL = "model"
    SCORER = "scorer"
    TTS = "tts"
    OCR = "ocr"
    JUDGE = "judge"
    PART = "part"


class ServiceConfig(StrictModel):
    """One service that the embedded fleet starts.

    Attributes:
        service: name in `omnigap-serve --list`. None: the name of the table.
        role: `model`, `scorer`, `tts`, `ocr`, `judge`, or `part` for a service that only other services call. None:
            `scorer` for asr, `tts` for espeak and piper, `ocr` for ocr, `model` for all others.
        replicas: number of processes. 0 starts none, which also removes a default service of this name.
        options: configuration of the service. None: that of the default service of this name, if there is one.
        tiny: start it with a tiny checkpoint of the same architecture and random weights, to test a configuration.
    """

    service: Name | None = None
    role: Annotated[ServiceRole, Field(strict=False)] | None = None
    replicas: int = Field(default=1, ge=0, le=64)
    options: dict[str, OptionValue | list[OptionValue] | dict[str, OptionValue]] | None = None
    tiny: bool = False


START_TIMEOUT_S = 120.0
"""Default of `[fleet] start_timeout_s`; loading a large checkpoint needs more."""


class FleetConfig(StrictModel):
    """Where endpoints come from.

    Attributes:
        kind: `static`: only the endpoints of this file. `compose`: for services without endpoints, Compose's loopback
            ports. `embedded`: child processes on free ports. `auto`: the endpoints if there are any; for other services
            the fleet that the run's folder used so far, else Compose's if any of them answers, else embedded.
        services: services to start, by name, in addition to the default services. A table with the same name or role
            replaces a default service.
        start_timeout_s: seconds until a started service must be ready.
        setup: the command that fetches what the services need, such as weights. It is not run: an error names it if a
            service can't be started.
    """

    kind: Annotated[FleetKind, Field(strict=False)] = FleetKind.AUTO
    services: dict[Name, ServiceConfig] = Field(default_factory=dict)
    start_timeout_s: float = Field(default=START_TIMEOUT_S, gt=0, allow_inf_nan=False)
    setup: str = ""
