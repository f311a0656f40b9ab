"""Scores corrected for an ASR scorer that errs: Rogan and Gladen's estimator with the calibration's own uncertainty.

For binary metrics only. q1 = P(scored right | truly right) and q0 = P(scored wrong | truly wrong), by answer type.
After arXiv 2511.21140, with clusters, several answer types, and the covariance of a gap's two conditions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from omnigap_orchestrator.analysis.choose_interval import Sample, enough_for_t, informative_values, mean_interval
from omnigap_orchestrator.analysis.intervals import ClusterTotals
from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray

MIN_INFORMATION = 0.2
"""A correction is refused when q0 + q1 - 1 is below this: the scorer then tells too little."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Counts of one answer type: `kept` of `right` true answers, `caught` of `wrong` foils, scored as such.

    Where clips depend on each other, these are effective counts, and need not be whole. `metrics`: those that scored
    the clips; empty where nobody says.
    """

    answer_type: str
    kept: float
    right: float
    caught: float
    wrong: float
    metrics: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (0 <= self.kept <= self.right and 0 <= self.caught <= self.wrong and self.right > 0 and self.wrong > 0):
            raise ValueError(f"impossible calibration counts for {self.answer_type!r}: {self}")

    @property
    def q1(self) -> float:
        return self.kept / self.right

    @property
    def q0(self) -> float:
        return self.caught / self.wrong

    @property
    def information(self) -> float:
        """q0 + q1 - 1 (Youden's J): 1 for a perfect scorer, 0 for one that knows nothing."""
        return self.q0 + self.q1 - 1

    def variances(self) -> tuple[float, float]:
        """Of q1 and q0, with one success and one failure added, so that "never erred" is not "never errs"."""
        q1, q0 = (self.kept + 1) / (self.right + 2), (self.caught + 1) / (self.wrong + 2)
        return q1 * (1 - q1) / (self.right + 2), q0 * (1 - q0) / (self.wrong + 2)


def corrected(raw: float, q0: float, q1: float) -> float:
    """theta = (p + q0 - 1) / (q0 + q1 - 1), not clipped: clipping is for display, inside a gap it biases."""
    return (raw + q0 - 1) / (q0 + q1 - 1)


@dataclass(frozen=True, slots=True)
class Corrected:
    """A corrected mean or gap; NaN throughout, with `reason`, when refused."""

    raw: float
    estimate: float
    low: float
    high: float
    se: float
    # The part of `se` that is due to the calibration alone.
    calibration_se: float
    n: int
    clusters: int
    # Of the part of the interval that the items bring.
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
    heard: tuple[bool, bool] = (True, False),
    key: tuple[str, ...] = (),
) -> Corrected:
    """Corrects the mean of binary scores, or their gap against another condition's scores on the same items.

    Each item's score is mapped by its type's correction, which is linear: the mean of the mapped scores is the
    corrected accuracy, and the clustered variance of (mapped - reference) carries the covariance of the two
    conditions. The calibration's variance is added by the delta method. Where both ends were heard by one scorer, its
    errors are the same for both: with theta and theta' the corrected ends and J = q0 + q1 - 1, the gap's derivative by
    q0 is -(theta - theta') / J, and by q1 the same, so a gap of nothing owes the calibration no variance.

    Args:
        scores: (items,) raw scores in the condition that the ASR scorer heard.
        types: (items,) index into `calibrations`.
        reference: (items,) scores of the other condition; null for the accuracy itself.
        options: of the intervals; level 0.95 by default.
        heard: whether `scores`, and `reference`, are of answers that the scorer heard; text answers are taken as right.
        key: what names the number among all others, for the draws of a bootstrap.
    """
    options = options or IntervalOptions()
    held = [calibrations[int(code)] for code in np.unique(types)] if len(scores) else []
    weak = [c for c in held if c.information < MIN_INFORMATION]
    n, clusters = len(scores), len(np.unique(cluster))
    base = np.zeros(n) if reference is None else reference
    raw = float((scores - base).mean()) if n else math.nan
    if weak or clusters < 2:
        reason = "fewer than two clusters"
        if weak:
            told = f"q0 + q1 - 1 = {weak[0].information:.2f} < {MIN_INFORMATION}"
            by = f" by {', '.join(weak[0].metrics)}" if weak[0].metrics else ""
            reason = f"the scorer tells too little about {weak[0].answer_type!r}{by}: {told}"
        return Corrected.refused(raw, n, clusters, reason)
    q0, q1 = (np.array([getattr(c, name) for c in calibrations])[types] for name in ("q0", "q1"))
    ears, base_ears = float(heard[0]), float(heard[1] and reference is not None)
    mapped, base = (
        (values + q0 - 1) / (q0 + q1 - 1) if share else values for values, share in ((scores, ears), (base, base_ears))
    )
    totals = ClusterTotals.of(mapped - base, cluster)
    extra = 0.0
    for code in np.unique(types):
        calibration, mask = calibrations[int(code)], types == code
        theta, other, weight = float(mapped[mask].mean()), float(base[mask].mean()), float(mask.mean())
        v1, v0 = calibration.variances()
        by_q1 = ears * theta - base_ears * other
        by_q0 = ears * (1 - theta) - base_ears * (1 - other)
        extra += (weight / calibration.information) ** 2 * (by_q0**2 * v0 + by_q1**2 * v1)
    se = math.sqrt(totals.standard_error() ** 2 + extra)
    values = scores if reference is None else scores - reference
    # Averaged over replicates they are no longer 0 or 1.
    binary = bool(np.isin(values, (-1.0, 0.0, 1.0)).all())
    sample = Sample(values, cluster, types, binary, reference is not None)
    if enough_for_t(ClusterTotals.of(sample.values, cluster), informative_values(sample)):
        below = above = float(stats.t.ppf(0.5 + options.level / 2, clusters - 1)) * se
        method = "cluster_t"
    else:
        inner = mean_interval(sample, options, *key)
        stretch = 1 / min(c.information for c in held)
        calibrated = float(stats.norm.ppf(0.5 + options.level / 2)) * math.sqrt(extra)
        below = math.hypot(stretch * (raw - inner.low), calibrated)
        above = math.hypot(stretch * (inner.high - raw), calibrated)
        method = inner.method
    estimate = totals.mean
    return Corrected(raw, estimate, estimate - below, estimate + above, se, math.sqrt(extra), n, clusters, method)
