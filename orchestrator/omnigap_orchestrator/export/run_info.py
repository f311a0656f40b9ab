"""What a run can say of itself beyond its table: who took part, on which machine, and whether it is whole."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from importlib import metadata
from pathlib import Path

import polars as pl
import psutil

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import CONDITIONS, Modality, Outcome, Support
from omnigap_orchestrator.carriers import ImageStyle
from omnigap_orchestrator.carriers.carrier_set import SpeechVariant
from omnigap_orchestrator.journal import Records
from omnigap_orchestrator.pipeline.cells import PlannedCells
from omnigap_orchestrator.pipeline.folder import RunFolder
from omnigap_orchestrator.pool import support_in
from omnigap_orchestrator.report.run_info import RunInfo, ServiceInfo
from omnigap_orchestrator.scoring import JUDGE, NORMALISER_VERSION

# Models that ship with omnigap: they show that the instrument works, and nothing about real models. `cascade` is what
# runs of 0.1.0 call the demo model.
SHIPPED_MODELS = frozenset({"demo", "cascade", "echo"})
# What the asr service calls the checkpoint that it ships: it knows two synthetic voices, and no other.
SHIPPED_EARS = "omnigap-micro-whisper"
_LIBRARIES = ("omnigap", "grpcio", "numpy", "polars", "scipy")


def collect_run_info(
    folder: RunFolder,
    cells: PlannedCells,
    records: Records,
    results: pl.DataFrame,
    controls: pl.DataFrame | None = None,
) -> RunInfo:
    """Everything in the report that the table of results does not hold."""
    journal, cards = records.journal, cells.cards
    models = {name: card for name, card in cards.models.items() if name in cells.models}
    inputs = {condition.input for condition in cells.plan.conditions}
    replicates = range(cells.plan.replicates)
    voices = dict.fromkeys(_variant_words(cells.carriers.speech_variant(r)) for r in replicates)
    fonts = _style_words(dict.fromkeys(cells.carriers.style(r) for r in replicates))
    scorer_weights = cards.scorer.weights_revision if cards.scorer is not None else None
    return RunInfo(
        name=folder.name,
        started=_time(journal.meta("started")),
        finished=_time(journal.meta("finished")),
        command=journal.meta("command") or "",
        machine=machine(),
        versions=versions(),
        models=tuple(_service_facts(name, card) for name, card in models.items()),
        asr=_service_facts(cards.scorer.name, cards.scorer) if cards.scorer is not None else None,
        second_asr=_service_facts(cards.second_scorer.name, cards.second_scorer)
        if cards.second_scorer is not None and cells.config.second_scorer is not None
        else None,
        tts=_service_facts(cards.tts.name, cards.tts) if cards.tts is not None else None,
        judge=_judge_facts(cells, cards.judge),
        voices=tuple(voices) if Modality.SPEECH in inputs else (),
        fonts=fonts if Modality.IMAGE in inputs else (),
        items_source=cells.config.items.path or "built-in items",
        normaliser=NORMALISER_VERSION,
        embedded=bool(models) and all(card.name in SHIPPED_MODELS for card in models.values()),
        shared_hearing=tuple(
            name for name, card in models.items() if scorer_weights and _hears_with(card) == scorer_weights
        ),
        deaf_scorer=_is_deaf(cards.scorer, models.values()),
        prompts=cells.first_pass_prompts(),
        incomplete=incomplete(results, controls),
    )


def _variant_words(variant: SpeechVariant) -> str:
    rate = "" if variant.words_per_minute is None else f" at {variant.words_per_minute:g} words a minute"
    return f"{variant.voice or 'the default voice of the service'}{rate}"


def _style_words(styles: Iterable[ImageStyle]) -> tuple[str, ...]:
    """Each look by its font, and by what else tells it from the others."""
    looks = tuple(styles)

    def words(style: ImageStyle) -> str:
        varied = [
            (len({s.size for s in looks}), f"{style.size} px"),
            (len({(s.colour, s.background) for s in looks}), f"{style.colour} on {style.background}"),
            (len({s.width for s in looks}), f"{style.width} px wide"),
        ]
        return " ".join([Path(style.font).name, *(text for count, text in varied if count > 1)])

    return tuple(words(style) for style in looks)


def _is_deaf(scorer: pb.DescribeResponse | None, models: Iterable[pb.DescribeResponse]) -> bool:
    """Whether a model that does not ship with omnigap is heard by the recogniser that does."""
    shipped = scorer is not None and scorer.name == "asr" and scorer.settings.get("checkpoint") == SHIPPED_EARS
    return shipped and any(card.name not in SHIPPED_MODELS for card in models)


def incomplete(results: pl.DataFrame, controls: pl.DataFrame | None = None) -> str:
    """Why a run is not whole, and how to go on; empty when it is. Control cells are counted apart."""
    parts = [_lacking(results, "cells")] + ([_lacking(controls, "control cells")] if controls is not None else [])
    found = ", ".join(part for part in parts if part)
    return f"{found}: the same command asks these again, and no other" if found else ""


def _lacking(cells: pl.DataFrame, what: str) -> str:
    counts: Mapping[str, int] = dict(cells.group_by("outcome").len().iter_rows())
    pending, failed = counts.get(Outcome.PENDING, 0), counts.get(Outcome.FAILED, 0)
    parts = [f"{pending} pending"] * bool(pending) + [f"{failed} failed"] * bool(failed)
    return f"{' and '.join(parts)} of {cells.height} {what}" if parts else ""


def machine() -> str:
    """Processor, cores and memory of this machine in one line."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{_processor()}, {psutil.cpu_count() or 1} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}"
    )


