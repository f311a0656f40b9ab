"""The interval of a mean difference and the sign-flip test, in agreement: one excludes 0 if the other rejects.

The test decides where it is the stricter one: the interval is extended to 0. Where the interval is the stricter one,
because it admits values that the sample does not show, p is the interval's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from omnigap_orchestrator.analysis.choose_interval import Sample, macro_interval, mean_interval
from omnigap_orchestrator.analysis.intervals import Interval
from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.sign_flip import sign_flip_p


@dataclass(frozen=True, slots=True)
class Inference:
    """An interval at level 1 - alpha and a p that is below alpha exactly if the interval excludes 0.

    NaN limits and p if there is no interval: then nothing is known about the variance, as with one cluster.
    """

    low: float
    high: float
    method: str
    se: float
    p: float
    p_method: str | None


def infer(sample: Sample, options: IntervalOptions, *, macro: bool = False) -> Inference:
    """Interval and test of the mean of a difference.

    Args:
        sample: at least one difference.
        macro: the mean of the task means instead of that of the items.
    """
    interval = (macro_interval if macro else mean_interval)(sample, options)
    # An item's part of the mean.
    weights = 1.0 / np.bincount(sample.task)[sample.task] if macro else np.ones(len(sample.values))
    sums = np.bincount(sample.cluster, weights=sample.values * weights).astype(np.float64)
    p, p_method = sign_flip_p(sums, options.seed, options.draws)
    return agreeing(interval, float(sums.sum() / weights.sum()), p, p_method, options.level)


def agreeing(interval: Interval, estimate: float, p: float, p_method: str, level: float) -> Inference:
    """The interval and the p-value of a test of 0, changed where they contradict each other."""
    low, high = interval.low, interval.high
    if math.isnan(low):
        return Inference(low, high, interval.method, interval.se, math.nan, None)
    # Rounded, because 1 - 0.95 is more than 0.05 in floating point.
    alpha = round(1 - level, 12)
    if p >= alpha:
        low, high = min(low, 0.0), max(high, 0.0)
    elif low <= 0 <= high:
        # The p at which the interval, as that of a normal estimate, would end at 0.
        side = estimate - low if estimate > 0 else high - estimate
        z = float(stats.norm.ppf(0.5 + level / 2))
        p = max(alpha, float(2 * stats.norm.sf(z * abs(estimate) / side)) if side > 0 else 1.0)
        p_method = interval.method
    return Inference(low, high, interval.method, interval.se, p, p_method)
