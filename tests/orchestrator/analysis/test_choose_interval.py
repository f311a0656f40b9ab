"""Tests of the choice of an interval, and of the chosen intervals on sparse data."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from omnigap_orchestrator.analysis import IntervalOptions, analyse
from omnigap_orchestrator.analysis.choose_interval import Sample, macro_interval, mean_interval
from omnigap_orchestrator.analysis.intervals import (
    clopper_pearson,
    tango,
)
from tests.orchestrator.analysis.made_up_results import table

OPTIONS = IntervalOptions()


def sample(values: object, cluster: object = None, *, binary: bool = True, difference: bool = True) -> Sample:
    array = np.asarray(values, dtype=np.float64)
    groups = np.arange(len(array)) if cluster is None else np.asarray(cluster)
    return Sample(array, groups, np.zeros(len(array), dtype=np.int64), binary, difference)


def test_t_from_40_balanced_clusters_of_which_enough_differ() -> None:
    differences = np.zeros(40)
    differences[:16] = -1
    assert mean_interval(sample(differences), OPTIONS).method == "cluster_t"
    differences[15] = 0
    assert mean_interval(sample(differences), OPTIONS).method == "tango"
    many = np.zeros(400)
    many[:20] = -1
    assert mean_interval(sample(many), OPTIONS).method == "cluster_t"
    many[19] = 0
    assert mean_interval(sample(many), OPTIONS).method == "tango"
    assert mean_interval(sample(np.tile([-1.0, 1.0, 0.0], 13)), OPTIONS).method == "tango"


def test_wild_bootstrap_for_few_or_unequal_clusters() -> None:
    rng = np.random.default_rng(1)
    few = sample(rng.integers(-1, 2, 200).astype(float), np.arange(200) % 20)
    assert mean_interval(few, OPTIONS).method == "wild_cluster_rademacher"
    eight = sample(rng.integers(-1, 2, 200).astype(float), np.arange(200) % 8)
    assert mean_interval(eight, OPTIONS).method == "wild_cluster_webb"
    unequal = sample(rng.integers(-1, 2, 400).astype(float), np.minimum(np.arange(400), 60))
    assert mean_interval(unequal, OPTIONS).method == "wild_cluster_rademacher"


@pytest.mark.parametrize("items", [20, 400])
def test_the_ends_of_the_scale_are_added_to_graded_scores(items: int) -> None:
    values = np.random.default_rng(1).normal(0, 0.2, items)
    assert mean_interval(sample(values, binary=False), OPTIONS).method == "augmented_t"
    score = mean_interval(sample(np.clip(0.95 + values, 0, 1), binary=False, difference=False), OPTIONS)
    assert (score.method, score.high <= 1) == ("augmented_t", True)


def test_the_wider_of_two_intervals_for_few_graded_clusters() -> None:
    values, cluster = np.random.default_rng(1).normal(0, 0.2, 40), np.arange(40) // 5
    noisy = mean_interval(sample(values, cluster, binary=False), OPTIONS)
    assert noisy.method == "wild_cluster_webb_augmented"
    quiet = mean_interval(sample(values / 50, cluster, binary=False), OPTIONS)
    assert quiet.low < -0.05 < 0.05 < quiet.high


def test_few_clusters_that_make_the_losses_are_not_enough_for_t() -> None:
    """100 clusters of 10: the same 60 losses in 60 clusters, and in six."""
    spread, bunched = np.zeros((100, 10)), np.zeros((100, 10))
    spread[:60, 0], bunched[:6] = -1, -1
    cluster = np.arange(1000) // 10
    assert mean_interval(sample(spread.ravel(), cluster), OPTIONS).method == "cluster_t"
    assert mean_interval(sample(bunched.ravel(), cluster), OPTIONS).method == "tango_design_effect"


def test_clustered_scores_without_variation_have_a_wide_interval() -> None:
    none = sample(np.zeros(100), np.arange(100) // 10)
    interval = mean_interval(none, OPTIONS)
    assert interval.method == "tango_design_effect"
    expected = tango(0, 0, 10)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    perfect = mean_interval(sample(np.ones(100), np.arange(100) // 10, difference=False), OPTIONS)
    assert perfect.method == "clopper_pearson_design_effect"
    assert perfect.low == pytest.approx(clopper_pearson(10, 10).low)
    equal = mean_interval(sample(np.full(100, 0.5), np.arange(100) // 10, binary=False, difference=False), OPTIONS)
    assert (equal.low, equal.high) == pytest.approx((clopper_pearson(5, 10).low, clopper_pearson(5, 10).high))


def test_scores_near_the_ends_get_an_exact_interval() -> None:
    assert mean_interval(sample([1.0] * 41 + [0.0] * 9, difference=False), OPTIONS).method == "clopper_pearson"
    assert mean_interval(sample([1.0] * 40 + [0.0] * 10, difference=False), OPTIONS).method == "wilson"


def test_equal_graded_scores_have_a_wide_interval() -> None:
    interval = mean_interval(sample(np.zeros(30), binary=False), OPTIONS)
    assert interval.low < 0 < interval.high


def test_one_cluster_or_no_value_gives_no_interval() -> None:
    assert math.isnan(mean_interval(sample([]), OPTIONS).low)
    one = mean_interval(sample([0.2, 0.3, -0.4] * 5, [0] * 15, binary=False), OPTIONS)
    assert math.isnan(one.low)
    assert one.method == "none"


def test_macro_interval_of_few_items_is_mover_over_tasks() -> None:
    values = np.array([1.0, 1, 0, 1, 0, 0, 1, 1])
    task = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    interval = macro_interval(Sample(values, np.arange(8), task, binary=True, difference=False), OPTIONS)
    assert interval.method == "mover"
    assert 0 <= interval.low < 0.625 < interval.high <= 1


def test_no_macro_interval_for_few_clusters_across_tasks() -> None:
    values = np.array([1.0, 1, 0, 1, 0, 0, 1, 1])
    task, cluster = np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([0, 1, 2, 3, 0, 1, 2, 3])
    interval = macro_interval(Sample(values, cluster, task, binary=True, difference=False), OPTIONS)
    assert math.isnan(interval.low)


def test_macro_interval_covers_with_a_small_and_a_large_task() -> None:
    rng, held = np.random.default_rng(3), 0
    task = np.repeat([0, 1], [1000, 20])
    for _ in range(200):
        lost = rng.random(1020) < np.where(task == 0, 0.08, 0.05)
        interval = macro_interval(Sample(-lost.astype(float), np.arange(1020), task, True, difference=True), OPTIONS)
        held += interval.low <= -0.065 <= interval.high
    assert held >= 186


@pytest.mark.parametrize("difference", [True, False])
def test_intervals_cover_when_whole_clusters_are_lost(difference: bool) -> None:
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


def graded(values: np.ndarray, cluster: np.ndarray | None = None, bound: float = 1.0) -> Sample:
    groups = np.arange(len(values)) if cluster is None else cluster
    return Sample(values, groups, np.zeros(len(values), dtype=np.int64), binary=False, difference=True, bound=bound)


def test_an_effect_has_the_interval_of_its_equal_gaps() -> None:
    """In s2t and s2s one of 14 items is lost: each gap is -1/14, and so is the effect that is their mean."""
    rows = [
        {"item_id": f"q{i}", "condition": c, "score": float(i > 0 or c[0] == "t")}
        for c in ("t2t", "s2t", "t2s", "s2s")
        for i in range(14)
    ]
    (effect,) = (
        analyse(table(rows))
        .frames["effects"]
        .filter(effect="speech input", pooling="item_weighted", missing="answered_pairs")
        .iter_rows(named=True)
    )
    expected = tango(0, 1, 14)
    assert (effect["low"], effect["high"]) == pytest.approx((expected.low, expected.high))
    assert effect["method"] == "tango_graded"
    assert effect["low"] > -0.32


def test_graded_gains_and_losses_are_fractions_of_the_bound() -> None:
    values = np.zeros(20)
    values[:3] = -0.5, -1.0, 0.5
    interval, by_hand = mean_interval(graded(values), OPTIONS), tango(0.5, 1.5, 20)
    assert (interval.low, interval.high, interval.p) == pytest.approx((by_hand.low, by_hand.high, by_hand.p))
    twice = mean_interval(graded(2 * values, bound=2.0), OPTIONS)
    assert (twice.low, twice.high) == pytest.approx((2 * by_hand.low, 2 * by_hand.high))


def test_clusters_that_hardly_differ_use_the_design_effect() -> None:
    """14 clusters of two; one of them loses both: 1.5 of 28. A wild bootstrap would end at 0 on the far side.

    SE^2 over the variance of independent items: (14/13 x 2.0893 / 28^2) / (1.1696 / 27 / 28) = 1.8546. With the weight
    0.035 x 13/14 on a cluster of two that is lost as a whole it is 1.8546 x (2.25 + 0.13) / (1.5 + 0.065) / 1.5.
    """
    values = np.zeros(28)
    values[:2] = -1.0, -0.5
    interval = mean_interval(graded(values, np.arange(28) // 2), OPTIONS)
    effect = 1.8546 * (2.25 + 0.13) / (1.5 + 0.065) / 1.5
    by_hand = tango(0, 1.5 / effect, 28 / effect)
    assert (interval.low, interval.high) == pytest.approx((by_hand.low, by_hand.high), abs=1e-4)
    assert interval.high > 0.1
    mirrored = mean_interval(graded(-values, np.arange(28) // 2), OPTIONS)
    assert (mirrored.low, mirrored.high) == pytest.approx((-interval.high, -interval.low))


def test_the_mean_of_two_equal_gaps_has_their_interval() -> None:
    """Of 60 items in clusters of three, five are lost in both conditions: the effect is each of the gaps."""
    cluster, lost = np.arange(60) // 3, np.isin(np.arange(60), (0, 1, 7, 20, 44))
    gap = mean_interval(replace(graded(-lost.astype(np.float64), cluster), binary=True), OPTIONS)
    effect = mean_interval(graded(-lost.astype(np.float64), cluster), OPTIONS)
    assert (gap.method, effect.method) == ("tango_design_effect", "tango_graded")
    assert (effect.low, effect.high) == pytest.approx((gap.low, gap.high))


def test_graded_values_that_vary_get_a_t_interval() -> None:
    rng = np.random.default_rng(3)
    assert mean_interval(graded(rng.normal(0, 0.2, 8)), OPTIONS).method == "augmented_t"
    sparse = np.where(np.arange(40) < 10, -0.5, 0.0)[np.newaxis].ravel()
    assert mean_interval(graded(sparse, np.arange(40) // 2), OPTIONS).method == "tango_graded"
    assert mean_interval(graded(np.tile([-0.5, 0.0, 0.5], 10)), OPTIONS).method == "augmented_t"


@pytest.mark.parametrize(("items", "size"), [(14, 1), (60, 1), (20, 4)])
def test_intervals_of_sparse_differences_cover(items: int, size: int) -> None:
    """Half a point lost, or a whole one, by 5 % of the items of a cluster, drawn with their cluster."""
    rng, covered, draws = np.random.default_rng(5), 0, 400
    for _ in range(draws):
        risk = np.repeat(rng.choice([0.0, 0.1], items), size)
        values = -np.where(rng.random(items * size) < risk, rng.choice([0.5, 1.0], items * size), 0.0)
        interval = mean_interval(graded(values, np.arange(items * size) // size), OPTIONS)
        covered += interval.low <= -0.05 * 0.75 <= interval.high
    assert covered / draws >= 0.93 - 3 * np.sqrt(0.95 * 0.05 / draws)


def test_nearly_equal_graded_scores_get_an_exact_interval() -> None:
    values = np.ones(40)
    values[:2] = 0.5
    score = replace(graded(values), difference=False)
    interval = mean_interval(score, OPTIONS)
    assert interval.method == "clopper_pearson_design_effect"
    assert interval.low < 0.95 and 0.975 < interval.high < 1
