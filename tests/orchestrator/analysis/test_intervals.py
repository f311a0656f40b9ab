"""Tests of the closed-form intervals against second implementations and published numbers."""

from __future__ import annotations

import math

import numpy as np
import pandas
import pytest
import statsmodels.formula.api as smf
from scipy import optimize, stats
from statsmodels.stats.proportion import proportion_confint

from omnigap_orchestrator.analysis.choose_interval import IntervalOptions
from omnigap_orchestrator.analysis.intervals import (
    ClusterTotals,
    augmented_t,
    cautious_design_effect,
    clopper_pearson,
    cluster_t,
    design_effect,
    mover,
    tango,
    weighted_cluster_t,
    wilson,
)

OPTIONS = IntervalOptions()


@pytest.mark.parametrize("sizes", [[1] * 50, [3] * 20, [1, 2, 3, 4, 9, 20]])
def test_cluster_t_matches_a_clustered_regression(sizes: list[int]) -> None:
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    values = rng.integers(-1, 2, len(cluster)) + rng.normal(0, 1, len(sizes))[cluster]
    fit = smf.ols("d ~ 1", pandas.DataFrame({"d": values})).fit(
        cov_type="cluster", cov_kwds={"groups": cluster}, use_t=True
    )
    ours = cluster_t(ClusterTotals.of(values, cluster))
    assert ours.se == pytest.approx(fit.bse.iloc[0], abs=1e-12)
    assert (ours.low, ours.high) == pytest.approx(tuple(fit.conf_int().iloc[0]), abs=1e-10)
    assert ours.p == pytest.approx(fit.pvalues.iloc[0], abs=1e-10)


def test_cluster_t_of_single_items_is_the_one_sample_t_test() -> None:
    values = np.random.default_rng(1).normal(0.1, 1, 60)
    theirs = stats.ttest_1samp(values, 0)
    ours = cluster_t(ClusterTotals.of(values, np.arange(60)))
    assert ours.p == pytest.approx(theirs.pvalue, abs=1e-10)
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval()), abs=1e-10)


def test_task_macro_t_matches_a_regression_on_task_dummies() -> None:
    rng = np.random.default_rng(5)
    cluster, task = np.repeat(np.arange(45), 4), rng.choice(3, 180, p=[0.6, 0.3, 0.1])
    values = rng.normal(0, 1, 180) + rng.normal(0, 1, 45)[cluster] + task
    fit = smf.ols("d ~ C(t) - 1", pandas.DataFrame({"d": values, "t": task})).fit(
        cov_type="cluster", cov_kwds={"groups": cluster}, use_t=True
    )
    theirs = fit.t_test(np.full((1, 3), 1 / 3))
    ours = weighted_cluster_t(values, task, cluster)
    assert ours.se == pytest.approx(float(np.squeeze(theirs.sd)), abs=1e-10)
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.conf_int()[0]), abs=1e-8)


@pytest.mark.parametrize(("k", "n"), [(0, 7), (3, 20), (20, 20), (712, 1000)])
def test_intervals_of_one_proportion_match_statsmodels(k: int, n: int) -> None:
    for ours, method in ((wilson(k, n), "wilson"), (clopper_pearson(k, n), "beta")):
        assert (ours.low, ours.high) == pytest.approx(proportion_confint(k, n, method=method), abs=1e-10)


def test_tango_matches_the_published_interval_of_the_airway_data() -> None:
    # Fagerland, Lydersen and Laake 2014, airway hyper-responsiveness: 1 and 7 discordant of 21.
    ours = tango(1, 7, 21)
    assert (round(ours.low, 3), round(ours.high, 3)) == (-0.517, -0.026)


@pytest.mark.parametrize(("gained", "lost", "n"), [(1, 7, 21), (6, 16, 161), (3, 0, 30), (0, 4, 9)])
def test_tangos_limits_are_where_the_constrained_likelihood_score_reaches_z(gained: int, lost: int, n: int) -> None:
    """The most likely discordant probability is found numerically here, not from the formula."""

    def score(delta: float) -> float:
        def loss(q: float) -> float:
            cells = ((gained, q + delta), (lost, q), (n - gained - lost, 1 - 2 * q - delta))
            return -sum(count * math.log(max(p, 1e-300)) for count, p in cells if count)

        low, high = max(0.0, -delta), (1 - delta) / 2
        q = float(optimize.minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-13}).x)
        return (gained - lost - n * delta) / math.sqrt(n * (2 * q + delta - delta * delta))

    z = stats.norm.ppf(0.975)
    ours = tango(gained, lost, n)
    assert score(ours.low) == pytest.approx(z, abs=1e-4)
    assert score(ours.high) == pytest.approx(-z, abs=1e-4)


def test_tango_without_discordant_pairs_still_has_a_width() -> None:
    ours = tango(0, 0, 50)
    z2 = stats.norm.ppf(0.975) ** 2
    assert ours.high == pytest.approx(z2 / (50 + z2), abs=1e-9)
    assert ours.low == pytest.approx(-ours.high)
    assert ours.p == 1.0


def test_tango_mirrors_when_the_conditions_are_swapped() -> None:
    one, other = tango(4, 11, 80), tango(11, 4, 80)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-10)


def test_mover_of_one_estimate_is_its_interval() -> None:
    part = wilson(8, 10)
    joined = mover(np.array([0.8]), np.array([part.low]), np.array([part.high]), np.array([1.0]))
    assert (joined.low, joined.high) == pytest.approx((part.low, part.high))


def test_a_cluster_that_has_not_been_seen_makes_the_design_effect_larger() -> None:
    # Of ten clusters of five one has lost two items: 2^2 / 2 = 2 items per lost item. An average cluster that is lost
    # as a whole, with the weight 0.035 times 9/10 clusters without a loss, makes it 4.7875 / 2.1575.
    values = np.zeros(50)
    values[:2] = -1
    totals = ClusterTotals.of(values, np.arange(50) // 5)
    plain = design_effect(totals, values.var(ddof=1))
    found = cautious_design_effect(totals, totals.sums, values.var(ddof=1))
    assert found == pytest.approx(plain * 4.7875 / 2.1575 / 2)
    assert plain < found < 5


def test_the_cautious_design_effect_of_single_items_or_no_variation_is_the_largest_possible() -> None:
    losses = np.repeat([-1.0, 0.0], [3, 37])
    single = ClusterTotals.of(losses, np.arange(40))
    assert cautious_design_effect(single, single.sums, losses.var(ddof=1)) == 1
    nothing = ClusterTotals.of(np.zeros(40), np.arange(40) // 4)
    assert cautious_design_effect(nothing, nothing.sums, 0.0) == 4


def test_augmented_t_is_the_t_interval_of_the_sample_with_the_ends() -> None:
    values = np.random.default_rng(9).normal(0.1, 0.2, 40)
    more = np.concatenate([values, [-1, 1]])
    ours = augmented_t(ClusterTotals.of(values, np.arange(40)), -1, 1)
    half = stats.t.ppf(0.975, 39) * stats.sem(more)
    assert (ours.low, ours.high) == pytest.approx((more.mean() - half, more.mean() + half))
    assert ours.se == pytest.approx(stats.sem(values))


def test_equal_graded_scores_do_not_exclude_an_unseen_loss() -> None:
    interval = augmented_t(ClusterTotals.of(np.full(30, 0.02), np.arange(30)), -1, 1)
    assert interval.low < -0.05 and interval.p > 0.05
