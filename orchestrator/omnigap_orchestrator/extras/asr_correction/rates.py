"""Error rates of the ASR scorer from the clips of a calibration: q1 and q0 with intervals, and effective counts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from omnigap.vocabulary import Outcome
from omnigap_orchestrator.analysis.choose_interval import Sample, mean_interval
from omnigap_orchestrator.analysis.intervals import ClusterTotals
from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray
from omnigap_orchestrator.analysis.summary import Analysis
from omnigap_orchestrator.analysis.table import AnalysisInput, Table, schema_of
from omnigap_orchestrator.extras.asr_correction.confusables import ClipKind
from omnigap_orchestrator.extras.asr_correction.rogan_gladen import Calibration

NAME = "asr_correction"
"""The name of this extra: its key in the evidence of an analysis."""


@dataclass(frozen=True, slots=True)
class AsrEvidence:
    """What is known about the ASR scorer in addition to the results that it transcribed.

    Attributes:
        clips: table of a calibration that is valid for the results (`CALIBRATION_SCHEMA`); None without one.
        golds: a frame of `GOLDS_SCHEMA`; None leaves out the word and entity errors.
        labels: a frame of `LABELS_SCHEMA`; None without human labels.
        refused: reason why an existing calibration is not used; empty otherwise.
        note: remark for the reader about the calibration or the labels that are used.
        unlike: the clips of the calibration are far shorter or longer than the answers; the note says so.
    """

    clips: pl.DataFrame | None = None
    golds: pl.DataFrame | None = None
    labels: pl.DataFrame | None = None
    refused: str = ""
    note: str = ""
    unlike: bool = False


def evidence_of(known: AnalysisInput | Analysis) -> AsrEvidence:
    """The evidence that an analysis was given; an empty one by default."""
    found = known.evidence.get(NAME)
    return found if isinstance(found, AsrEvidence) else AsrEvidence()


@dataclass(frozen=True, slots=True)
class RateRow:
    """Rate of correct verdicts of the scorer on clips of one kind."""

    answer_type: str
    # Null: all metrics of the type together. Types with one metric have no other row.
    metric: str | None
    # q1 = P(scored right | truly right), q0 = P(scored wrong | truly wrong).
    quantity: str
    # gold, distractor, confusable or all_wrong.
    clip_kind: str
    estimate: float | None
    low: float | None
    high: float | None
    method: str | None
    # Numbers of clips, of different texts among them (the clusters), of items and of voices.
    n: int
    texts: int
    items: int
    voices: int


RATES_SCHEMA = schema_of(RateRow)

ENOUGH_CLIPS = 10
"""Smallest effective number of gold, and of wrong, clips for which a metric has separate rates."""

GOLD, DISTRACTOR, CONFUSABLE = (kind.value for kind in ClipKind)
ALL_WRONG = "all_wrong"
"""Distractors and confusables together."""


def scored_clips(clips: pl.DataFrame) -> pl.DataFrame:
    """The clips that have a score."""
    if "outcome" in clips.columns:
        clips = clips.filter(pl.col("outcome") == Outcome.ANSWERED.value)
    return clips.filter(pl.col("scored_right").is_not_null())


def rates(clips: pl.DataFrame, options: IntervalOptions) -> pl.DataFrame:
    """q1 over the gold answers and q0 over each kind of wrong answer, by answer type (`RATES_SCHEMA`).

    A type that several metrics score has additional rows for each metric.
    """
    rows = []
    for answer_type, metric, quantity, clip_kind, part in _parts(scored_clips(clips)):
        # Clips of one text are one cluster: a voice speaks "Option B" identically for every item.
        values, cluster = _correct(part), _texts(part)
        sample = Sample(values, cluster, np.zeros(len(values), dtype=np.int64), binary=True, difference=False)
        interval = mean_interval(sample, options)
        rows.append(
            (
                answer_type,
                metric,
                quantity,
                clip_kind,
                float(values.mean()),
                interval.low,
                interval.high,
                interval.method,
                len(values),
                len(np.unique(cluster)),
                part["item_id"].n_unique(),
                part["voice"].n_unique(),
            )
        )
    return pl.DataFrame(rows, schema=RATES_SCHEMA, orient="row").fill_nan(None)


def calibrations_of(clips: pl.DataFrame, clip_kind: str = ALL_WRONG) -> tuple[Calibration, ...]:
    """Confusion counts for the correction, by answer type; types without gold or without wrong answers are left out.

    A metric with at least `ENOUGH_CLIPS` gold and wrong answers also gets separate counts, because metrics of one type
    may differ in their errors.

    The counts are effective ones (`effective_size`), so that the variances of q1 and q0 allow for clips of one text.

    Args:
        clips: columns answer_type, truly_right and scored_right; optional: clip_kind, outcome, metric, and spoken, the
            text (without it every clip counts as independent).
        clip_kind: wrong answers that q0 is computed over: `all_wrong`, or `distractor` or `confusable`, which falls
            back to all of them for a type without such clips.
    """
    known = scored_clips(clips)
    found: dict[tuple[str, str | None], dict[str, tuple[float, float]]] = {}
    for answer_type, metric, _, kind, part in _parts(known):
        values = _correct(part)
        found.setdefault((answer_type, metric), {})[kind] = (float(values.mean()), effective_size(values, _texts(part)))
    out = []
    for (answer_type, metric), kinds in found.items():
        if GOLD not in kinds or ALL_WRONG not in kinds:
            continue
        if metric is not None and min(kinds[GOLD][1], kinds[ALL_WRONG][1]) < ENOUGH_CLIPS:
            continue
        (q1, positives), (q0, negatives) = kinds[GOLD], kinds.get(clip_kind, kinds[ALL_WRONG])
        counts = (q1 * positives, positives, q0 * negatives, negatives)
        metrics = _metrics(known.filter(answer_type=answer_type)) if metric is None else [metric]
        out.append(Calibration(answer_type, *counts, tuple(metrics)))
    return tuple(out)


def effective_size(values: FloatArray, cluster: IntArray) -> float:
    """Number of independent clips with the same information: the clips divided by their design effect.

    Kish's effective number of clusters, (sum n)^2 / sum n^2, is the lower bound: one text counts as one clip.
    """
    totals = ClusterTotals.of(values, cluster)
    if totals.single:
        return float(len(values))
    n, least = len(values), totals.effective
    mean = float(values.mean())
    errors = min(values.sum(), n - values.sum())
    # With few texts or errors the clustered variance is too noisy to estimate a design effect: the lower bound.
    if totals.count < 10 or errors < 5:
        return least
    independent = mean * (1 - mean) / n
    effect = totals.standard_error() ** 2 / independent
    return float(min(max(n / effect, least), n)) if effect > 0 and math.isfinite(effect) else least


def _parts(clips: pl.DataFrame) -> Iterator[tuple[str, str | None, str, str, pl.DataFrame]]:
    """Answer type, metric, q1 or q0, kind of clip, and its clips; all wrong answers together come last."""
    for answer_type in clips["answer_type"].unique().sort():
        of_type = clips.filter(answer_type=answer_type)
        metrics = _metrics(of_type)
        groups: list[tuple[str | None, pl.DataFrame]] = [(None, of_type)]
        if len(metrics) > 1:
            groups += [(metric, of_type.filter(metric=metric)) for metric in metrics]
        for metric, group in groups:
            for quantity, clip_kind, part in _kinds(group):
                yield answer_type, metric, quantity, clip_kind, part


def _kinds(clips: pl.DataFrame) -> Iterator[tuple[str, str, pl.DataFrame]]:
    """q1 or q0, kind of clip, and its clips, for kinds with at least one clip."""
    parts = [("q1", GOLD, clips.filter("truly_right"))]
    if "clip_kind" in clips.columns:
        parts += [("q0", clip_kind, clips.filter(clip_kind=clip_kind)) for clip_kind in (DISTRACTOR, CONFUSABLE)]
    parts.append(("q0", ALL_WRONG, clips.filter(~pl.col("truly_right"))))
    return (part for part in parts if part[2].height)


def _metrics(clips: pl.DataFrame) -> list[str]:
    """The metrics that scored the clips; empty without a column `metric`."""
    return clips["metric"].drop_nulls().unique().sort().to_list() if "metric" in clips.columns else []


def _correct(clips: pl.DataFrame) -> FloatArray:
    """1 where the verdict is correct: a gold answer scored right, or a wrong answer scored wrong."""
    return (clips["scored_right"] == clips["truly_right"]).cast(pl.Float64).to_numpy()


def _texts(clips: pl.DataFrame) -> IntArray:
    """An integer code for each distinct text, shape (clips,)."""
    if "spoken" not in clips.columns:
        return np.arange(clips.height)
    _, codes = np.unique(clips["spoken"].to_numpy().astype(str), return_inverse=True)
    return np.asarray(codes, dtype=np.int64)


def _calibration(given: AnalysisInput) -> pl.DataFrame:
    clips = evidence_of(given).clips
    return RATES_SCHEMA.to_frame() if clips is None else rates(clips, given.options.intervals)


CALIBRATION = Table(name="calibration", row=RateRow, compute=_calibration)
"""Empty without a calibration."""
