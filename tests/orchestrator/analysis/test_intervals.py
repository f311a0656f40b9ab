"""Each interval against a second implementation, its published figures, and its edges."""

import math

import numpy as np
import pandas
import pytest
import statsmodels.formula.api as smf
from scipy import optimize, stats
from statsmodels.stats.proportion import proportion_confint

from omnigap_orchestrator.analysis.bootstrap import studentised_cluster, seed_of, wild_cluster
from omnigap_orchestrator.analysis.choose_interval import IntervalOptions, Sample, macro_interval, mean_interval
from omnigap_orchestrator.analysis.intervals import (
    ClusterTotals,
    clopper_pearson,
    cluster_t,
    korn_graubard,
    mover,
    tango,
    weighted_cluster_t,
    wilson,
)

OPTIONS = IntervalOptions()


def sample(values: object, cluster: object = None, *, binary: bool = True, difference: bool = True) -> Sample:
    array = np.asarray(values, dtype=np.float64)
    groups = np.arange(len(array)) if cluster is None else np.asarray(cluster)
    return Sample(array, groups, np.zeros(len(array), dtype=np.int64), binary, difference)


@pytest.mark.parametrize("sizes", [[1] * 50, [3] * 20, [1, 2, 3, 4, 9, 20]])
def test_cluster_t_is_the_clustered_regression_on_a_constant(sizes: list[int]) -> None:
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


def test_cluster_t_of_single_items_is_the_t_test_of_one_sample() -> None:
    values = np.random.default_rng(1).normal(0.1, 1, 60)
    theirs = stats.ttest_1samp(values, 0)
    ours = cluster_t(ClusterTotals.of(values, np.arange(60)))
    assert ours.p == pytest.approx(theirs.pvalue, abs=1e-10)
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval()), abs=1e-10)


def test_the_task_macro_t_is_the_mean_coefficient_of_task_dummies() -> None:
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
def test_the_intervals_of_one_proportion_are_those_of_statsmodels(k: int, n: int) -> None:
    for ours, method in ((wilson(k, n), "wilson"), (clopper_pearson(k, n), "beta")):
        assert (ours.low, ours.high) == pytest.approx(proportion_confint(k, n, method=method), abs=1e-10)


def test_tango_gives_the_published_interval_of_the_airway_data() -> None:
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


def test_mover_of_one_part_is_that_parts_interval() -> None:
    part = wilson(8, 10)
    joined = mover(np.array([0.8]), np.array([part.low]), np.array([part.high]), np.array([1.0]))
    assert (joined.low, joined.high) == pytest.approx((part.low, part.high))


@pytest.mark.parametrize("bootstrap", [wild_cluster, studentised_cluster])
def test_a_bootstrap_is_seeded_and_ignores_labels_and_order(bootstrap: object) -> None:
    rng = np.random.default_rng(2)
    values, cluster = rng.normal(0.2, 1, 60), np.repeat(np.arange(20), 3)
    order = rng.permutation(60)
    one = bootstrap(ClusterTotals.of(values, cluster), 0.95, 9, 999, 5.0)
    other = bootstrap(ClusterTotals.of(values[order], 100 - cluster[order]), 0.95, 9, 999, 5.0)
    assert (one.low, one.high, one.p) == pytest.approx((other.low, other.high, other.p), abs=1e-9)
    assert bootstrap(ClusterTotals.of(values, cluster), 0.95, 10, 999, 5.0).low != one.low


def test_the_paired_bootstrap_mirrors_when_the_conditions_are_swapped() -> None:
    values = np.random.default_rng(4).normal(0.3, 1, 25)
    one = studentised_cluster(ClusterTotals.of(values, np.arange(25)), 0.95, 1, 999, 5.0)
    other = studentised_cluster(ClusterTotals.of(-values, np.arange(25)), 0.95, 1, 999, 5.0)
    assert (one.low, one.high) == (-other.high, -other.low)


def test_bootstraps_come_close_to_t_where_t_holds() -> None:
    values = np.random.default_rng(6).normal(0.1, 0.3, 400)
    totals = ClusterTotals.of(values, np.arange(400))
    t = cluster_t(totals)
    for other in (wild_cluster(totals, 0.95, 1, 4999), studentised_cluster(totals, 0.95, 1, 4999)):
        assert (other.low, other.high) == pytest.approx((t.low, t.high), abs=0.1 * (t.high - t.low))
        assert other.p == pytest.approx(t.p, abs=0.01)


def test_the_wild_test_at_an_end_of_its_interval_is_on_the_edge_of_rejection() -> None:
    values, cluster = np.random.default_rng(8).normal(0.1, 0.3, 60), np.repeat(np.arange(15), 4)
    interval = wild_cluster(ClusterTotals.of(values, cluster), 0.95, 3, 1999)
    moved = wild_cluster(ClusterTotals.of(values - interval.low, cluster), 0.95, 3, 1999)
    assert moved.p == pytest.approx(0.05, abs=0.003)


def test_seeds_differ_by_key_and_not_by_run() -> None:
    assert seed_of(1, "a", "b") == seed_of(1, "a", "b") != seed_of(1, "ab")
    assert seed_of(1, "a", "b") != seed_of(2, "a", "b")


def test_the_chooser_takes_t_from_40_balanced_clusters_and_10_discordant_pairs_on() -> None:
    differences = np.zeros(40)
    differences[:10] = -1
    assert mean_interval(sample(differences), OPTIONS).method == "cluster_t"
    differences[9] = 0
    assert mean_interval(sample(differences), OPTIONS).method == "tango"
    assert mean_interval(sample(np.tile([-1.0, 1.0, 0.0], 13)), OPTIONS).method == "tango"


