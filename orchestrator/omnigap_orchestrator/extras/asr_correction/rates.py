"""What a calibration says of the ASR scorer: q1 and q0 with intervals, and its errors on words and on answers."""

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
from omnigap_orchestrator.extras.asr_correction.rogan_gladen import Calibration

NAME = "asr_correction"
"""The name of this extra: its key in the evidence of an analysis."""


@dataclass(frozen=True, slots=True)
class AsrEvidence:
    """What is known of the ASR scorer besides the results that it transcribed.

    Attributes:
        clips: the table of a calibration that fits the results (`CALIBRATION_SCHEMA`); None without one.
        golds: a frame of `GOLDS_SCHEMA`; None leaves out the errors on words and answers.
        labels: a frame of `LABELS_SCHEMA`; None without human labels.
        refused: why there is a calibration that must not be used; empty otherwise.
        note: what a reader should know of the calibration or the labels that are used.
    """

    clips: pl.DataFrame | None = None
    golds: pl.DataFrame | None = None
    labels: pl.DataFrame | None = None
    refused: str = ""
    note: str = ""


def evidence_of(known: AnalysisInput | Analysis) -> AsrEvidence:
    """The evidence that an analysis was given; empty where it was given none."""
    found = known.evidence.get(NAME)
    return found if isinstance(found, AsrEvidence) else AsrEvidence()


@dataclass(frozen=True, slots=True)
class RateRow:
    """How often the scorer is right about clips of one kind."""

    answer_type: str
    # Null: all metrics of the type together; named only where it has several.
    metric: str | None
    # q1 = P(scored right | truly right), q0 = P(scored wrong | truly wrong).
    quantity: str
    # gold, plain, sound_alike or all_foils.
    foil: str
    estimate: float | None
    low: float | None
    high: float | None
    method: str | None
    # Clips, different texts among them (the clusters), items, voices.
    n: int
    texts: int
    items: int
    voices: int


RATES_SCHEMA = schema_of(RateRow)

ENOUGH_CLIPS = 10
"""Gold answers, and foils, in effective clips, from which a metric has rates of its own within an answer type."""

GOLD, PLAIN, SOUND_ALIKE, ALL_FOILS = "gold", "plain", "sound_alike", "all_foils"


def heard(clips: pl.DataFrame) -> pl.DataFrame:
    """The clips that have a score."""
    if "outcome" in clips.columns:
        clips = clips.filter(pl.col("outcome") == Outcome.ANSWERED.value)
    return clips.filter(pl.col("scored_right").is_not_null())


