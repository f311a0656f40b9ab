"""Intervals in closed form: Tango, Wilson, Clopper-Pearson, Korn-Graubard, cluster-robust t, MOVER.

`choose_interval` decides which of them a number gets; `bootstrap` has the resampling ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, stats

from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval and its method; NaN limits if there is none.

    Attributes:
        se: standard error.
        p: two-sided p of the method's own test that the mean is 0; NaN for a proportion.
    """

    low: float
    high: float
    method: str
    se: float = math.nan
    p: float = math.nan


NO_INTERVAL = Interval(math.nan, math.nan, "none")


@dataclass(frozen=True, slots=True)
class ClusterTotals:
    """The sum of the values and the number of items of each cluster, shape (clusters,)."""

    sums: FloatArray
    sizes: FloatArray

    @classmethod
    def of(cls, values: FloatArray, cluster: IntArray) -> ClusterTotals:
        """Sums the values, shape (items,), within clusters."""
        _, codes = np.unique(cluster, return_inverse=True)
        sums = np.bincount(codes, weights=values).astype(np.float64)
        return cls._sorted(sums, np.bincount(codes).astype(np.float64))

    @classmethod
    def _sorted(cls, sums: FloatArray, sizes: FloatArray) -> ClusterTotals:
        # Sorted by content, so that the labels of clusters don't change the draws of a bootstrap.
        order = np.lexsort((sizes, sums))
        return cls(sums[order], sizes[order])

    def mirrored(self) -> ClusterTotals:
        """The totals of the negated values."""
        return self._sorted(-self.sums, self.sizes)

    @property
    def count(self) -> int:
        return len(self.sums)

    @property
    def items(self) -> float:
        return float(self.sizes.sum())

    @property
    def mean(self) -> float:
        return float(self.sums.sum() / self.sizes.sum())

    @property
    def effective(self) -> float:
        """Kish's effective number of clusters, (sum n)^2 / sum n^2: the number of clusters if all have one size."""
        return float(self.sizes.sum() ** 2 / np.square(self.sizes).sum())

    @property
    def single(self) -> bool:
        """Whether every cluster is one item."""
        return bool((self.sizes == 1).all())

    def standard_error(self) -> float:
        """Cluster-robust standard error of the mean with the G / (G - 1) correction (arXiv 2411.00640, appendix A)."""
        g = self.count
        if g < 2:
            return math.nan
        residuals = self.sums - self.sizes * self.mean
        return math.sqrt(g / (g - 1) * float(np.square(residuals).sum())) / self.items


def design_effect(totals: ClusterTotals, variance: float) -> float:
    """Clustered variance of the mean divided by that of independent items, at least 1 (Rao and Scott 1992).

    NaN if nothing varies or with fewer than two clusters.

    Args:
        variance: variance of one item.
    """
    independent = variance / totals.items
    if not independent > 0 or totals.count < 2:
        return math.nan
    return max(1.0, totals.standard_error() ** 2 / independent)


def t_interval(estimate: float, se: float, df: float, level: float, method: str = "cluster_t") -> Interval:
    """Student's t interval and test of 0 with `df` degrees of freedom."""
    # Written so that NaN fails as well.
    if not se >= 0 or df < 1:
        return NO_INTERVAL
    half = float(stats.t.ppf(0.5 + level / 2, df)) * se
    p = float(2 * stats.t.sf(abs(estimate) / se, df)) if se > 0 else (1.0 if estimate == 0 else 0.0)
    return Interval(estimate - half, estimate + half, method, se, p)


def cluster_t(totals: ClusterTotals, level: float = 0.95) -> Interval:
    """Student's t interval of a mean with a cluster-robust standard error and G - 1 degrees of freedom."""
    return t_interval(totals.mean, totals.standard_error(), totals.count - 1, level)


def weighted_cluster_t(values: FloatArray, stratum: IntArray, cluster: IntArray, level: float = 0.95) -> Interval:
    """Cluster-robust t interval of the mean of the stratum means (task-macro); clusters may span strata.

    Equals a regression on stratum dummies with clustered covariance, factor G / (G - 1) * (N - 1) / (N - K), and a t
    test of the average coefficient with G - 1 degrees of freedom.

    Args:
        values, stratum, cluster: shape (items,).
    """
    _, strata = np.unique(stratum, return_inverse=True)
    _, clusters = np.unique(cluster, return_inverse=True)
    n, k, g = len(values), int(strata.max()) + 1, int(clusters.max()) + 1
    sizes = np.bincount(strata)
    means = np.bincount(strata, weights=values) / sizes
    estimate = float(means.mean())
    if g < 2 or n <= k:
        return NO_INTERVAL
    influence = np.bincount(clusters, weights=(values - means[strata]) / (k * sizes[strata]))
    variance = g / (g - 1) * (n - 1) / (n - k) * float(np.square(influence).sum())
    return t_interval(estimate, math.sqrt(variance), g - 1, level, "cluster_t_macro")