def test_the_chooser_takes_the_wild_bootstrap_for_few_or_very_unequal_clusters() -> None:
    rng = np.random.default_rng(1)
    few = sample(rng.integers(-1, 2, 200).astype(float), np.arange(200) % 20)
    assert mean_interval(few, OPTIONS).method == "wild_cluster_rademacher"
    eight = sample(rng.integers(-1, 2, 200).astype(float), np.arange(200) % 8)
    assert mean_interval(eight, OPTIONS).method == "wild_cluster_webb"
    unequal = sample(rng.integers(-1, 2, 400).astype(float), np.minimum(np.arange(400), 60))
    assert mean_interval(unequal, OPTIONS).method == "wild_cluster_rademacher"


def test_the_chooser_takes_the_paired_bootstrap_for_few_graded_scores() -> None:
    few = sample(np.random.default_rng(1).normal(0, 0.2, 20), binary=False)
    assert mean_interval(few, OPTIONS).method == "paired_cluster_bootstrap_t"


def test_clustered_scores_without_variation_get_an_interval_with_a_width() -> None:
    none = sample(np.zeros(100), np.arange(100) // 10)
    interval = mean_interval(none, OPTIONS)
    assert interval.method == "tango_design_effect"
    alone = tango(0, 0, 10)
    assert (interval.low, interval.high) == pytest.approx((alone.low, alone.high))
    perfect = mean_interval(sample(np.ones(100), np.arange(100) // 10, difference=False), OPTIONS)
    assert perfect.method == "korn_graubard"
    assert perfect.low == pytest.approx(clopper_pearson(10, 10).low)
    equal = mean_interval(sample(np.full(100, 0.5), np.arange(100) // 10, binary=False, difference=False), OPTIONS)
    assert (equal.low, equal.high) == pytest.approx((clopper_pearson(5, 10).low, clopper_pearson(5, 10).high))


def test_scores_near_the_ends_get_an_exact_interval() -> None:
    assert mean_interval(sample([1.0] * 41 + [0.0] * 9, difference=False), OPTIONS).method == "clopper_pearson"
    assert mean_interval(sample([1.0] * 40 + [0.0] * 10, difference=False), OPTIONS).method == "wilson"


def test_korn_graubard_counts_the_items_that_the_clusters_are_worth() -> None:
    # Two of ten clusters of five are wrong as a whole: SE^2 = 10/9 * (2 * 4^2 + 8 * 1^2) / 50^2 = 0.0178, so that 0.16
    # over it is 9 items, times (2.00958 / 2.26216)^2.
    values = np.repeat([0.0, 0.0, *[1.0] * 8], 5)
    interval = korn_graubard(ClusterTotals.of(values, np.arange(50) // 5))
    effective = 9 * (2.0095752 / 2.2621572) ** 2
    expected = proportion_confint(0.8 * effective, effective, method="beta")
    assert (interval.low, interval.high) == pytest.approx(expected, abs=1e-6)


def test_equal_graded_scores_get_an_interval_with_a_width() -> None:
    interval = mean_interval(sample(np.zeros(30), binary=False), OPTIONS)
    assert interval.low < 0 < interval.high


def test_one_cluster_or_no_value_gives_no_interval() -> None:
    assert math.isnan(mean_interval(sample([]), OPTIONS).low)
    one = mean_interval(sample([0.2, 0.3, -0.4] * 5, [0] * 15, binary=False), OPTIONS)
    assert math.isnan(one.low)
    assert one.method == "none"


def test_the_macro_interval_of_few_items_is_put_together_from_the_tasks() -> None:
    values = np.array([1.0, 1, 0, 1, 0, 0, 1, 1])
    task = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    interval = macro_interval(Sample(values, np.arange(8), task, binary=True, difference=False), OPTIONS)
    assert interval.method == "mover"
    assert 0 <= interval.low < 0.625 < interval.high <= 1


def test_a_macro_interval_is_withheld_when_clusters_cross_tasks_and_are_few() -> None:
    values = np.array([1.0, 1, 0, 1, 0, 0, 1, 1])
    task, cluster = np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([0, 1, 2, 3, 0, 1, 2, 3])
    interval = macro_interval(Sample(values, cluster, task, binary=True, difference=False), OPTIONS)
    assert math.isnan(interval.low)


def test_the_macro_interval_holds_the_truth_where_a_small_task_weighs_as_much_as_a_large_one() -> None:
    rng, held = np.random.default_rng(3), 0
    task = np.repeat([0, 1], [1000, 20])
    for _ in range(200):
        lost = rng.random(1020) < np.where(task == 0, 0.08, 0.05)
        interval = macro_interval(Sample(-lost.astype(float), np.arange(1020), task, True, difference=True), OPTIONS)
        held += interval.low <= -0.065 <= interval.high
    assert held >= 186


@pytest.mark.parametrize("difference", [True, False])
def test_clusters_that_are_lost_as_a_whole_count_once_each(difference: bool) -> None:
    rng, held = np.random.default_rng(4), 0
    for _ in range(200):
        lost = np.repeat(rng.random(100) < 0.03, 10).astype(float)
        values = -lost if difference else 1 - lost
        interval = mean_interval(sample(values, np.arange(1000) // 10, difference=difference), OPTIONS)
        held += interval.low <= (-0.03 if difference else 0.97) <= interval.high
    assert held >= 186


@pytest.mark.parametrize("bad", [{"level": 1.0}, {"level": 0.0}, {"draws": 10}])
def test_impossible_options_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"level|draws"):
        IntervalOptions(**bad)
