"""The table `scorer_errors`: how well the ASR scorer understands each voice, by word errors with intervals.

Against a model's own text, errors of its speech count too: it may not say what it writes. Against the texts of a
calibration, only the TTS service and the scorer can be wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from omnigap.vocabulary import Flag, Outcome
from omnigap_orchestrator.analysis.intervals import ClusterTotals, augmented_t
from omnigap_orchestrator.analysis.own_text import OWN_TEXT
from omnigap_orchestrator.analysis.table import AnalysisInput, Table, schema_of
from omnigap_orchestrator.extension import extras

CALIBRATION = "calibration"

KNOWN_ERRORS_SCHEMA = pl.Schema(
    {
        # Null: the default voice of the TTS service.
        "voice": pl.String,
        # The spoken text.
        "cluster": pl.String,
        "wer_errors": pl.Int64,
        "wer_words": pl.Int64,
    }
)
"""Word errors of the scorer on synthesised clips of known texts, one row per clip, from `Extra.scorer_errors`."""


@dataclass(frozen=True, slots=True)
class ScorerErrorsRow:
    """Word errors of the scorer on the speech of one model, or on one voice of the TTS service."""

    # own_text or calibration.
    against: str
    # Null for the calibration.
    model: str | None
    # Of the calibration; null: the TTS service's default.
    voice: str | None
    # (I + D + S) / T, pooled; may exceed 1. Null if no transcript has a text to compare it with.
    wer: float | None
    low: float | None
    high: float | None
    method: str | None
    # Transcripts that were compared, and items or texts.
    clips: int
    clusters: int
    errors: int
    words: int


SCORER_ERRORS_SCHEMA = schema_of(ScorerErrorsRow)

_NEEDED = frozenset(("model", "cluster", "output", "transcript", "wer_errors", "wer_words"))


def scorer_errors(results: pl.DataFrame, known: pl.DataFrame | None = None, level: float = 0.95) -> pl.DataFrame:
    """Word errors of each model with transcribed answers, over all its spoken conditions, and of each known voice.

    The interval is that of a ratio with the words of an item as its size: a cluster-robust t interval after adding one
    word without an error, and one with as many as the worst item has per word, at least one. So two wrong words do not
    exclude that most are right. Silent answers are left out.

    Args:
        results: tables of other tools may lack the word errors; the frame is then empty.
        known: word errors of a calibration (`KNOWN_ERRORS_SCHEMA`).

    Returns:
        A frame of `SCORER_ERRORS_SCHEMA`.
    """
    rows = [] if known is None else list(_of_voices(known, level))
    if set(results.columns) >= _NEEDED:
        rows += _of_models(results, level)
    return pl.DataFrame(rows, schema=SCORER_ERRORS_SCHEMA, orient="row")


def _of_models(results: pl.DataFrame, level: float) -> Iterator[tuple[object, ...]]:
    heard = (
        (pl.col("outcome") == Outcome.ANSWERED.value)
        & (pl.col("output") == "speech")
        & pl.col("transcript").is_not_null()
    )
    spoken = results.filter(heard)
    if "flags" in spoken.columns:
        # Nothing was said, whatever the own text is: no transcript could be right.
        spoken = spoken.filter(~pl.col("flags").list.contains(Flag.SILENT.value).fill_null(False))
    for (model,), part in spoken.group_by("model", maintain_order=True):
        yield (OWN_TEXT, model, None, *_pooled(part, level))


def _of_voices(known: pl.DataFrame, level: float) -> Iterator[tuple[object, ...]]:
    for (voice,), part in known.group_by("voice", maintain_order=True):
        yield (CALIBRATION, None, voice, *_pooled(part, level))


def _pooled(clips: pl.DataFrame, level: float) -> tuple[object, ...]:
    """The values of a `ScorerErrorsRow` from `wer` on."""
    counted = clips.filter(pl.col("wer_errors").is_not_null() & (pl.col("wer_words") > 0))
    if counted.is_empty():
        return None, None, None, None, 0, 0, 0, 0
    by_cluster = counted.group_by("cluster").agg(pl.col("wer_errors", "wer_words").sum()).sort("cluster")
    errors, words = (by_cluster[name].to_numpy().astype(np.float64) for name in ("wer_errors", "wer_words"))
    totals = ClusterTotals(errors, words)
    # A transcript can have more errors than its reference has words: the largest rate of an item is the upper end.
    found = augmented_t(totals, 0.0, max(1.0, float((errors / words).max())), level)
    limits = (None, None, None) if math.isnan(found.low) else (found.low, found.high, found.method)
    return totals.mean, *limits, counted.height, totals.count, int(errors.sum()), int(words.sum())


def _computed(given: AnalysisInput) -> pl.DataFrame:
    frames = [extra.scorer_errors(given.evidence.get(extra.name)) for extra in extras()]
    found = [frame for frame in frames if frame is not None]
    return scorer_errors(given.results, pl.concat(found) if found else None, given.options.intervals.level)


SCORER_ERRORS = Table(name="scorer_errors", row=ScorerErrorsRow, compute=_computed)
