"""How many items a gap takes, and how large a gap a run could have seen, for paired scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import stats

from omnigap_orchestrator.analysis.contrasts import contrast_values, gap_contrast
from omnigap_orchestrator.analysis.intervals import ClusterTotals, design_effect
from omnigap_orchestrator.analysis.pairs import MODELS, FloatArray, IntArray, ModelScores
from omnigap_orchestrator.analysis.table import Table, schema_of


@dataclass(frozen=True, slots=True)
class PowerRow:
    """Power of one gap at the declared target gap."""

    model: str
    condition: str
    reference: str
    n: int
    clusters: int
    reference_accuracy: float
    accuracy: float
    phi: float | None
    variance: float
    design_effect: float | None
    target_gap: float
    power: float
    alpha: float
    # Items that the target gap takes, q = n / needed, and the gap that n items show with this power.
    needed: int | None
    q: float | None
    detectable_gap: float | None
    # To show that there is none of +-target_gap.
    needed_for_equivalence: int | None


POWER_SCHEMA = schema_of(PowerRow)


def paired_variance(first: float, second: float, phi: float) -> float:
    """Variance of the difference of two paired binary scores with these accuracies and correlation `phi`.

    Raises:
        ValueError: an accuracy outside [0, 1], or a phi that no pair of such scores can have.
    """
    for accuracy in (first, second):
        if not 0 <= accuracy <= 1:
            raise ValueError(f"accuracy {accuracy} lies outside [0, 1]")
    spread = math.sqrt(first * (1 - first) * second * (1 - second))
    low, high = phi_range(first, second)
    if not low - 1e-9 <= phi <= high + 1e-9:
        raise ValueError(
            f"phi={phi} is impossible for accuracies {first} and {second}: it lies in [{low:.3f}, {high:.3f}]"
        )
    return first * (1 - first) + second * (1 - second) - 2 * phi * spread


def phi_range(first: float, second: float) -> tuple[float, float]:
    """The least and greatest phi that two binary scores with these accuracies can have; (0, 0) if one never varies."""
    spread = math.sqrt(first * (1 - first) * second * (1 - second))
    if spread == 0:
        return 0.0, 0.0
    product = first * second
    return (max(0.0, first + second - 1) - product) / spread, (min(first, second) - product) / spread


def pairs_needed(
    variance: float, gap: float, power: float = 0.8, alpha: float = 0.05, design_effect: float = 1.0
) -> int:
    """(z_{alpha/2} + z_power)^2 Var(d) / gap^2 items, times the design effect of clusters, rounded up.

    Raises:
        ValueError: a gap of 0, or a power or alpha outside (0, 1).
    """
    _check(gap, power, alpha)
    z = float(stats.norm.isf(alpha / 2) + stats.norm.ppf(power))
    return math.ceil(z * z * variance / (gap * gap) * design_effect - 1e-9)


def pairs_needed_for_equivalence(
    variance: float, margin: float, power: float = 0.8, alpha: float = 0.05, design_effect: float = 1.0
) -> int:
    """Items that two one-sided tests take to show a gap within +-`margin` when there is none, rounded up."""
    _check(margin, power, alpha)
    z = float(stats.norm.isf(alpha) + stats.norm.ppf((1 + power) / 2))
    return math.ceil(z * z * variance / (margin * margin) * design_effect - 1e-9)


def detectable_gap(
    variance: float, n: int, power: float = 0.8, alpha: float = 0.05, design_effect: float = 1.0
) -> float:
    """The gap that `n` items show with this power."""
    z = float(stats.norm.isf(alpha / 2) + stats.norm.ppf(power))
    return z * math.sqrt(variance * design_effect / n) if n > 0 else math.nan


def _check(gap: float, power: float, alpha: float) -> None:
    if gap == 0:
        raise ValueError("a gap of 0 takes infinitely many items: declare a target gap above 0")
    if not 0 < power < 1 or not 0 < alpha < 1:
        raise ValueError(f"power={power} and alpha={alpha} must lie between 0 and 1")


def clusters_effect(difference: FloatArray, cluster: IntArray) -> float:
    """Clustered over independent variance of the mean of differences (items,), at least 1; NaN where none varies."""
    n = len(difference)
    variance = float(difference.var(ddof=1)) if n > 1 else 0.0
    return math.nan if variance <= 1e-12 else design_effect(ClusterTotals.of(difference, cluster), variance)


def power_table(
    models: Sequence[ModelScores], reference: str, target_gap: float, power: float = 0.8, alpha: float = 0.05
) -> pl.DataFrame:
    """What each gap of a run, or of a pilot, had in phi, variance and clusters, and what that asks for.

    N* is taken at the declared `target_gap`, never at the observed one; q = N / N*.

    Returns:
        A frame of `POWER_SCHEMA`.
    """
    rows: list[tuple[object, ...]] = []
    for scores in models:
        if reference not in scores.conditions:
            continue
        for condition in scores.conditions:
            if condition == reference:
                continue
            values = contrast_values(scores, gap_contrast(condition, reference))
            used = ~np.isnan(values.value)
            n = int(used.sum())
            if n < 2:
                continue
            part = values.scores.where(used)
            difference = values.value[used]
            first, second = (part.score[:, part.column(name)] for name in (reference, condition))
            phi = math.nan
            if first.std() > 0 and second.std() > 0:
                phi = float(np.corrcoef(first, second)[0, 1])
            variance = float(difference.var(ddof=1))
            clusters = len(np.unique(part.cluster))
            effect = clusters_effect(difference, part.cluster)
            needed = equivalence = None
            q = seen = math.nan
            # Differences that are all alike leave a variance of rounding alone, which takes no item at all.
            if variance > 1e-12 and not math.isnan(effect):
                needed = pairs_needed(variance, target_gap, power, alpha, effect)
                equivalence = pairs_needed_for_equivalence(variance, target_gap, power, alpha, effect)
                q, seen = n / needed, detectable_gap(variance, n, power, alpha, effect)
            accuracies = (float(first.mean()), float(second.mean()))
            head = (scores.model, condition, reference, n, clusters, *accuracies)
            rows.append((*head, phi, variance, effect, target_gap, power, alpha, needed, q, seen, equivalence))
    return pl.DataFrame(rows, schema=POWER_SCHEMA, orient="row").fill_nan(None)


POWER = Table(
    name="power",
    row=PowerRow,
    compute=lambda given: power_table(
        given[MODELS],
        given.options.reference,
        given.options.target_gap,
        given.options.power,
        1 - given.options.intervals.level,
    ),
)


# How many items a study takes to show a gap: from a pilot's own scores, or from assumed accuracies.


@dataclass(frozen=True, slots=True)
class NeedRow:
    """Items that one gap takes."""

    # Null where nothing was measured: the row is an assumption.
    model: str | None
    condition: str | None
    # Items of the pilot that had both scores.
    n: int | None
    reference_accuracy: float | None
    accuracy: float | None
    phi: float | None
    design_effect: float | None
    # Items for the gap alone, for it in the worst place of Holm's procedure, and to show that there is none.
    needed: int | None
    needed_holm: int | None
    needed_for_equivalence: int | None


NEEDS_SCHEMA = schema_of(NeedRow)

ASSUMED_PHIS = (0.0, 0.15, 0.3, 0.5, 0.7)
"""From independent to strongly paired. On real omni models 0.15 to 0.25 was measured between distant conditions."""


def pilot_needs(
    pilot: Sequence[ModelScores], reference: str, target_gap: float, power: float = 0.8, alpha: float = 0.05
) -> pl.DataFrame:
    """What each gap of a pilot asks for at `target_gap`, with the pilot's own phi, variance and clusters.

    `needed_holm` holds in the worst place of Holm's procedure, at alpha over the number of the model's contrasts.

    Returns:
        A frame of `NEEDS_SCHEMA`.
    """
    single = power_table(pilot, reference, target_gap, power, alpha)
    parts = [single.head(0).with_columns(needed_holm=pl.lit(None, pl.Int64))]
    for scores in pilot:
        ours = single.filter(pl.col("model") == scores.model)
        if not ours.is_empty():
            strict = power_table([scores], reference, target_gap, power, alpha / ours.height)
            parts.append(ours.with_columns(needed_holm=strict["needed"]))
    return pl.concat(parts).select(NEEDS_SCHEMA.names()).cast(NEEDS_SCHEMA)


def assumed_needs(
    accuracy: float, target_gap: float, power: float = 0.8, alpha: float = 0.05, contrasts: int = 5
) -> pl.DataFrame:
    """What a gap takes where nothing was measured yet: `accuracy` falls by `target_gap`, for each of `ASSUMED_PHIS`.

    Raises:
        ValueError: an accuracy or a gap that leaves [0, 1].
    """
    lower = accuracy - target_gap
    paired_variance(accuracy, lower, 0.0)  # refuses what is no accuracy
    low, high = phi_range(accuracy, lower)
    rows: list[tuple[object, ...]] = []
    for phi in ASSUMED_PHIS:
        if low <= phi <= high:
            variance = paired_variance(accuracy, lower, phi)
            needed = [pairs_needed(variance, target_gap, power, level) for level in (alpha, alpha / contrasts)]
            none = pairs_needed_for_equivalence(variance, target_gap, power, alpha)
            rows.append((None, None, None, accuracy, lower, phi, 1.0, *needed, none))
    return pl.DataFrame(rows, schema=NEEDS_SCHEMA, orient="row")
