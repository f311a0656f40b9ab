"""The table `agreement`: Cohen's kappa and phi of right and wrong answers, for every pair of conditions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
import polars as pl
from scipy import stats

from omnigap_orchestrator.analysis.bootstrap import resampled
from omnigap_orchestrator.analysis.choose_interval import enough_for_t
from omnigap_orchestrator.analysis.consistency import RIGHT_AT
from omnigap_orchestrator.analysis.intervals import ClusterTotals
from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.pairs import MODELS, FloatArray, ModelScores
from omnigap_orchestrator.analysis.table import Table, schema_of


@dataclass(frozen=True, slots=True)
class AgreementRow:
    """Agreement of two conditions on which items are right."""

    model: str
    first: str
    second: str
    n: int
    both_right: int
    first_only: int
    second_only: int
    both_wrong: int
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None
    phi: float | None
    phi_low: float | None
    phi_high: float | None
    method: str | None


AGREEMENT_SCHEMA = schema_of(AgreementRow)

BOOTSTRAP, JEFFREYS = "cluster_bootstrap_percentile", "dirichlet_jeffreys"

# Jeffreys' prior of a multinomial distribution: half a count in each of the four cells.
_JEFFREYS_COUNT = 0.5


def pairwise_agreement(models: Sequence[ModelScores], options: IntervalOptions) -> pl.DataFrame:
    """Cohen's kappa and phi of right and wrong for every pair of conditions, over the items scored in both.

    Kappa and phi are null where a condition never varies.

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
            found = agreement(cells, options.seed, options)
            counts = [int(x) for x in cells.sum(axis=0)]
            rows.append((scores.model, first, second, len(a), *counts, *astuple(found)))
    return pl.DataFrame(rows, schema=AGREEMENT_SCHEMA, orient="row").fill_nan(None)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Kappa and phi with their limits; all NaN, and no method, if a condition never varies."""

    kappa: float = math.nan
    kappa_low: float = math.nan
    kappa_high: float = math.nan
    phi: float = math.nan
    phi_low: float = math.nan
    phi_high: float = math.nan
    method: str | None = None


def agreement(cells: FloatArray, seed: int, options: IntervalOptions) -> Agreement:
    """Kappa and phi with intervals.

    Args:
        cells: counts of items that are right in both conditions, in the first only, in the second only, and in none, by
            cluster; shape (clusters, 4).
        seed: of the draws.
    """
    kappa, phi = (float(x[0]) for x in kappa_and_phi(cells.sum(axis=0)[None, :]))
    if math.isnan(kappa):
        return Agreement()
    tables, method = _tables(cells, seed, options)
    of_kappa, of_phi = (_percentiles(values, options.level) for values in kappa_and_phi(tables))
    return Agreement(kappa, *of_kappa, phi, *of_phi, method)


def kappa_and_phi(tables: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cohen's kappa and the phi coefficient of 2 x 2 tables; NaN where undefined.

    Args:
        tables: shape (tables, 4): both right, first only, second only, both wrong.

    Returns:
        kappa = (observed - expected) / (1 - expected) agreement (Cohen 1960), and phi, the correlation of right and
        wrong; both of shape (tables,).
    """
    both, first, second, neither = tables.T
    n = tables.sum(axis=1)
    a, b = both + first, both + second
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = (a * b + (n - a) * (n - b)) / (n * n)
        kappa = ((both + neither) / n - expected) / (1 - expected)
        phi = (both * neither - first * second) / np.sqrt(a * b * (n - a) * (n - b))
    constant = (a * (n - a) == 0) | (b * (n - b) == 0)
    return np.where(constant, np.nan, kappa), np.where(constant, np.nan, phi)


def _tables(cells: FloatArray, seed: int, options: IntervalOptions) -> tuple[FloatArray, str]:
    """Draws of the 2 x 2 table, shape (draws, 4), and the method that made them; `cells` as in `agreement`."""
    both, first, second, neither = cells.sum(axis=0)
    # The percentile bootstrap over clusters needs enough right answers, wrong answers and disagreements, the last in
    # several clusters. Near the ceiling it covers as little as 69 %.
    rarest = min(both + first, both + second, first + neither, second + neither, first + second)
    disagreements = ClusterTotals(cells[:, 1] + cells[:, 2], cells.sum(axis=1))
    if enough_for_t(disagreements, int(rarest)):
        return resampled(cells, seed, options.draws), BOOTSTRAP
    # Otherwise the posterior of the four shares under Jeffreys' prior, on the effective number of items.
    shrunk = cells.sum(axis=0) / _design_effect(cells, options.level)
    return np.random.default_rng(seed).dirichlet(shrunk + _JEFFREYS_COUNT, options.draws), JEFFREYS


def _design_effect(cells: FloatArray, level: float) -> float:
    """Design effect of kappa, at least 1: jackknife variance over clusters divided by that over items.

    As in Korn and Graubard's interval, it is multiplied by the squared ratio of the t quantiles with G - 1 and n - 1
    degrees of freedom. If it can't be estimated, it is the largest possible one: a cluster counts as one item.
    """
    table, sizes = cells.sum(axis=0), cells.sum(axis=1)
    n, count = float(table.sum()), len(cells)
    if (sizes == 1).all():
        return 1.0
    largest = float(np.square(sizes).sum() / n)
    if count < 2:
        return largest
    # Leaving out one item changes the table in one of four ways, so four tables represent all n jackknife replicates.
    by_item, _ = kappa_and_phi(table - np.eye(4))
    by_cluster, _ = kappa_and_phi(table - cells)
    occurs = table > 0
    if np.isnan(by_item[occurs]).any() or np.isnan(by_cluster).any():
        return largest
    mean = float(table[occurs] @ by_item[occurs]) / n
    items = (n - 1) / n * float(table[occurs] @ np.square(by_item[occurs] - mean))
    clusters = (count - 1) / count * float(np.square(by_cluster - by_cluster.mean()).sum())
    if items <= 0:
        return largest
    t_clusters, t_items = (float(stats.t.ppf(0.5 + level / 2, df)) for df in (count - 1, n - 1))
    return max(1.0, clusters / items * (t_clusters / t_items) ** 2)


def _percentiles(values: FloatArray, level: float) -> tuple[float, float]:
    """Percentile limits over the draws in which the statistic is defined; NaN if these are under half of the draws."""
    held = values[~np.isnan(values)]
    if 2 * len(held) < len(values):
        return math.nan, math.nan
    low, high = np.quantile(held, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


AGREEMENT = Table(
    name="agreement", row=AgreementRow, compute=lambda given: pairwise_agreement(given[MODELS], given.options.intervals)
)
