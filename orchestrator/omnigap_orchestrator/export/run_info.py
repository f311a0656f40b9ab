"""Collects what the report says about a run itself: services, machine, versions, and whether it is complete."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from importlib import metadata
from pathlib import Path

import polars as pl
import psutil

from omnigap.card import has_random_weights, is_shipped_model, weights_identity
from omnigap.convert import known_architecture
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import CONDITIONS, Modality, Outcome, Reason, Support
from omnigap_orchestrator.carriers import ImageStyle
from omnigap_orchestrator.carriers.carrier_set import SpeechVariant
from omnigap_orchestrator.journal import Records
from omnigap_orchestrator.pipeline.cells import PlannedCells
from omnigap_orchestrator.pipeline.damage import damage_notes
from omnigap_orchestrator.pipeline.folder import RunFolder
from omnigap_orchestrator.pipeline.identity import outdated_notes
from omnigap_orchestrator.pool import support_in
from omnigap_orchestrator.preflight.espeak_voice import connected_warning
from omnigap_orchestrator.preflight.random_weights import random_parts
from omnigap_orchestrator.report.answer_notes import answer_notes
from omnigap_orchestrator.report.run_info import RunInfo, ServiceInfo
from omnigap_orchestrator.scoring import JUDGE, NORMALISER_VERSION

# Packages whose versions can change the numbers of the report.
_LIBRARIES = ("omnigap", "grpcio", "numpy", "polars", "scipy")


def collect_run_info(
    folder: RunFolder,
    cells: PlannedCells,
    records: Records,
    results: pl.DataFrame,
    controls: pl.DataFrame | None = None,
    misfiled: tuple[str, ...] = (),
) -> RunInfo:
    """Everything in the report that is not in the table of results.

    Args:
        misfiled: as from `ResultsTable.misfiled`.
    """
    journal, cards = records.journal, cells.cards
    models = {name: card for name, card in cards.models.items() if name in cells.models}
    # About those with random weights, another warning says it.
    real = [card for card in models.values() if not has_random_weights(card)]
    inputs = {condition.input for condition in cells.plan.conditions}
    replicates = range(cells.plan.replicates)
    voices = dict.fromkeys(_voice_name(cells.carriers.speech_variant(r)) for r in replicates)
    fonts = _font_names(dict.fromkeys(cells.carriers.style(r) for r in replicates))
    scorer_weights = weights_identity(cards.scorer) if cards.scorer is not None else None
    return RunInfo(
        name=folder.name,
        started=_time(journal.meta("started")),
        finished=_time(journal.meta("finished")),
        command=journal.meta("command") or "",
        machine=machine(),
        versions=versions(),
        models=tuple(_service_info(name, card) for name, card in models.items()),
        asr=_service_info(cards.scorer.name, cards.scorer) if cards.scorer is not None else None,
        second_asr=_service_info(cards.second_scorer.name, cards.second_scorer)
        if cards.second_scorer is not None and cells.config.second_scorer is not None
        else None,
        tts=_service_info(cards.tts.name, cards.tts) if cards.tts is not None else None,
        judge=_judge_info(cells, cards.judge),
        voices=tuple(voices) if Modality.SPEECH in inputs else (),
        fonts=fonts if Modality.IMAGE in inputs else (),
        items_source=cells.config.items.path or "built-in items",
        normaliser=NORMALISER_VERSION,
        embedded=bool(real) and all(map(is_shipped_model, real)),
        shared_asr_checkpoint=tuple(
            name for name, card in models.items() if scorer_weights and _asr_checkpoint(card) == scorer_weights
        ),
        espeak_warning=connected_warning(cells.config, cells.plan.items, cards.tts, models),
        prompts=cells.first_pass_prompts(),
        incomplete=incomplete(results, controls),
        misfiled=misfiled,
        notes=(
            *damage_notes(cells, records),
            *outdated_notes(cards.outdated, cells.config),
            *answer_notes(results),
        ),
    )


def _voice_name(variant: SpeechVariant) -> str:
    rate = "" if variant.words_per_minute is None else f" at {variant.words_per_minute:g} words a minute"
    return f"{variant.voice or 'the default voice of the service'}{rate}"


def _font_names(styles: Iterable[ImageStyle]) -> tuple[str, ...]:
    """Each image style by its font, and by the properties that vary within the run."""
    all_styles = tuple(styles)

    def name(style: ImageStyle) -> str:
        varied = [
            (len({s.size for s in all_styles}), f"{style.size} px"),
            (len({(s.colour, s.background) for s in all_styles}), f"{style.colour} on {style.background}"),
            (len({s.width for s in all_styles}), f"{style.width} px wide"),
        ]
        return " ".join([Path(style.font).name, *(text for count, text in varied if count > 1)])

    return tuple(name(style) for style in all_styles)


def incomplete(results: pl.DataFrame, controls: pl.DataFrame | None = None) -> str:
    """Why a run is incomplete, and how to resume it; empty for a complete run. Control cells are counted separately."""
    parts = [_lacking(results, "cells")] + ([_lacking(controls, "control cells")] if controls is not None else [])
    found = ", ".join(part for part in parts if part)
    frames = [results] if controls is None else [results, controls]
    late = sum(cells.filter(error_reason=Reason.DEADLINE_EXCEEDED, outcome=Outcome.PENDING).height for cells in frames)
    timed_out = f" ({late} timed out: raise [run] request_timeout_s if the service is slow)" if late else ""
    return f"{found}{timed_out}: the same command runs only these cells again" if found else ""


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
    # platform.processor() is empty or only the architecture on most Linux systems.
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 (a device file, not a path of ours)
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _asr_checkpoint(card: pb.DescribeResponse) -> str | None:
    """The checkpoint of a model's own ASR stage, if it reports one."""
    return card.settings.get("asr.weights_revision")


