"""What the report says about the run itself: the services, the machine, the versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """A service of the run: a model, an ASR scorer, the TTS service or the judge.

    Attributes:
        digest: covers everything that changes its answers; runs with the same digest are comparable.
        revision: revision of the weights, if the service reports one.
        detail: other settings, such as decoding options.
        checkpoint: revision of the ASR weights that a model uses for speech input, if it reports them. It shows
            whether a model and the ASR scorer share a checkpoint.
        helpers: condition -> the reason that the model declares for each assisted condition.
        parts: role and name of each service or engine that a cascade is composed of, such as "llm SmolLM2".
        random_weights: it, or one of its parts, has random weights (`--tiny`).
        random_parts: the parts of which it is known.
    """

    name: str
    digest: str = ""
    revision: str = ""
    architecture: str = ""
    detail: str = ""
    checkpoint: str = ""
    helpers: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[str, ...] = ()
    random_weights: bool = False
    random_parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Everything in the report that is not in the table of results.

    Attributes:
        versions: package or program -> version.
        embedded: all models of the run, except those with random weights, ship with omnigap: their numbers say nothing
            about real models.
        shared_asr_checkpoint: names of the models that use the same ASR checkpoint as the ASR scorer.
        espeak_warning: in which languages espeak speaks to or for real models, and what recognisers were measured to
            understand of it; empty if it does not.
        judge: the service that rated open answers; its `detail` names the rubrics.
        prompts: instructions of the first pass of a two-pass control, for spoken and for image questions.
        incomplete: why the run is incomplete, and how to resume it; empty for a complete run.
        misfiled: stored rows that another service wrote than the one they were asked of: one message for each pair.
        imported: the results are of another tool: there is no run folder with media and files next to the page.
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
    shared_asr_checkpoint: tuple[str, ...] = ()
    espeak_warning: str = ""
    prompts: tuple[str, ...] = ()
    incomplete: str = ""
    misfiled: tuple[str, ...] = ()
    imported: bool = False