def rates(clips: pl.DataFrame, options: IntervalOptions) -> pl.DataFrame:
    """q1 over the gold answers and q0 over each kind of foil, by answer type (`RATES_SCHEMA`).

    A type that is scored by several metrics has its rates by each of them as well. Clips of one text are one cluster: a
    voice says "Option B" the same for every item.
    """
    rows = []
    for answer_type, metric, quantity, foil, part in _parts(heard(clips)):
        values, cluster = _right(part), _texts(part)
        sample = Sample(values, cluster, np.zeros(len(values), dtype=np.int64), binary=True, difference=False)
        interval = mean_interval(sample, options, answer_type, *([metric] if metric else []), foil)
        rows.append(
            (
                answer_type,
                metric,
                quantity,
                foil,
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


def calibrations_of(clips: pl.DataFrame, foil: str = ALL_FOILS) -> tuple[Calibration, ...]:
    """The counts that a correction takes, by answer type; types without gold answers or foils are left out.

    Metrics of one type may err differently: each that has `ENOUGH_CLIPS` gold answers and foils has counts of its own,
    beside those of the whole type.

    Counts are effective ones: clips of one text count as far as they tell something new (`effective_size`), so that
    the variance of q1 and q0 is not that of as many independent clips.

    Args:
        clips: answer_type, truly_right and scored_right; where it has them also foil, outcome, and spoken, the text
            that was said (without it every clip is independent).
        foil: which wrong answers q0 is taken over: all, or only `plain` or `sound_alike` ones where a type has any.
    """
    known = heard(clips)
    found: dict[tuple[str, str | None], dict[str, tuple[float, float]]] = {}
    for answer_type, metric, _, kind, part in _parts(known):
        values = _right(part)
        found.setdefault((answer_type, metric), {})[kind] = (float(values.mean()), effective_size(values, _texts(part)))
    out = []
    for (answer_type, metric), kinds in found.items():
        if GOLD not in kinds or ALL_FOILS not in kinds:
            continue
        if metric is not None and min(kinds[GOLD][1], kinds[ALL_FOILS][1]) < ENOUGH_CLIPS:
            continue
        (q1, right), (q0, wrong) = kinds[GOLD], kinds.get(foil, kinds[ALL_FOILS])
        counts = (q1 * right, right, q0 * wrong, wrong)
        metrics = _metrics(known.filter(answer_type=answer_type)) if metric is None else [metric]
        out.append(Calibration(answer_type, *counts, tuple(metrics)))
    return tuple(out)


def effective_size(values: FloatArray, cluster: IntArray) -> float:
    """How many independent clips these are worth: between the effective number of texts and the number of clips.

    n over the design effect (clustered variance over independent variance) where the values vary enough to tell one;
    else every text counts as one clip, weighted after Kish.
    """
    totals = ClusterTotals.of(values, cluster)
    if totals.single:
        return float(len(values))
    n, least = len(values), totals.effective
    mean = float(values.mean())
    errors = min(values.sum(), n - values.sum())
    if totals.count < 10 or errors < 5:
        return least
    independent = mean * (1 - mean) / n
    effect = totals.standard_error() ** 2 / independent
    return float(min(max(n / effect, least), n)) if effect > 0 and math.isfinite(effect) else least


def _parts(clips: pl.DataFrame) -> Iterator[tuple[str, str | None, str, str, pl.DataFrame]]:
    """Answer type, metric, q1 or q0, kind of foil, and its clips; all foils together come last."""
    for answer_type in clips["answer_type"].unique().sort():
        of_type = clips.filter(answer_type=answer_type)
        metrics = _metrics(of_type)
        groups: list[tuple[str | None, pl.DataFrame]] = [(None, of_type)]
        if len(metrics) > 1:
            groups += [(metric, of_type.filter(metric=metric)) for metric in metrics]
        for metric, group in groups:
            for quantity, foil, part in _kinds(group):
                yield answer_type, metric, quantity, foil, part


def _kinds(clips: pl.DataFrame) -> Iterator[tuple[str, str, pl.DataFrame]]:
    """q1 or q0, kind of foil, and its clips, for those that there are."""
    parts = [("q1", GOLD, clips.filter("truly_right"))]
    if "foil" in clips.columns:
        parts += [("q0", foil, clips.filter(foil=foil)) for foil in (PLAIN, SOUND_ALIKE)]
    parts.append(("q0", ALL_FOILS, clips.filter(~pl.col("truly_right"))))
    return (part for part in parts if part[2].height)


def _metrics(clips: pl.DataFrame) -> list[str]:
    """The metrics that scored the clips; none where nobody says."""
    return clips["metric"].drop_nulls().unique().sort().to_list() if "metric" in clips.columns else []


def _right(clips: pl.DataFrame) -> FloatArray:
    """1 where a clip was scored as it must be: a gold answer right, a foil wrong."""
    return (clips["scored_right"] == clips["truly_right"]).cast(pl.Float64).to_numpy()


def _texts(clips: pl.DataFrame) -> IntArray:
    """A code for each text that was said."""
    if "spoken" not in clips.columns:
        return np.arange(clips.height)
    _, codes = np.unique(clips["spoken"].to_numpy().astype(str), return_inverse=True)
    return np.asarray(codes, dtype=np.int64)


def _calibration(given: AnalysisInput) -> pl.DataFrame:
    clips = evidence_of(given).clips
    return RATES_SCHEMA.to_frame() if clips is None else rates(clips, given.options.intervals)


CALIBRATION = Table(name="calibration", row=RateRow, compute=_calibration)
"""Empty without a calibration."""