def wilson(successes: float, n: float, level: float = 0.95) -> Interval:
    """Wilson's score interval of one proportion (Wilson 1927); `n` may be an effective number."""
    if n <= 0:
        return NO_INTERVAL
    z = float(stats.norm.ppf(0.5 + level / 2))
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # The limits lie in [0, 1] except for rounding.
    return Interval(max(0.0, centre - half), min(1.0, centre + half), "wilson", math.sqrt(p * (1 - p) / n))


def clopper_pearson(successes: float, n: float, level: float = 0.95) -> Interval:
    """Clopper and Pearson's exact interval of one proportion (1934).

    `successes` and `n` may be fractions if `n` is an effective number.
    """
    if n <= 0:
        return NO_INTERVAL
    tail, p = (1 - level) / 2, successes / n
    low = float(stats.beta.ppf(tail, successes, n - successes + 1)) if successes > 0 else 0.0
    high = float(stats.beta.ppf(1 - tail, successes + 1, n - successes)) if successes < n else 1.0
    return Interval(low, high, "clopper_pearson", math.sqrt(p * (1 - p) / n))


def korn_graubard(totals: ClusterTotals, level: float = 0.95) -> Interval:
    """Clopper-Pearson interval of a clustered proportion on its effective number of items.

    Korn and Graubard 1998, Survey Methodology 24:193. The effective number is n over the design effect, times the
    squared ratio of the t quantiles with n - 1 and G - 1 degrees of freedom, and at most n.
    """
    n, p, se = totals.items, totals.mean, totals.standard_error()
    if se > 0:
        t_items, t_clusters = (float(stats.t.ppf(0.5 + level / 2, df)) for df in (n - 1, totals.count - 1))
        effective = min(n, p * (1 - p) / se**2 * (t_items / t_clusters) ** 2)
    else:
        # Without variation between clusters the design effect is unknown: a cluster counts as one item, the worst case.
        effective = totals.effective
    return replace(clopper_pearson(p * effective, effective, level), method="korn_graubard")


def tango(gained: float, lost: float, n: float, level: float = 0.95) -> Interval:
    """Tango's score interval of a difference of two paired proportions, (gained - lost) / n.

    Tango 1998, Statistics in Medicine 17:891. The interval contains every delta whose score statistic
    (gained - lost - n delta) / sqrt(n (2 q + delta (1 - delta))) lies within +-z, where q is the maximum likelihood
    estimate of the probability of a lost pair under delta. `p` is that of the score test of delta = 0, the asymptotic
    McNemar test.

    Args:
        gained: number of pairs that are wrong in the reference and right in the condition.
        lost: number of pairs that are right in the reference and wrong in the condition.
        n: number of pairs. All three may be fractions if `n` is an effective number.
    """
    if n <= 0:
        return NO_INTERVAL
    z = float(stats.norm.ppf(0.5 + level / 2))
    estimate = (gained - lost) / n

    def score(delta: float) -> float:
        a = 2.0 * n
        b = -gained - lost + (2.0 * n - gained + lost) * delta
        c = -lost * delta * (1.0 - delta)
        # q solves a q^2 + b q + c = 0; the larger root lies in the admissible range.
        q = max(0.0, (math.sqrt(max(0.0, b * b - 4.0 * a * c)) - b) / (2.0 * a))
        variance = n * (2.0 * q + delta * (1.0 - delta))
        distance = gained - lost - n * delta
        if variance > 1e-15:
            return distance / math.sqrt(variance)
        return 0.0 if distance == 0 else math.copysign(math.inf, distance)

    def limit(far: float, target: float) -> float:
        """Where the score crosses `target`, between the estimate and `far`; `far` if it does not."""
        inside, outside = estimate, far
        # Just inside the end of the range, where the variance can vanish.
        edge = score(outside + (estimate - outside) * 1e-12)
        if (edge - target) * (0.0 - target) > 0:
            return far
        # Clipped, because the score is infinite where the variance vanishes and root finding needs finite values.
        return float(
            optimize.brentq(
                lambda x: min(max(score(x), -1e6), 1e6) - target, min(inside, outside), max(inside, outside), xtol=1e-13
            )
        )

    low = -1.0 if estimate <= -1 else limit(-1.0, z)
    high = 1.0 if estimate >= 1 else limit(1.0, -z)
    discordant = gained + lost
    # Without discordant pairs there is no evidence of a difference.
    p = float(2 * stats.norm.sf(abs(gained - lost) / math.sqrt(discordant))) if discordant > 0 else 1.0
    variance = (discordant / n - estimate * estimate) / n
    return Interval(low, high, "tango", math.sqrt(max(0.0, variance)), p)


def mover(estimates: FloatArray, lows: FloatArray, highs: FloatArray, weights: FloatArray) -> Interval:
    """Interval of a sum of independent estimates with positive weights, from the interval of each.

    Method of variance estimates recovery (MOVER): Zou and Donner 2008, Statistics in Medicine 27:1693. All arrays have
    the shape (estimates,).
    """
    total = float(weights @ estimates)
    low = total - math.sqrt(float(np.square(weights * (estimates - lows)).sum()))
    high = total + math.sqrt(float(np.square(weights * (highs - estimates)).sum()))
    return Interval(low, high, "mover")
