"""The table `at_floor`: models that answer no better than a guess in any condition, so that no gap can be measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from omnigap_orchestrator.analysis.accuracy import ANSWERED_ONLY, HEADLINE_ACCURACY, AccuracyRow
from omnigap_orchestrator.analysis.chance import CHANCES, chance_array
from omnigap_orchestrator.analysis.contrasts import headline
from omnigap_orchestrator.analysis.own_text import HEADLINE_MODELS
from omnigap_orchestrator.analysis.pairs import ModelScores
from omnigap_orchestrator.analysis.table import AnalysisInput, Table, rows_of, schema_of

FLOOR_MARGIN = 0.05
"""Accuracy above chance up to which a condition counts as no better than a guess."""


@dataclass(frozen=True, slots=True)
class FloorRow:
    """Whether a model answers no better than a guess in all conditions, so that no gap can be measured."""

    model: str
    at_floor: bool
    # Also shown by the intervals: every upper limit lies below the threshold.
    shown: bool
    # Mean over the items; an unknown chance counts as 0.
    chance: float
    chance_unknown: int
    # chance + FLOOR_MARGIN.
    threshold: float
    # The largest accuracy of a condition, and the largest upper limit.
    highest: float | None
    condition: str | None
    upper: float | None
    conditions: int


FLOOR_SCHEMA = schema_of(FloorRow)


def at_floor(models: Sequence[ModelScores], accuracy: pl.DataFrame, chances: Mapping[str, float]) -> pl.DataFrame:
    """The floor verdict of every model that has scores.

    A model is at the floor if its accuracy on answered items is at most `FLOOR_MARGIN` above chance in *every*
    condition: a model that knows no answer can't lose any, so small gaps say nothing about modalities. One condition
    above the threshold is enough to measure a gap.

    Args:
        accuracy: a frame of `ACCURACY_SCHEMA`.

    Returns:
        A frame of `FLOOR_SCHEMA`.
    """
    rows: list[tuple[object, ...]] = []
    for scores in models:
        frame = headline(accuracy, ANSWERED_ONLY, scores.model).drop_nulls("estimate")
        found = [row for row in rows_of(frame, AccuracyRow) if row.estimate is not None]
        if not found:
            continue
        luck = chance_array(scores, chances)
        chance = float(np.nan_to_num(luck).mean())
        threshold = chance + FLOOR_MARGIN
        best = max(found, key=lambda row: row.estimate or 0.0)
        uppers = [row.high for row in found if row.high is not None]
        upper = max(uppers) if len(uppers) == len(found) else math.nan
        rows.append(
            (
                scores.model,
                # Tolerance: 0.25 + 0.05 must count 30 of 100 as at the threshold.
                (best.estimate or 0.0) <= threshold + 1e-9,
                upper <= threshold + 1e-9,
                chance,
                int(np.isnan(luck).sum()),
                threshold,
                best.estimate,
                best.condition,
                upper,
                len(found),
            )
        )
    return pl.DataFrame(rows, schema=FLOOR_SCHEMA, orient="row").fill_nan(None)


def _at_floor(given: AnalysisInput) -> pl.DataFrame:
    # Of the scores on which the first screen rests.
    return at_floor(given[HEADLINE_MODELS], given[HEADLINE_ACCURACY], given[CHANCES])


FLOOR = Table(name="at_floor", row=FloorRow, compute=_at_floor)