def versions() -> dict[str, str]:
    """Versions that the orchestrator's own numbers depend on."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in _LIBRARIES}}


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 (a device file, not a path of ours)
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _hears_with(card: pb.DescribeResponse) -> str | None:
    """The checkpoint that a model's own recogniser loaded, where it says so."""
    return card.settings.get("asr.weights_revision")


def _judge_facts(cells: PlannedCells, card: pb.DescribeResponse | None) -> ServiceInfo | None:
    """The judge with the rubrics that it judged by; None where nothing is judged."""
    judged = [item for item in cells.plan.items if cells.metrics[item.id] == JUDGE]
    if card is None or cells.setup is None or not judged:
        return None
    rubrics = dict.fromkeys(cells.setup.rubric_for(item).name for item in judged)
    known = {rubric.name: rubric for rubric in (cells.setup.rubric, cells.setup.reference_rubric)}
    parts = [f"rubric {name} (digest {known[name].digest[:12]}, {known[name].scale})" for name in rubrics]
    if cells.setup.votes > 1:
        parts.append(f"{cells.setup.votes} votes")
    assert cells.config.judge is not None
    parts.append(f"temperature {cells.config.judge.decoding.temperature:g}")
    return replace(_service_facts(card.name, card), detail=", ".join(parts))


def _helpers_of(card: pb.DescribeResponse) -> dict[str, str]:
    """By condition, the help from outside that a card tells of."""
    parts = {condition.name: support_in(card, condition) for condition in CONDITIONS}
    return {name: reason for name, (support, reason) in parts.items() if support is Support.ASSISTED}


def _service_facts(name: str, card: pb.DescribeResponse) -> ServiceInfo:
    shown = {key: value for key, value in card.settings.items() if "." not in key}
    return ServiceInfo(
        name=name,
        digest=card.digest,
        revision=card.weights_revision,
        architecture=pb.Architecture.Name(card.architecture).removeprefix("ARCHITECTURE_").lower(),
        detail=", ".join(f"{key} {value}" for key, value in sorted(shown.items())),
        checkpoint=_hears_with(card) or "",
        helpers=_helpers_of(card),
    )