def _judge_info(cells: PlannedCells, card: pb.DescribeResponse | None) -> ServiceInfo | None:
    """The judge with its rubrics; None if no item is judged."""
    judged = [item for item in cells.plan.items if cells.metrics[item.id] == JUDGE]
    if card is None or cells.setup is None or not judged:
        return None
    # Items with a reference answer can have another rubric; only the rubrics that were used are listed.
    rubrics = dict.fromkeys(cells.setup.rubric_for(item).name for item in judged)
    known = {rubric.name: rubric for rubric in (cells.setup.rubric, cells.setup.reference_rubric)}
    parts = [f"rubric {name} (digest {known[name].digest[:12]}, {known[name].scale})" for name in rubrics]
    if cells.setup.votes > 1:
        parts.append(f"{cells.setup.votes} votes")
    assert cells.config.judge is not None
    parts.append(f"temperature {cells.config.judge.decoding.temperature:g}")
    return replace(_service_info(card.name, card), detail=", ".join(parts))


def _helpers_of(card: pb.DescribeResponse) -> dict[str, str]:
    """The reasons of the conditions that a card declares assisted, by condition."""
    parts = {condition.name: support_in(card, condition) for condition in CONDITIONS}
    return {name: reason for name, (support, reason) in parts.items() if support is Support.ASSISTED}


def _service_info(name: str, card: pb.DescribeResponse) -> ServiceInfo:
    # Keys with a dot are settings of a stage, such as `asr.weights_revision` of the cascade.
    shown = {key: value for key, value in card.settings.items() if "." not in key}
    architecture = known_architecture(card.architecture)
    return ServiceInfo(
        name=name,
        digest=card.digest,
        revision=card.weights_revision,
        architecture="" if architecture is None else architecture.value,
        detail=", ".join(f"{key} {value}" for key, value in sorted(shown.items())),
        checkpoint=_asr_checkpoint(card) or "",
        helpers=_helpers_of(card),
        parts=tuple(f"{part.role} {part.name}" for part in card.parts),
        random_weights=has_random_weights(card),
        random_parts=random_parts(card),
    )
