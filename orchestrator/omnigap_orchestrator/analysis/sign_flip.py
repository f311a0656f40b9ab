"""The sign-flip test over clusters: exact for scores on a lattice and for few clusters, seeded Monte Carlo otherwise.

If two conditions are exchangeable, the difference of every cluster is as likely as its negative. p is the share of all
2^G choices of signs whose sum is at least as far from 0 as the observed one (Fisher 1935, The Design of Experiments,
section 21; Winkler and others 2014, NeuroImage 92:381, for whole blocks). For binary scores and clusters of one item it
is the exact McNemar test.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray

EXACT = "sign_flip_exact"
MONTE_CARLO = "sign_flip_monte_carlo"

MAX_ENUMERATED = 20
"""Clusters whose difference is not 0, up to which all 2^20 choices of signs are enumerated."""

_LARGEST_DENOMINATOR = 60
_MAX_LATTICE = 4_000_000

# Random bytes for eight clusters each that are drawn at once, which bounds the memory.
_BLOCK = 4096

# Sums within this share of the largest possible one are ties, despite rounding.
_TOLERANCE = 1e-9


def sign_flip_p(sums: FloatArray, seed: int, draws: int) -> tuple[float, str]:
    """Two-sided p that the sum of `sums` differs from 0 by chance, and the method: `EXACT` or `MONTE_CARLO`.

    Args:
        sums: sum of the differences of each cluster, shape (clusters,). The sign of a whole cluster is flipped, so the
            differences within a cluster may depend on each other in any way.
        seed: of the Monte Carlo draws; unused for an exact p.
        draws: number of random choices of signs. The observed one is added to them, so p is at least 1 / (1 + draws)
            (Phipson and Smyth 2010, Statistical Applications in Genetics and Molecular Biology 9:39).
    """
    sizes = np.abs(np.asarray(sums, dtype=np.float64))
    observed = abs(float(np.sum(sums)))
    # A cluster whose differences cancel out has the same sum with both signs.
    sizes = np.sort(sizes[sizes > _TOLERANCE * max(1.0, float(sizes.max(initial=0.0)))])
    if len(sizes) == 0:
        return 1.0, EXACT
    limit = observed - _TOLERANCE * float(sizes.sum())
    if limit <= 0:
        return 1.0, EXACT
    lattice = _on_lattice(sizes)
    if lattice is not None:
        return _by_convolution(*lattice, limit), EXACT
    if len(sizes) <= MAX_ENUMERATED:
        return _by_enumeration(sizes, limit), EXACT
    return _by_drawing(sizes, limit, seed, draws), MONTE_CARLO


def _on_lattice(sizes: FloatArray) -> tuple[IntArray, IntArray, float] | None:
    """Distinct sizes as multiples of a unit, the count of each, and the unit; None without a common unit.

    Binary scores have the unit 1, means over r replicates or conditions 1 / r.
    """
    if sizes[0] == sizes[-1]:
        return np.ones(1, dtype=np.int64), np.full(1, len(sizes), dtype=np.int64), float(sizes[0])
    distinct, counts = np.unique(np.round(sizes, 10), return_counts=True)
    # The transform takes at least two places of the lattice for each cluster, and all places for each distinct size;
    # beyond the limit, drawing is faster.
    if 2 * len(sizes) * len(distinct) > _MAX_LATTICE:
        return None
    for unit in (float(distinct[0]), *(1 / r for r in range(1, _LARGEST_DENOMINATOR + 1))):
        steps = distinct / unit
        if np.all(np.abs(steps - np.round(steps)) < 1e-7):
            whole = np.round(steps).astype(np.int64)
            if (2 * int(whole @ counts) + 1) * len(whole) <= _MAX_LATTICE:
                return whole, counts.astype(np.int64), unit
    return None


def _by_convolution(steps: IntArray, counts: IntArray, unit: float, limit: float) -> float:
    """P(|sum| >= limit) from the exact distribution of the sum, a convolution of binomial distributions."""
    total = int(steps @ counts)
    if len(steps) == 1:
        # n heads among N signs give (2 n - N) steps: two binomial tails.
        n = int(counts[0])
        beyond = int(np.ceil((limit / (unit * int(steps[0])) + n) / 2 - 1e-6))
        return float(min(1.0, 2 * stats.binom.sf(beyond - 1, n, 0.5)))
    # The characteristic function of the sum is the product of cos(k t)^count; its inverse transform on the lattice of
    # all possible sums is the distribution, to rounding.
    length = 2 * total + 1
    places = np.arange(total + 1, dtype=np.float64) * (2 * np.pi / length)
    spectrum = np.ones(total + 1)
    for step, count in zip(steps, counts, strict=True):
        spectrum *= np.cos(step * places) ** int(count)
    masses = np.fft.irfft(spectrum, length)
    # Index s holds the sum s, index length - s the sum -s, with the same probability.
    beyond = int(np.ceil(limit / unit - 1e-6))
    tail = 2 * float(np.sum(np.maximum(masses[beyond : total + 1], 0.0)))
    # The observed signs and their opposite always count; rounding must not make p smaller than their share.
    return float(min(1.0, max(tail, 2.0 ** (1 - int(counts.sum())))))


def _by_enumeration(sizes: FloatArray, limit: float) -> float:
    """The share of all choices of signs; the first sign is fixed, because opposite choices are equally far from 0."""
    first, second = sizes[: len(sizes) // 2], sizes[len(sizes) // 2 : -1]
    sums = _all_sums(first[None])[0][:, None] + (_all_sums(second[None])[0] + sizes[-1])[None, :]
    return float(np.count_nonzero(np.abs(sums) >= limit) / sums.size)


def _all_sums(sizes: FloatArray) -> FloatArray:
    """The sums with all choices of signs, of each row: from shape (rows, n) to (rows, 2^n)."""
    sums = np.zeros((len(sizes), 1))
    for size in sizes.T[:, :, None]:
        sums = np.concatenate([sums - size, sums + size], axis=1)
    return sums


def _by_drawing(sizes: FloatArray, limit: float, seed: int, draws: int) -> float:
    """Add-one p from `draws` random choices of signs."""
    rng = np.random.default_rng(seed)
    scale = float(sizes[-1])
    distinct, kind, counts = np.unique(np.round(sizes / scale, 10), return_inverse=True, return_counts=True)
    if 8 * len(distinct) < len(sizes):
        # Clusters of one size: their number of positive signs is binomial.
        means = np.bincount(kind, weights=sizes) / counts
        positive = rng.binomial(counts, 0.5, size=(draws, len(counts)))
        return _add_one(np.einsum("ij,j->i", 2.0 * positive - counts, means), limit)
    # One random byte holds the signs of eight clusters, whose sum is looked up: several times faster than one product
    # per sign.
    padded = np.zeros(-(-len(sizes) // 8) * 8)
    padded[: len(sizes)] = sizes
    sums_of_bytes = _all_sums(padded.reshape(-1, 8))
    sums = np.zeros(draws)
    for start in range(0, len(sums_of_bytes), _BLOCK):
        block = sums_of_bytes[start : start + _BLOCK]
        for looked_up, drawn in zip(block, rng.integers(0, 256, (len(block), draws), dtype=np.uint8), strict=True):
            sums += looked_up[drawn]
    return _add_one(sums, limit)


def _add_one(sums: FloatArray, limit: float) -> float:
    return float((1 + np.count_nonzero(np.abs(sums) >= limit)) / (1 + len(sums)))
