"""Sample sizes, equivalence and what a run could have seen."""

import math

import numpy as np
import pytest
from made_up_results import drawn, paired
from scipy import stats

from omnigap_orchestrator.analysis import (
    AnalysisOptions,
    IntervalOptions,
    MissingRule,
    analyse,
    item_scores,
    score_matrices,
)
from omnigap_orchestrator.analysis.equivalence import equivalence, tost_p
from omnigap_orchestrator.analysis.power import (
    detectable_gap,
    paired_variance,
    pairs_needed,
    pairs_needed_for_equivalence,
    phi_range,
    power_table,
)


@pytest.mark.parametrize(("phi", "published"), [(0, 3815), (0.15, 3244), (0.3, 2672), (0.5, 1909), (0.7, 1147)])
def test_the_reference_sample_sizes_come_out(phi: float, published: int) -> None:
    """The reference figures are rounded to the nearest item, ours up: 3,815.4 and 1,909.3 become one more."""
    variance = paired_variance(0.70, 0.65, phi)
    exact = (stats.norm.isf(0.025) + stats.norm.ppf(0.8)) ** 2 * variance / 0.03**2
    assert round(exact) == published
    assert pairs_needed(variance, 0.03) == math.ceil(exact)


def test_no_gap_within_two_points_takes_about_7200_items() -> None:
    assert pairs_needed_for_equivalence(paired_variance(0.7, 0.7, 0.2), 0.02) == pytest.approx(7200, abs=10)


def test_the_detectable_gap_is_the_inverse_of_the_sample_size() -> None:
    variance = paired_variance(0.8, 0.7, 0.2)
    assert detectable_gap(variance, pairs_needed(variance, 0.04)) == pytest.approx(0.04, abs=1e-4)


def test_the_power_is_reached_in_simulation() -> None:
    variance = paired_variance(0.70, 0.62, 0.0)
    n = pairs_needed(variance, 0.08)
    rng = np.random.default_rng(1)
    d = (rng.random((2000, n)) < 0.62).astype(float) - (rng.random((2000, n)) < 0.70)
    t = d.mean(axis=1) / (d.std(axis=1, ddof=1) / np.sqrt(n))
    assert (np.abs(t) > 1.96).mean() == pytest.approx(0.8, abs=3 * np.sqrt(0.8 * 0.2 / 2000))


def test_phi_has_a_range_and_values_outside_are_refused() -> None:
    assert phi_range(0.5, 0.5) == pytest.approx((-1, 1))
    assert phi_range(0.9, 0.5)[1] == pytest.approx(1 / 3)
    assert phi_range(1.0, 0.5) == (0.0, 0.0)
    with pytest.raises(ValueError, match=r"phi=0\.8 is impossible"):
        paired_variance(0.9, 0.5, 0.8)
    with pytest.raises(ValueError, match="target gap above 0"):
        pairs_needed(0.3, 0.0)


def test_the_table_uses_the_pilots_own_phi_and_the_declared_gap() -> None:
    results = drawn(400)
    frame = power_table(score_matrices(item_scores(results)), "t2t", target_gap=0.03)
    for row in frame.iter_rows(named=True):
        closed = paired_variance(row["reference_accuracy"], row["accuracy"], row["phi"])
        assert row["variance"] == pytest.approx(closed * 400 / 399, rel=1e-9)
        assert row["needed"] == pairs_needed(row["variance"], 0.03, design_effect=row["design_effect"])
        assert row["q"] == pytest.approx(400 / row["needed"])


def test_clusters_raise_the_need() -> None:
    plain, copied = drawn(200), drawn(200)
    copied = plain.vstack(copied.with_columns(item_id=copied["item_id"] + "b"))
    one = power_table(score_matrices(item_scores(plain)), "t2t", 0.03)
    two = power_table(score_matrices(item_scores(copied)), "t2t", 0.03)
    assert two["design_effect"].to_numpy() == pytest.approx(2.0, abs=0.02)
    assert two["q"].to_numpy() == pytest.approx(one["q"].to_numpy(), rel=0.02)


def test_what_no_gap_takes_is_told_at_the_declared_power_and_with_the_clusters_of_the_run() -> None:
    plain = drawn(200)
    copied = plain.vstack(plain.with_columns(item_id=plain["item_id"] + "b"))
    one, two = (score_matrices(item_scores(frame)) for frame in (plain, copied))
    rule, options = MissingRule(), IntervalOptions()
    alone = equivalence(one, "t2t", rule, options, power=0.9)
    variance = power_table(one, "t2t", 0.03)["variance"].to_list()
    assert alone["needed"].to_list() == [pairs_needed_for_equivalence(v, 0.02, 0.9) for v in variance]
    twice = equivalence(two, "t2t", rule, options, power=0.9)["needed"] / alone["needed"]
    assert twice.to_numpy() == pytest.approx(2.0, abs=0.04)


def test_tost_is_two_one_sided_t_tests() -> None:
    values = np.random.default_rng(1).normal(0.005, 0.05, 100)
    p = max(
        stats.ttest_1samp(values, -0.02, alternative="greater").pvalue,
        stats.ttest_1samp(values, 0.02, alternative="less").pvalue,
    )
    assert tost_p(values.mean(), stats.sem(values), 99, 0.02) == pytest.approx(p, abs=1e-10)


def test_equal_conditions_are_equivalent_only_with_enough_items() -> None:
    def verdict(n: int) -> str:
        scores = np.arange(n) % 10 < 7
        results = paired(scores.astype(float), scores.astype(float))
        frame = equivalence(score_matrices(item_scores(results)), "t2t", MissingRule(), IntervalOptions())
        return frame["verdict"][0]

    assert verdict(40) == "not shown"
    assert verdict(400) == "equivalent"


def test_the_verdict_and_the_p_agree_where_t_is_used() -> None:
    rows = analyse(drawn(500), AnalysisOptions(margin=0.2)).frames["equivalence"].filter(method="cluster_t")
    assert set(rows["verdict"]) == {"equivalent", "not shown"}
    assert ((rows["p"] < 0.05) == (rows["verdict"] == "equivalent")).all()


def test_an_impossible_margin_is_refused() -> None:
    with pytest.raises(ValueError, match="margin"):
        equivalence([], "t2t", MissingRule(), IntervalOptions(), margin=2)
