"""Power of paired scores: the table `power`, and the sample sizes that a study needs.

Var(d) = pA qA + pB qB - 2 phi sqrt(pA qA pB qB) for binary scores of accuracies pA and pB with correlation phi, and
n = (z_{alpha/2} + z_power)^2 Var(d) / gap^2, the normal approximation for a paired difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import stats

from omnigap_orchestrator.analysis.contrasts import contrast_values, gap_contrast
from omnigap_orchestrator.analysis.intervals import ClusterTotals, design_effect
from omnigap_orchestrator.analysis.own_text import HEADLINE_MODELS
from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray, ModelScores
from omnigap_orchestrator.analysis.table import Table, schema_of


@dataclass(frozen=True, slots=True)
class PowerRow:
    """Sample size of one gap at the declared target gap."""

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
    # Items that the target gap needs, q = n / needed, and the gap that n items detect with this power.
    needed: int | None
    q: float | None
    detectable_gap: float | None
    # Items that equivalence within +-target_gap needs.
    needed_for_equivalence: int | None


POWER_SCHEMA = schema_of(PowerRow)


def paired_variance(first: float, second: float, phi: float) -> float:
    """Variance of the difference of two paired binary scores with these accuracies and correlation `phi`.

    Raises:
        ValueError: an accuracy is outside [0, 1], or `phi` is impossible for these accuracies.
    """
    for accuracy in (first, second):
        if not 0 <= accuracy <= 1:
            raise ValueError(f"accuracy={accuracy} must lie in [0, 1]")
    spread = math.sqrt(first * (1 - first) * second * (1 - second))
    low, high = phi_range(first, second)
    if not low - 1e-9 <= phi <= high + 1e-9:
        raise ValueError(
            f"phi={phi} is impossible for accuracies {first} and {second}: it must lie in [{low:.3f}, {high:.3f}]"
        )
    return first * (1 - first) + second * (1 - second) - 2 * phi * spread


def phi_range(first: float, second: float) -> tuple[float, float]:
    """Smallest and largest possible phi of two binary scores with these accuracies; (0, 0) if one never varies."""
    spread = math.sqrt(first * (1 - first) * second * (1 - second))
    if spread == 0:
        return 0.0, 0.0
    # The Frechet bounds of P(both right).
    product = first * second
    return (max(0.0, first + second - 1) - product) / spread, (min(first, second) - product) / spread


def pairs_needed(
    variance: float, gap: float, power: float = 0.8, alpha: float = 0.05, design_effect: float = 1.0
) -> int:
    """Items that a gap needs: (z_{alpha/2} + z_power)^2 Var(d) / gap^2, times the design effect, rounded up.

    Raises:
        ValueError: the gap is 0, or power or alpha is outside (0, 1).
    """
    _check(gap, power, alpha)
    z = float(stats.norm.isf(alpha / 2) + stats.norm.ppf(power))
    # Without the small number, rounding would turn an exact 1000 into 1001.
    return math.ceil(z * z * variance / (gap * gap) * design_effect - 1e-9)


def pairs_needed_for_equivalence(
    variance: float, margin: float, power: float = 0.8, alpha: float = 0.05, design_effect: float = 1.0
) -> int:
    """Items that two one-sided tests (TOST) need to show that a gap of 0 is within +-`margin`, rounded up."""
    _check(margin, power, alpha)
    # Both tests must reject; at a true gap of 0 each fails with half of 1 - power.
    z = float(stats.norm.isf(alpha) + stats.norm.ppf((1 + power) / 2))
    return math.ceil(z * z * variance / (margin * margin) * design_effect - 1e-9)


def detectable_gap(
    variance: float, n: int, power: float = 0.8, alpha: float = 0.05, design_effect: float = 1.0
) -> float:
    """The gap that `n` items detect with this power, in score units."""
    z = float(stats.norm.isf(alpha / 2) + stats.norm.ppf(power))
    return z * math.sqrt(variance * design_effect / n) if n > 0 else math.nan


def _check(gap: float, power: float, alpha: float) -> None:
    if gap == 0:
        raise ValueError("a gap of 0 needs infinitely many items: set target_gap above 0")
    if not 0 < power < 1 or not 0 < alpha < 1:
        raise ValueError(f"power={power} and alpha={alpha} must lie between 0 and 1")


def clusters_effect(difference: FloatArray, cluster: IntArray) -> float:
    """Design effect of the mean of differences, shape (items,), at least 1; NaN if they don't vary."""
    n = len(difference)
    variance = float(difference.var(ddof=1)) if n > 1 else 0.0
    return math.nan if variance <= 1e-12 else design_effect(ClusterTotals.of(difference, cluster), variance)


