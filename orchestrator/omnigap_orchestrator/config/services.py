"""The services a run talks to: `[[models]]`, `[scorer]`, `[tts]`, and the `[fleet]` that starts them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from omnigap.vocabulary import Architecture
from omnigap_orchestrator.validation import Conditions, EndpointList, Language, Name, StrictModel

OptionValue = str | int | float | bool


def _as_text(value: object) -> object:
    """A number or a truth value as the text that goes over the wire."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


class DecodingConfig(StrictModel):
    """How a model decodes; what is not set stays at the service's declared default, and 0 is a value.

    Attributes:
        extra: settings that only one service knows, by its own names.
    """

    max_new_tokens: int | None = Field(default=None, ge=1, lt=2**32)
    temperature: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=0, lt=2**32)
    repetition_penalty: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    beam_size: int | None = Field(default=None, ge=1, lt=2**32)
    extra: dict[str, Annotated[str, BeforeValidator(_as_text)]] = Field(default_factory=dict)


class ModelConfig(StrictModel):
    """One model under test, behind any number of alike endpoints.

    Attributes:
        name: in tables and on the command line (`--models`).
        endpoints: `host:port` of each replica; empty: the fleet starts the service of this name.
        architecture: takes the place of what the service declares; None: as declared.
        voice: that it speaks with; None: the service's default.
        system_prompt: takes the place of the run's; None: the run's.
        conditions: those of the run's that this model is asked in; None: all of them.
    """

    name: Name
    endpoints: EndpointList = ()
    architecture: Annotated[Architecture, Field(strict=False)] | None = None
    decoding: DecodingConfig = DecodingConfig()
    voice: str | None = Field(default=None, min_length=1)
    system_prompt: str | None = None
    conditions: Conditions | None = None


class ScorerConfig(StrictModel):
    """The ASR that hears speech answers; as `[second_scorer]` another one that hears them too, for comparison.

    Attributes:
        endpoints: empty: the fleet's own; a second scorer has none of its own.
        language: it is told; None: each item's own.
    """

    endpoints: EndpointList = ()
    language: Language | None = None
    decoding: DecodingConfig = DecodingConfig()


class TtsConfig(StrictModel):
    """The voice that reads questions aloud; without endpoints the fleet's own."""

    endpoints: EndpointList = ()


class FleetKind(StrEnum):
    AUTO = "auto"
    EMBEDDED = "embedded"
    STATIC = "static"


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
        service: registered name, as `omnigap-serve --list` shows it; None: the table's own name.
        role: `model`, `scorer`, `tts`, `ocr`, `judge`, or `part` for what only other services call; None: what the
            service is for (`asr` hears, `espeak` reads aloud, `ocr` reads images back, all others are models).
        replicas: processes of it; 0: none, also where a default service has this name.
        options: handed to the service as its configuration; None: those of the default service of this name, else none.
    """

    service: Name | None = None
    role: Annotated[ServiceRole, Field(strict=False)] | None = None
    replicas: int = Field(default=1, ge=0, le=64)
    options: dict[str, OptionValue | list[OptionValue] | dict[str, OptionValue]] | None = None


START_TIMEOUT_S = 120.0
"""How long a fleet waits for a service that it started, where nothing else is said."""


class FleetConfig(StrictModel):
    """Where endpoints come from.

    Attributes:
        kind: `static`: the addresses of this file; `embedded`: child processes on free ports; `auto`: the addresses
            if there are any, else Compose's ports if its services answer, else embedded.
        services: by name, for `embedded`; beside the default ones, each of which stands aside for its name or role.
        start_timeout_s: until a started service must be ready.
    """

    kind: Annotated[FleetKind, Field(strict=False)] = FleetKind.AUTO
    services: dict[Name, ServiceConfig] = Field(default_factory=dict)
    start_timeout_s: float = Field(default=START_TIMEOUT_S, gt=0, allow_inf_nan=False)
