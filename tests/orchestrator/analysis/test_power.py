"""Tests of sample sizes: of a run, from a pilot, and from assumptions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from omnigap_orchestrator.analysis import (
    assumed_needs,
    item_scores,
    pilot_needs,
    score_matrices,
)
from omnigap_orchestrator.analysis.power import (
    detectable_gap,
    paired_variance,
    pairs_needed,
    pairs_needed_for_equivalence,
    phi_range,
    power_table,
)
from tests.orchestrator.analysis.made_up_results import drawn, paired


@pytest.mark.parametrize(("phi", "published"), [(0, 3815), (0.15, 3244), (0.3, 2672), (0.5, 1909), (0.7, 1147)])
def test_reference_sample_sizes(phi: float, published: int) -> None:
    """The reference figures are rounded to the nearest item, ours up: 3,815.4 and 1,909.3 become one more."""
    variance = paired_variance(0.70, 0.65, phi)
    exact = (stats.norm.isf(0.025) + stats.norm.ppf(0.8)) ** 2 * variance / 0.03**2
    assert round(exact) == published
    assert pairs_needed(variance, 0.03) == math.ceil(exact)


def test_equivalence_within_two_points_needs_7200_items() -> None:
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
    with pytest.raises(ValueError, match="target_gap above 0"):
        pairs_needed(0.3, 0.0)


def test_the_table_uses_the_observed_phi_and_the_target_gap() -> None:
    results = drawn(400)
    frame = power_table(score_matrices(item_scores(results)), "t2t", target_gap=0.03)
    for row in frame.iter_rows(named=True):
        closed = paired_variance(row["reference_accuracy"], row["accuracy"], row["phi"])
        assert row["variance"] == pytest.approx(closed * 400 / 399, rel=1e-9)
        assert row["needed"] == pairs_needed(row["variance"], 0.03, design_effect=row["design_effect"])
        assert row["q"] == pytest.approx(400 / row["needed"])


def test_clusters_raise_the_sample_size() -> None:
    plain, copied = drawn(200), drawn(200)
    copied = plain.vstack(copied.with_columns(item_id=copied["item_id"] + "b"))
    one = power_table(score_matrices(item_scores(plain)), "t2t", 0.03)
    two = power_table(score_matrices(item_scores(copied)), "t2t", 0.03)
    assert two["design_effect"].to_numpy() == pytest.approx(2.0, abs=0.02)
    assert two["q"].to_numpy() == pytest.approx(one["q"].to_numpy(), rel=0.02)


def needs_of(frame: pl.DataFrame, gap: float = 0.03) -> list[dict[str, Any]]:
    return pilot_needs(score_matrices(item_scores(frame)), "t2t", gap).to_dicts()


def two_conditions(n: int = 400) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    return paired((rng.random(n) < 0.8).astype(float), (rng.random(n) < 0.5).astype(float))


def test_needs_depend_on_phi_and_not_on_the_observed_gap() -> None:
    (small,), (large,) = needs_of(two_conditions(), 0.02), needs_of(two_conditions(), 0.04)
    assert small["phi"] == large["phi"]
    assert small["needed"] == pytest.approx(4 * large["needed"], rel=1e-2)


def test_holm_needs_more_items_with_more_contrasts() -> None:
    (single,) = needs_of(two_conditions())
    assert single["needed_holm"] == single["needed"]
    six = needs_of(drawn(300))
    assert len(six) == 5
    assert all(row["needed_holm"] > row["needed"] for row in six)


def test_a_pilot_without_differences_has_no_sample_size() -> None:
    (row,) = needs_of(paired([1.0] * 20, [1.0] * 20))
    assert row["needed"] is None
    assert row["needed_holm"] is None


def test_phi_of_a_half_halves_the_items() -> None:
    rows = {row["phi"]: row for row in assumed_needs(0.7, 0.05).to_dicts()}
    assert rows[0.0]["needed"] > 1.9 * rows[0.5]["needed"]
    assert all(row["model"] is None for row in rows.values())


def test_impossible_phi_is_left_out_and_impossible_gap_refused() -> None:
    assert assumed_needs(0.95, 0.6)["phi"].to_list() == [0.0, 0.15]
    with pytest.raises(ValueError, match="accuracy="):
        assumed_needs(0.7, 0.8)
