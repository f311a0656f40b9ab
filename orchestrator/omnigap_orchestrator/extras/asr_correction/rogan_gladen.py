"""Rogan-Gladen correction of binary scores for the errors of an ASR scorer, with intervals.

With p the raw share of right answers, q1 = P(scored right | truly right) and q0 = P(scored wrong | truly wrong), the
corrected accuracy is theta = (p + q0 - 1) / (q0 + q1 - 1) (Rogan and Gladen 1978, American Journal of Epidemiology
107:71). The interval also carries the sampling variance of q0 and q1, after arXiv 2511.21140. This module extends it to
clusters, to several answer types with separate rates, and to the gap of two conditions with its covariance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy import stats

from omnigap_orchestrator.analysis.choose_interval import Sample, enough_for_t, informative_values, mean_interval
from omnigap_orchestrator.analysis.intervals import ClusterTotals
from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray

FloatT = TypeVar("FloatT", float, FloatArray)

MIN_INFORMATION = 0.2
"""Smallest q0 + q1 - 1 that is corrected: the standard error grows with its inverse, so below it is beyond use."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Confusion counts of one answer type.

    Attributes:
        true_positives: of the `positives` (clips of gold answers) those that were scored right.
        true_negatives: of the `negatives` (clips of wrong answers) those that were scored wrong. All four are effective
            counts where clips depend on each other, and need not be integers.
        metrics: metrics that scored the clips; empty if unknown.
    """

    answer_type: str
    true_positives: float
    positives: float
    true_negatives: float
    negatives: float
    metrics: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        positives = 0 <= self.true_positives <= self.positives and self.positives > 0
        negatives = 0 <= self.true_negatives <= self.negatives and self.negatives > 0
        if not (positives and negatives):
            raise ValueError(f"impossible calibration counts for {self.answer_type!r}: {self}")

    @property
    def q1(self) -> float:
        """Sensitivity: P(scored right | truly right)."""
        return self.true_positives / self.positives

    @property
    def q0(self) -> float:
        """Specificity: P(scored wrong | truly wrong)."""
        return self.true_negatives / self.negatives

    @property
    def information(self) -> float:
        """Youden's J = q0 + q1 - 1: 1 for a perfect scorer, 0 for one whose scores are independent of the truth."""
        return self.q0 + self.q1 - 1

    def variances(self) -> tuple[float, float]:
        """Binomial variances of q1 and q0.

        One success and one failure are added to each (Laplace): no error in 50 clips must not give a variance of 0.
        """
        q1 = (self.true_positives + 1) / (self.positives + 2)
        q0 = (self.true_negatives + 1) / (self.negatives + 2)
        return q1 * (1 - q1) / (self.positives + 2), q0 * (1 - q0) / (self.negatives + 2)


def corrected(raw: FloatT, q0: FloatT, q1: FloatT) -> FloatT:
    """The Rogan-Gladen estimate theta = (p + q0 - 1) / (q0 + q1 - 1)."""
    # Not clipped to [0, 1]: clipping is for display, inside a gap or a mean it would bias.
    return (raw + q0 - 1) / (q0 + q1 - 1)


@dataclass(frozen=True, slots=True)
class Corrected:
    """A corrected mean or gap; NaN except for `raw`, with a `reason`, if it is refused."""

    raw: float
    estimate: float
    low: float
    high: float
    se: float
    # The part of `se` that is due to the calibration.
    calibration_se: float
    n: int
    clusters: int
    # Method of the interval over the items; the calibration's variance is added to it.
    method: str = "none"
    reason: str | None = None

    @classmethod
    def refused(cls, raw: float, n: int, clusters: int, reason: str | None) -> Corrected:
        return cls(raw, math.nan, math.nan, math.nan, math.nan, math.nan, n, clusters, reason=reason)


