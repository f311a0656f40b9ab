"""Intervals in closed form: Tango, Wilson, Clopper-Pearson, cluster-robust t, augmented t, MOVER.

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
        """Sums the values, shape (items,), within clusters; `cluster` holds codes from 0, not necessarily all."""
        sizes = np.bincount(cluster)
        held = sizes > 0
        sums = np.bincount(cluster, weights=values).astype(np.float64)
        return cls._sorted(sums[held], sizes[held].astype(np.float64))

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


WHOLE_CLUSTER = 0.035
"""Weight of the unseen cluster that fails as a whole in `cautious_design_effect`.

Chosen by simulation: 0.03 covers as little as 90.6 % where losses are rare and clustered, 0.04 makes the intervals of
one row of docs/simulation.md more than 15 % wider than a plain design effect does.
"""


def cautious_design_effect(totals: ClusterTotals, away: FloatArray, variance: float) -> float:
    """The design effect with a small weight on a cluster that has not been seen: an average one that fails as a whole.

    A few failures in a few clusters say little about how many a cluster can have: a sample without a large failure has
    both a mean that is too good and a design effect that is too small. Korn and Graubard's and Tango's intervals on the
    plain effective sample size cover 83 to 91 % where losses are rare and clustered.

    Args:
        away: distance of each cluster's sum from the sum without failures, shape (clusters,).
        variance: variance of one item.

    Returns:
        The design effect, between 1 and the largest possible one (a cluster counts as one item); the largest if nothing
        varies.
    """
    largest = totals.items / totals.effective
    plain = design_effect(totals, variance)
    distance = np.abs(away)
    seen = float(distance.sum())
    if math.isnan(plain) or not seen > 0:
        return max(1.0, largest)
    whole = max(float(distance.max()), totals.items / totals.count)
    weight = WHOLE_CLUSTER * float(np.mean(distance <= 1e-9))
    # Items lost per lost item, sum a^2 / sum a, which is the design effect of rare losses: with and without the unseen
    # cluster.
    squares = float(np.square(distance).sum())
    ratio = (squares + weight * whole * whole) / (seen + weight * whole) / (squares / seen)
    return min(plain * max(1.0, ratio), max(1.0, largest))


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


def augmented_t(totals: ClusterTotals, low: float, high: float, level: float = 0.95) -> Interval:
    """Cluster-robust t interval after adding one item with the lowest and one with the highest possible value.

    The idea of Agresti and Caffo's interval of proportions (2000, The American Statistician 54:280) for any score with
    known ends. A sample with small differences only does not exclude that one item in n is lost entirely; a t interval
    or a bootstrap from the sample alone does. `se` is that of the values without the two items.

    Args:
        low, high: smallest and largest possible value; the interval is clipped to them.
    """
    g = totals.count
    if g < 2:
        return NO_INTERVAL
    items = totals.items + 2
    mean = (float(totals.sums.sum()) + low + high) / items
    squares = float(np.square(totals.sums - totals.sizes * mean).sum()) + (low - mean) ** 2 + (high - mean) ** 2
    # Two more clusters, but the degrees of freedom of the observed ones.
    found = t_interval(mean, math.sqrt((g + 2) / (g + 1) * squares) / items, g - 1, level, "augmented_t")
    return replace(found, low=max(low, found.low), high=min(high, found.high), se=totals.standard_error())


def weighted_cluster_t(values: FloatArray, stratum: IntArray, cluster: IntArray, level: float = 0.95) -> Interval:
    """Cluster-robust t interval of the mean of the stratum means (task-macro); clusters may span strata.

    Equals a regression on stratum dummies with clustered covariance, factor G / (G - 1) * (N - 1) / (N - K), and a t
    test of the average coefficient with G - 1 degrees of freedom.

    Args:
        values, stratum, cluster: shape (items,); the last two are codes from 0, not necessarily all.
    """
    sizes, of_clusters = np.bincount(stratum), np.bincount(cluster)
    n, k, g = len(values), int(np.count_nonzero(sizes)), int(np.count_nonzero(of_clusters))
    means = np.bincount(stratum, weights=values) / np.maximum(sizes, 1)
    estimate = float(means.sum()) / k
    if g < 2 or n <= k:
        return NO_INTERVAL
    influence = np.bincount(cluster, weights=(values - means[stratum]) / (k * sizes[stratum]))
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
