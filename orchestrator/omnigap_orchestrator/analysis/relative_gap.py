"""The table `relative_gaps`: each gap as a share of what the reference shows above chance.

(condition - reference) / (reference - chance): 0 loses nothing, -1 loses everything that is above guessing. Models of
different strength compare on this scale: 10 points are much for a model that scores 35 % with four choices, and little
for one that scores 95 %.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from omnigap_orchestrator.analysis.chance import CHANCES, chance_array
from omnigap_orchestrator.analysis.choose_interval import Sample, mean_interval
from omnigap_orchestrator.analysis.contrasts import ANSWERED_PAIRS, contrast_values, gap_contrast, headline
from omnigap_orchestrator.analysis.gap import HEADLINE_GAPS, GapRow
from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.own_text import HEADLINE_MODELS
from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray, ModelScores
from omnigap_orchestrator.analysis.table import IntervalColumns, Table, rows_of, schema_of


@dataclass(frozen=True)
class _RelativeKey:
    model: str
    condition: str
    reference: str


@dataclass(frozen=True, slots=True)
class RelativeGapRow(IntervalColumns, _RelativeKey):
    """One gap relative to the reference's accuracy above chance, item-weighted, on answered pairs."""

    lacking: int
    # Numerator and denominator, the latter with its interval.
    gap: float | None
    above_chance: float | None
    above_low: float | None
    above_high: float | None
    # Mean over the pairs; null if it is unknown for some.
    chance: float | None
    # Why there is no estimate.
    reason: str | None


RELATIVE_GAPS_SCHEMA = schema_of(RelativeGapRow)

METHOD = "mover_ratio"


def relative_gaps(
    models: Sequence[ModelScores], gaps: pl.DataFrame, options: IntervalOptions, chances: Mapping[str, float]
) -> pl.DataFrame:
    """The relative gap of every condition of every model.

    There is no estimate where the reference is not shown to be above chance (the lower limit of its accuracy is not
    above it), where the chance of an item is unknown, or where the gap is refused.

    Args:
        models: the scores that `gaps` was computed from.
        gaps: a frame of `GAPS_SCHEMA`; the item-weighted gaps on answered pairs are used, with their intervals.
        chances: known chances by item id.

    Returns:
        A frame of `RELATIVE_GAPS_SCHEMA`.
    """
    by_model = {scores.model: (scores, chance_array(scores, chances)) for scores in models}
    rows = [
        (gap.model, gap.condition, gap.reference, *_row(*by_model[gap.model], gap, options))
        for gap in rows_of(headline(gaps, ANSWERED_PAIRS), GapRow)
    ]
    return pl.DataFrame(rows, schema=RELATIVE_GAPS_SCHEMA, orient="row", infer_schema_length=None).fill_nan(None)


def _row(scores: ModelScores, luck: FloatArray, gap: GapRow, options: IntervalOptions) -> tuple[object, ...]:
    values = contrast_values(scores, gap_contrast(gap.condition, gap.reference))
    used = ~np.isnan(values.value)
    part, n = values.scores.where(used), int(used.sum())
    columns = [scores.column(name) for name in (gap.condition, gap.reference)]
    luck = luck[np.all(scores.planned[:, columns] > 0, axis=1)][used]
    counts = (n, gap.clusters, gap.planned, gap.lacking)
    nothing = (math.nan, math.nan, math.nan, None, *counts)
    unknown = int(np.isnan(luck).sum())
    chance = math.nan if unknown or not n else float(luck.mean())
    if gap.estimate is None or gap.low is None or gap.high is None:
        return (*nothing, gap.estimate, *[math.nan] * 3, chance, gap.reason or "the gap has no interval")
    if unknown:
        reason = f"the chance of {unknown} of {n} items is unknown: set [analysis] chance, or give a column chance"
        return (*nothing, gap.estimate, *[math.nan] * 3, chance, reason)
    ends = part.score[:, part.column(gap.reference)]
    one = bool((part.planned[:, part.column(gap.reference)] == 1).all() and np.isin(ends, (0.0, 1.0)).all())
    known = mean_interval(Sample(ends, part.cluster, part.task, one, difference=False), options)
    # Chance is a property of these items, not an estimate: it shifts the interval of the accuracy.
    above = (float(ends.mean()) - chance, known.low - chance, known.high - chance)
    if not above[1] > 0:
        reason = f"{gap.reference} is not shown to be above chance ({100 * chance:.1f} %)"
        return (*nothing, gap.estimate, *above, chance, reason)
    rho = _correlation(values.value[used], ends, part.cluster)
    low, high = ratio_limits((gap.estimate, gap.low, gap.high), above, rho)
    estimate = gap.estimate / above[0]
    if math.isnan(low):
        reason = f"{gap.reference} is too little above chance for an interval"
        return (estimate, low, high, None, *counts, gap.estimate, *above, chance, reason)
    return (estimate, low, high, METHOD, *counts, gap.estimate, *above, chance, None)


def ratio_limits(
    first: tuple[float, float, float], second: tuple[float, float, float], rho: float
) -> tuple[float, float]:
    """Limits of first / second from the estimate and limits of each, by MOVER for ratios.

    Donner and Zou 2012, Statistical Methods in Medical Research 21:347. With equal symmetric limits it is Fieller's
    interval; it excludes 0 exactly where the limits of `first` do.

    Args:
        first: estimate, lower and upper limit of the numerator.
        second: of the denominator, whose lower limit must be positive.
        rho: correlation of the two estimates.

    Returns:
        NaN limits if the denominator's interval reaches twice its estimate.
    """
    a, low, high = first
    b, below, above = second
    if math.isnan(low) or math.isnan(high) or not below > 0 or above >= 2 * b:
        return math.nan, math.nan

    def limit(end: float, other: float, sign: float) -> float:
        # The ratios r with (a - r b)^2 = d1^2 + (r d2)^2 - 2 r rho d1 d2, for half-widths d1 of a and d2 of b.
        d1, d2 = abs(end - a), abs(other - b)
        product = a * b - rho * d1 * d2
        scale = b * b - d2 * d2
        return (product + sign * math.sqrt(max(0.0, product * product - scale * (a * a - d1 * d1)))) / scale

    # The denominator's limit that moves the ratio further from the estimate depends on the sign of the ratio there.
    return limit(low, above if low >= 0 else below, -1.0), limit(high, below if high >= 0 else above, 1.0)


def _correlation(first: FloatArray, second: FloatArray, cluster: IntArray) -> float:
    """Correlation of two means over the same clusters; 0 if one does not vary."""
    _, codes = np.unique(cluster, return_inverse=True)
    sizes = np.bincount(codes)
    a, b = (np.bincount(codes, weights=v) - sizes * v.mean() for v in (first, second))
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / scale if scale > 0 else 0.0


RELATIVE_GAPS = Table(
    name="relative_gaps",
    row=RelativeGapRow,
    compute=lambda given: relative_gaps(
        given[HEADLINE_MODELS], given[HEADLINE_GAPS], given.options.intervals, given[CHANCES]
    ),
)
