"""What the report says about the run itself: who answered, who listened, on which machine, with which versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """One service that took part: a model, the ASR scorer or the TTS voice.

    Attributes:
        digest: covers all that changes its answers; two runs with the same digest are comparable.
        revision: of the weights, where the service names one.
        detail: what else a reader should know, such as the decoding options.
        checkpoint: digest of the weights that it hears with, where it hears; told apart from `digest` so that a
            model that hears with the scorer's own checkpoint can be seen.
        helpers: condition -> who helps, for the conditions that a model answers with help from outside.
    """

    name: str
    digest: str = ""
    revision: str = ""
    architecture: str = ""
    detail: str = ""
    checkpoint: str = ""
    helpers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Everything in the report that the table of results does not hold.

    Attributes:
        versions: package or program -> version.
        embedded: the run asked the services that ship with omnigap, whose numbers say nothing about real models.
        shared_hearing: names of the models that hear with the same checkpoint as the ASR scorer.
        deaf_scorer: a model that does not ship with omnigap was heard by the recogniser that does, which knows two
            synthetic voices only.
        judge: who rated open answers; its `detail` names the rubrics.
        prompts: what a two-pass control typed in its first pass, for a spoken and for a shown question.
        incomplete: why the run is not whole, and how to go on; empty when it is whole.
    """

    name: str
    started: datetime | None = None
    finished: datetime | None = None
    command: str = ""
    machine: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    models: tuple[ServiceInfo, ...] = ()
    asr: ServiceInfo | None = None
    second_asr: ServiceInfo | None = None
    tts: ServiceInfo | None = None
    judge: ServiceInfo | None = None
    voices: tuple[str, ...] = ()
    fonts: tuple[str, ...] = ()
    items_source: str = ""
    normaliser: str = ""
    notes: tuple[str, ...] = ()
    embedded: bool = False
    shared_hearing: tuple[str, ...] = ()
    deaf_scorer: bool = False
    prompts: tuple[str, ...] = ()
    incomplete: str = ""
