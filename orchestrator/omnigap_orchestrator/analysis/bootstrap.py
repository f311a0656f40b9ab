"""Seeded cluster bootstraps of a mean: wild for few or very unequal clusters, studentised for graded scores.

When each is used, `choose_interval` decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from omnigap_orchestrator.analysis.intervals import NO_INTERVAL, ClusterTotals, Interval
from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray

WEBB_UP_TO = 12
"""Largest number of clusters with Webb's six-point weights (Queen's Economics Department Working Paper 1315).

Rademacher's two weights give only 2^G distinct draws, too few for the p-value of a small number G of clusters.
"""

# The six weights are plus and minus these.
_WEBB = np.sqrt(np.array([0.5, 1.0, 1.5]))

# Random numbers per block, which bounds the memory to about 32 MB.
_BLOCK = 4_000_000


def wild_cluster(totals: ClusterTotals, level: float, seed: int, draws: int, bound: float = 1.0) -> Interval:
    """Wild cluster bootstrap-t interval with the null imposed.

    Cameron, Gelbach and Miller 2008, Review of Economics and Statistics 90:414. The interval contains every mean that
    the symmetric bootstrap test does not reject.

    Args:
        draws: number of weight vectors.
        bound: largest absolute value of the mean; the interval is clipped to +-`bound`.
    """
    g, n = totals.count, totals.items
    se = totals.standard_error()
    if g < 2 or not se > 0:
        return NO_INTERVAL
    # The sign is made canonical first, so that swapping two conditions mirrors the interval exactly.
    mirrored = _mirror(totals.sums)
    if mirrored:
        totals = totals.mirrored()
    s, m = totals.sums, totals.sizes
    # The statistic of a weight vector is quadratic in the tested mean: with these products, all means use one set of
    # draws, and inverting the test costs no new ones.
    columns = np.column_stack([s, m, s * m, m * m])
    squares = np.column_stack([s * s, s * m, m * m])
    linear, quadratic = _wild_products(columns, squares, seed, draws)
    factor, size2 = g / (g - 1), float(np.square(m).sum())

    def p_value(mu: float) -> float:
        shift = (linear[:, 0] - mu * linear[:, 1]) / n
        cross = linear[:, 2] - mu * linear[:, 3]
        energy = quadratic[:, 0] - 2 * mu * quadratic[:, 1] + mu * mu * quadratic[:, 2]
        variance = factor * np.maximum(energy - 2 * shift * cross + shift * shift * size2, 0.0) / (n * n)
        # Compared without a division, so that a draw with zero variance counts as extreme. The tolerance keeps ties,
        # which must count as extreme, despite rounding.
        extreme = np.abs(shift) * se >= abs(totals.mean - mu) * np.sqrt(variance) * (1 - 1e-9)
        return float((1 + np.count_nonzero(extreme)) / (1 + draws))

    alpha = 1 - level
    low = _acceptance_limit(p_value, totals.mean, -bound, alpha)
    high = _acceptance_limit(p_value, totals.mean, bound, alpha)
    name = "wild_cluster_webb" if g <= WEBB_UP_TO else "wild_cluster_rademacher"
    if mirrored:
        low, high = -high, -low
    return Interval(low, high, name, se, p_value(0.0))


def _wild_products(columns: FloatArray, squares: FloatArray, seed: int, draws: int) -> tuple[FloatArray, FloatArray]:
    """weights @ columns and weights^2 @ squares for `draws` random weight vectors, shape (draws, columns) each."""
    rng = np.random.default_rng(seed)
    g = len(columns)
    linear = np.empty((draws, columns.shape[1]))
    quadratic = np.empty((draws, squares.shape[1]))
    step = max(1, _BLOCK // g)
    for start in range(0, draws, step):
        shape = (min(step, draws - start), g)
        weights = rng.integers(0, 2, size=shape, dtype=np.int8).astype(np.float64) * 2 - 1
        if g <= WEBB_UP_TO:
            weights *= _WEBB[rng.integers(0, 3, size=shape)]
        linear[start : start + shape[0]] = _product(weights, columns)
        quadratic[start : start + shape[0]] = _product(np.square(weights), squares)
    return linear, quadratic


def _product(left: FloatArray, right: FloatArray) -> FloatArray:
    """A matrix product with a fixed order of summation: with BLAS the last digits depend on the number of threads."""
    return np.asarray(np.einsum("ij,jk->ik", left, right), dtype=np.float64)


def _acceptance_limit(p_value: Callable[[float], float], inside: float, outside: float, alpha: float) -> float:
    """The mean between `inside` (accepted) and `outside` at which the test starts to reject, by bisection."""
    if p_value(outside) > alpha:
        return outside
    # 2^-26 is far finer than the steps of a p-value from `draws` draws.
    for _ in range(26):
        middle = (inside + outside) / 2
        if p_value(middle) > alpha:
            inside = middle
        else:
            outside = middle
    return (inside + outside) / 2


def distinct_rows(columns: FloatArray) -> tuple[FloatArray, IntArray]:
    """The distinct rows in sorted order, and the count of each.

    Like np.unique over an axis, which is many times slower because it sorts structured values.
    """
    ordered = columns[np.lexsort(columns.T)]
    new = np.ones(len(ordered), dtype=np.bool_)
    new[1:] = np.any(ordered[1:] != ordered[:-1], axis=1)
    starts = np.flatnonzero(new)
    return ordered[starts], np.diff(starts, append=len(ordered)).astype(np.int64)


def resampled(columns: FloatArray, seed: int, draws: int) -> FloatArray:
    """Column sums of `draws` samples of whole rows (clusters) with replacement, shape (draws, columns)."""
    # Rows of equal content are interchangeable, so a sample is a multinomial count over the distinct rows: cheap for
    # binary scores, and independent of the labels and the order of the rows.
    types, counts = distinct_rows(columns)
    rng = np.random.default_rng(seed)
    out = np.empty((draws, columns.shape[1]))
    step = max(1, _BLOCK // len(types))
    for start in range(0, draws, step):
        stop = min(start + step, draws)
        drawn = rng.multinomial(len(columns), counts / len(columns), size=stop - start)
        out[start:stop] = _product(drawn.astype(np.float64), types)
    return out


def studentised_cluster(totals: ClusterTotals, level: float, seed: int, draws: int, bound: float = 1.0) -> Interval:
    """Studentised (bootstrap-t) interval over whole clusters, which keeps the conditions of an item together.

    Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 12.5.

    Args:
        draws: number of bootstrap samples.
        bound: largest absolute value of the mean; the interval is clipped to +-`bound`.
    """
    se = totals.standard_error()
    if totals.count < 2 or not se > 0:
        return NO_INTERVAL
    # The sign is made canonical first, so that swapping two conditions mirrors the interval exactly.
    mirrored = _mirror(totals.sums)
    sums = -totals.sums if mirrored else totals.sums
    g, mean, m = totals.count, float(sums.sum() / totals.items), totals.sizes
    drawn = resampled(np.column_stack([sums, m, sums * sums, sums * m, m * m]), seed, draws)
    items = drawn[:, 1]
    means = drawn[:, 0] / items
    spread = drawn[:, 2] - 2 * means * drawn[:, 3] + means * means * drawn[:, 4]
    errors = np.sqrt(g / (g - 1) * np.where(spread > 1e-12, spread, 0.0)) / items
    shift = means - mean
    with np.errstate(divide="ignore", invalid="ignore"):
        # A sample without variance is infinitely far away, unless its mean is the observed one.
        t = np.where(np.abs(shift) < 1e-15, 0.0, shift / errors)
    # Quantiles are order statistics ("higher", "lower"), not interpolated: some may be infinite.
    alpha = 1 - level
    low = max(-bound, mean - se * float(np.quantile(t, 1 - alpha / 2, method="higher")))
    high = min(bound, mean - se * float(np.quantile(t, alpha / 2, method="lower")))
    p = float((1 + np.count_nonzero(np.abs(t) >= abs(mean) / se)) / (1 + draws))
    if mirrored:
        low, high = -high, -low
    return Interval(low, high, "paired_cluster_bootstrap_t", se, p)


def _mirror(sums: FloatArray) -> bool:
    """Whether to flip the sign: if the first odd moment that is not 0 is negative."""
    for power in (1, 3, 5):
        moment = math.fsum(sums**power)
        if abs(moment) > 1e-12:
            return moment < 0
    return False