def correct(
    scores: FloatArray,
    types: IntArray,
    calibrations: tuple[Calibration, ...],
    cluster: IntArray,
    reference: FloatArray | None = None,
    options: IntervalOptions | None = None,
    *,
    transcribed: tuple[bool, bool] = (True, False),
) -> Corrected:
    """Corrects the mean of binary scores, or their gap to the scores of a reference condition on the same items.

    Args:
        scores: shape (items,), raw scores of the condition.
        types: shape (items,), index of each item into `calibrations`.
        reference: shape (items,), scores of the reference condition; None for the accuracy itself.
        options: level, seed and draws of the interval; None: the defaults.
        transcribed: whether `scores`, and `reference`, are of transcribed speech; scores of text answers are not
            corrected.

    Returns:
        `Corrected.refused` with the reason if q0 + q1 - 1 < `MIN_INFORMATION` for an answer type, or with fewer than
        two clusters.
    """
    options = options or IntervalOptions()
    used = [calibrations[int(code)] for code in np.unique(types)] if len(scores) else []
    weak = [c for c in used if c.information < MIN_INFORMATION]
    n, clusters = len(scores), len(np.unique(cluster))
    base = np.zeros(n) if reference is None else reference
    raw = float((scores - base).mean()) if n else math.nan
    if weak or clusters < 2:
        reason = "fewer than two clusters"
        if weak:
            by = f" by {', '.join(weak[0].metrics)}" if weak[0].metrics else ""
            information = f"q0 + q1 - 1 = {weak[0].information:.2f} < {MIN_INFORMATION}"
            reason = f"the scorer is too unreliable for {weak[0].answer_type!r}{by}: {information}"
        return Corrected.refused(raw, n, clusters, reason)
    q0, q1 = (np.array([getattr(c, name) for c in calibrations])[types] for name in ("q0", "q1"))
    corrects, corrects_base = transcribed[0], transcribed[1] and reference is not None
    # The correction is linear in p, so it may be applied to each item's score: the mean of the mapped scores is the
    # corrected accuracy, and the clustered variance of (mapped - base) contains the covariance of the two conditions.
    mapped, base = (
        corrected(values, q0, q1) if corrects_this else values
        for values, corrects_this in ((scores, corrects), (base, corrects_base))
    )
    totals = ClusterTotals.of(mapped - base, cluster)
    calibration_variance = 0.0
    for code in np.unique(types):
        calibration, mask = calibrations[int(code)], types == code
        theta, other, weight = float(mapped[mask].mean()), float(base[mask].mean()), float(mask.mean())
        calibration_variance += weight**2 * _delta_variance(
            calibration, theta if corrects else None, other if corrects_base else None
        )
    se = math.sqrt(totals.standard_error() ** 2 + calibration_variance)
    values = scores if reference is None else scores - reference
    # Scores that are averaged over replicates are no longer 0 or 1.
    binary = bool(np.isin(values, (-1.0, 0.0, 1.0)).all())
    sample = Sample(values, cluster, types, binary, reference is not None)
    if enough_for_t(ClusterTotals.of(sample.values, cluster), informative_values(sample)):
        below = above = float(stats.t.ppf(0.5 + options.level / 2, clusters - 1)) * se
        method = "cluster_t"
    else:
        # A t interval is too narrow here (see `choose_interval`). The raw score's own interval is scaled by the largest
        # slope of the correction, 1 / J, and the calibration's part is added in quadrature, as MOVER adds independent
        # parts.
        inner = mean_interval(sample, options)
        slope = 1 / min(c.information for c in used)
        calibration_part = float(stats.norm.ppf(0.5 + options.level / 2)) * math.sqrt(calibration_variance)
        below = math.hypot(slope * (raw - inner.low), calibration_part)
        above = math.hypot(slope * (inner.high - raw), calibration_part)
        method = inner.method
    estimate = totals.mean
    calibration_se = math.sqrt(calibration_variance)
    return Corrected(raw, estimate, estimate - below, estimate + above, se, calibration_se, n, clusters, method)


def _delta_variance(calibration: Calibration, theta: float | None, reference: float | None) -> float:
    """Variance of a corrected mean, or gap, that comes from q1 and q0 (delta method).

    With J = q0 + q1 - 1, d theta / d q1 = -theta / J and d theta / d q0 = (1 - theta) / J. Where both conditions are
    transcribed by one scorer, the derivatives are subtracted: the scorer makes the same errors in both, so a gap of 0
    has no variance from the calibration.

    Args:
        theta: corrected accuracy of the condition, and
        reference: that of the reference; None for a condition that is not corrected.
    """
    by_q1 = (theta or 0.0) - (reference or 0.0)
    by_q0 = (0.0 if theta is None else 1 - theta) - (0.0 if reference is None else 1 - reference)
    v1, v0 = calibration.variances()
    return (by_q0**2 * v0 + by_q1**2 * v1) / calibration.information**2