def power_table(
    models: Sequence[ModelScores], reference: str, target_gap: float, power: float = 0.8, alpha: float = 0.05
) -> pl.DataFrame:
    """phi, variance and design effect of each gap of a run, and the sample size that follows.

    `needed` is computed at the declared `target_gap`: power at the observed gap would only restate its p-value.

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
            # Equal differences have a variance of rounding errors only, from which no sample size follows.
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
        given[HEADLINE_MODELS],
        given.options.reference,
        given.options.target_gap,
        given.options.power,
        1 - given.options.intervals.level,
    ),
)


@dataclass(frozen=True, slots=True)
class NeedRow:
    """Sample size of one gap."""

    # Null for a row that rests on assumed accuracies.
    model: str | None
    condition: str | None
    # Items of the pilot with both scores.
    n: int | None
    reference_accuracy: float | None
    accuracy: float | None
    phi: float | None
    design_effect: float | None
    # Items for the gap without correction, in the strictest step of Holm's procedure, and for equivalence.
    needed: int | None
    needed_holm: int | None
    needed_for_equivalence: int | None


NEEDS_SCHEMA = schema_of(NeedRow)

ASSUMED_PHIS = (0.0, 0.15, 0.3, 0.5, 0.7)
"""From independent to strongly paired. Between distant conditions of real omni models it was 0.15 to 0.25."""


def pilot_needs(
    pilot: Sequence[ModelScores], reference: str, target_gap: float, power: float = 0.8, alpha: float = 0.05
) -> pl.DataFrame:
    """Sample size of each gap at `target_gap`, with phi, variance and clusters of a pilot.

    `needed_holm` is that of the strictest step of Holm's procedure, at alpha divided by the model's number of gaps.

    Returns:
        A frame of `NEEDS_SCHEMA`.
    """
    single = power_table(pilot, reference, target_gap, power, alpha)
    parts = [single.head(0).with_columns(needed_holm=pl.lit(None, pl.Int64))]
    for scores in pilot:
        of_model = single.filter(pl.col("model") == scores.model)
        if not of_model.is_empty():
            strict = power_table([scores], reference, target_gap, power, alpha / of_model.height)
            parts.append(of_model.with_columns(needed_holm=strict["needed"]))
    return pl.concat(parts).select(NEEDS_SCHEMA.names()).cast(NEEDS_SCHEMA)


def assumed_needs(
    accuracy: float, target_gap: float, power: float = 0.8, alpha: float = 0.05, contrasts: int = 5
) -> pl.DataFrame:
    """Sample size without a pilot: `accuracy` falls by `target_gap`, for each possible phi of `ASSUMED_PHIS`.

    Args:
        contrasts: number of gaps in the family of Holm's procedure.

    Returns:
        A frame of `NEEDS_SCHEMA`.

    Raises:
        ValueError: an accuracy is outside [0, 1], or the gap is 0.
    """
    lower = accuracy - target_gap
    paired_variance(accuracy, lower, 0.0)  # raises for an accuracy outside [0, 1]
    low, high = phi_range(accuracy, lower)
    rows: list[tuple[object, ...]] = []
    for phi in ASSUMED_PHIS:
        if low <= phi <= high:
            variance = paired_variance(accuracy, lower, phi)
            needed = [pairs_needed(variance, target_gap, power, level) for level in (alpha, alpha / contrasts)]
            equivalence = pairs_needed_for_equivalence(variance, target_gap, power, alpha)
            rows.append((None, None, None, accuracy, lower, phi, 1.0, *needed, equivalence))
    return pl.DataFrame(rows, schema=NEEDS_SCHEMA, orient="row")
