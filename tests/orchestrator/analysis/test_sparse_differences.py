"""Means of graded differences that are nearly all the same: the score interval that stands in for a bootstrap."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_results import table

from omnigap_orchestrator.analysis import IntervalOptions, analyse
from omnigap_orchestrator.analysis.choose_interval import Sample, mean_interval
from omnigap_orchestrator.analysis.intervals import tango

OPTIONS = IntervalOptions(draws=499)


def of(values: np.ndarray, cluster: np.ndarray | None = None, bound: float = 1.0) -> Sample:
    groups = np.arange(len(values)) if cluster is None else cluster
    return Sample(values, groups, np.zeros(len(values), dtype=np.int64), binary=False, difference=True, bound=bound)


def test_an_effect_of_one_lost_item_of_14_has_the_interval_of_the_gap_that_lost_it() -> None:
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
    alone = tango(0, 1, 14)
    assert (effect["low"], effect["high"]) == pytest.approx((alone.low, alone.high))
    assert effect["method"] == "tango_graded"
    assert effect["low"] > -0.32


def test_gains_and_losses_count_as_shares_of_the_largest_possible() -> None:
    values = np.zeros(20)
    values[:3] = -0.5, -1.0, 0.5
    interval, by_hand = mean_interval(of(values), OPTIONS), tango(0.5, 1.5, 20)
    assert (interval.low, interval.high, interval.p) == pytest.approx((by_hand.low, by_hand.high, by_hand.p))
    twice = mean_interval(of(2 * values, bound=2.0), OPTIONS)
    assert (twice.low, twice.high) == pytest.approx((2 * by_hand.low, 2 * by_hand.high))


def test_clusters_that_hardly_differ_count_by_their_design_effect() -> None:
    """14 clusters of two; one of them loses both: 1.5 of 28. A wild bootstrap would end at 0 on the far side.

    SE^2 over the variance of independent items: (14/13 x 2.0893 / 28^2) / (1.1696 / 27 / 28) = 1.8546.
    """
    values = np.zeros(28)
    values[:2] = -1.0, -0.5
    interval = mean_interval(of(values, np.arange(28) // 2), OPTIONS)
    by_hand = tango(0, 1.5 / 1.8546, 28 / 1.8546)
    assert (interval.low, interval.high) == pytest.approx((by_hand.low, by_hand.high), abs=1e-4)
    assert interval.high > 0.1
    mirrored = mean_interval(of(-values, np.arange(28) // 2), OPTIONS)
    assert (mirrored.low, mirrored.high) == pytest.approx((-interval.high, -interval.low))


def test_half_of_two_equal_gaps_has_their_interval() -> None:
    """Of 60 items in clusters of three, five are lost in both conditions: the effect is each of the gaps."""
    cluster, lost = np.arange(60) // 3, np.isin(np.arange(60), (0, 1, 7, 20, 44))
    gap = mean_interval(replace(of(-lost.astype(np.float64), cluster), binary=True), OPTIONS)
    effect = mean_interval(of(-lost.astype(np.float64), cluster), OPTIONS)
    assert (gap.method, effect.method) == ("tango_design_effect", "tango_graded")
    assert (effect.low, effect.high) == pytest.approx((gap.low, gap.high))


def test_values_that_differ_are_bootstrapped_as_before() -> None:
    rng = np.random.default_rng(3)
    assert mean_interval(of(rng.normal(0, 0.2, 8)), OPTIONS).method == "paired_cluster_bootstrap_t"
    sparse = np.where(np.arange(40) < 10, -0.5, 0.0)[np.newaxis].ravel()
    assert mean_interval(of(sparse, np.arange(40) // 2), OPTIONS).method == "tango_graded"
    assert mean_interval(of(np.tile([-0.5, 0.0, 0.5], 10)), OPTIONS).method == "paired_cluster_bootstrap_t"


@pytest.mark.parametrize(("items", "size"), [(14, 1), (60, 1), (20, 4)])
def test_sparse_intervals_cover_what_is_true(items: int, size: int) -> None:
    """Half a point lost, or a whole one, by 5 % of the items of a cluster, drawn with their cluster."""
    rng, covered, draws = np.random.default_rng(5), 0, 400
    for _ in range(draws):
        risk = np.repeat(rng.choice([0.0, 0.1], items), size)
        values = -np.where(rng.random(items * size) < risk, rng.choice([0.5, 1.0], items * size), 0.0)
        interval = mean_interval(of(values, np.arange(items * size) // size), OPTIONS)
        covered += interval.low <= -0.05 * 0.75 <= interval.high
    assert covered / draws >= 0.93 - 3 * np.sqrt(0.95 * 0.05 / draws)


def test_graded_scores_that_are_nearly_all_the_same_get_an_exact_interval() -> None:
    values = np.ones(40)
    values[:2] = 0.5
    alone = replace(of(values), difference=False)
    interval = mean_interval(alone, OPTIONS)
    assert interval.method == "korn_graubard"
    assert interval.low < 0.95 and 0.975 < interval.high < 1
