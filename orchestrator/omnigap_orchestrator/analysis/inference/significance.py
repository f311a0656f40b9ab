"""Tests and corrections for many of them: exact McNemar, Holm, Benjamini-Hochberg."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import stats

from omnigap_orchestrator.analysis.scores.pairs import FloatArray

_Step = Callable[[FloatArray, int], FloatArray]


def mcnemar_exact(b: int, c: int) -> float:
    """Two-sided exact McNemar p of two discordant counts: a binomial test of b among b + c at 1/2.

    Valid only where every pair is independent, and conservative there.
    """
    if b < 0 or c < 0:
        raise ValueError(f"discordant counts must not be negative: b={b}, c={c}")
    return 1.0 if b + c == 0 else float(min(1.0, 2.0 * stats.binom.cdf(min(b, c), b + c, 0.5)))


def holm(p: npt.ArrayLike) -> FloatArray:
    """Holm's step-down adjusted p of one family; NaN (no test) stays NaN and does not count."""
    return _adjust(p, lambda ordered, m: np.maximum.accumulate(ordered * np.arange(m, 0, -1)))


def benjamini_hochberg(p: npt.ArrayLike) -> FloatArray:
    """Benjamini-Hochberg adjusted p (false discovery rate) of one family; NaN stays NaN and does not count."""
    return _adjust(p, lambda ordered, m: np.minimum.accumulate((ordered * m / np.arange(1, m + 1))[::-1])[::-1])


def _adjust(p: npt.ArrayLike, step: _Step) -> FloatArray:
    values = np.asarray(p, dtype=np.float64)
    out = np.full(values.shape, np.nan)
    present = np.flatnonzero(~np.isnan(values))
    if present.size:
        order = present[np.argsort(values[present], kind="stable")]
        out[order] = np.minimum(step(values[order], present.size), 1.0)
    return out
