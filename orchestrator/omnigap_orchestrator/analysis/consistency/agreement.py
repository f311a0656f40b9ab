"""How far two conditions agree on which items are right: Cohen's kappa and phi over every pair of conditions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import polars as pl

from omnigap_orchestrator.analysis.consistency.rates import RIGHT_AT
from omnigap_orchestrator.analysis.consistency.schema import AGREEMENT_SCHEMA
from omnigap_orchestrator.analysis.inference.bootstraps import resampled, seed_of
from omnigap_orchestrator.analysis.inference.choose import IntervalOptions
from omnigap_orchestrator.analysis.scores.pairs import FloatArray, ModelScores

_METHOD = "cluster_bootstrap_percentile"


def pairwise_agreement(models: Sequence[ModelScores], options: IntervalOptions) -> pl.DataFrame:
    """Cohen's kappa and phi of right and wrong over every pair of conditions, clustered percentile bootstrap.

    Each pair is taken over the items scored in both. Kappa and phi are null where a condition never varies.

    Returns:
        A frame of `AGREEMENT_SCHEMA`.
    """
    rows: list[tuple[object, ...]] = []
    for scores in models:
        for (i, first), (j, second) in itertools.combinations(enumerate(scores.conditions), 2):
            part = scores.where(~np.any(np.isnan(scores.score[:, [i, j]]), axis=1))
            if len(part.task) == 0:
                continue
            a, b = part.score[:, i] >= RIGHT_AT, part.score[:, j] >= RIGHT_AT
            _, codes = np.unique(part.cluster, return_inverse=True)
            cells = np.column_stack(
                [np.bincount(codes, weights=x).astype(np.float64) for x in (a & b, a & ~b, ~a & b, ~a & ~b)]
            )
            table = cells.sum(axis=0)
            kappa, phi = (float(x[0]) for x in kappa_and_phi(table[None, :]))
            seed = seed_of(options.seed, scores.model, first, second, "agreement")
            drawn = kappa_and_phi(resampled(cells, seed, options.draws))
            limits = [limit for values in drawn for limit in _percentiles(values, options.level)]
            counts = [int(x) for x in table]
            rows.append((scores.model, first, second, len(a), *counts, kappa, *limits[:2], phi, *limits[2:], _METHOD))
    return pl.DataFrame(rows, schema=AGREEMENT_SCHEMA, orient="row").fill_nan(None)


def kappa_and_phi(tables: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Of 2 x 2 tables, shape (tables, 4) as both right, first only, second only, both wrong; NaN where undefined."""
    both, first, second, neither = tables.T
    n = tables.sum(axis=1)
    a, b = both + first, both + second
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = (a * b + (n - a) * (n - b)) / (n * n)
        kappa = ((both + neither) / n - expected) / (1 - expected)
        phi = (both * neither - first * second) / np.sqrt(a * b * (n - a) * (n - b))
    constant = (a * (n - a) == 0) | (b * (n - b) == 0)
    return np.where(constant, np.nan, kappa), np.where(constant, np.nan, phi)


def _percentiles(values: FloatArray, level: float) -> tuple[float, float]:
    """Limits over the draws where the statistic is defined; none if that is under half of them."""
    held = values[~np.isnan(values)]
    if 2 * len(held) < len(values):
        return math.nan, math.nan
    low, high = np.quantile(held, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
