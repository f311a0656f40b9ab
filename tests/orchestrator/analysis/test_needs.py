"""Sample sizes of a study to come: from a pilot, and from assumptions."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from made_up_results import drawn, paired

from omnigap_orchestrator.analysis import assumed_needs, item_scores, pilot_needs, score_matrices


def rows_of(frame: pl.DataFrame, gap: float = 0.03) -> list[dict[str, Any]]:
    return pilot_needs(score_matrices(item_scores(frame)), "t2t", gap).to_dicts()


def two_conditions(n: int = 400) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    return paired((rng.random(n) < 0.8).astype(float), (rng.random(n) < 0.5).astype(float))


def test_a_pilots_own_phi_decides_and_not_its_gap() -> None:
    (small,), (large,) = rows_of(two_conditions(), 0.02), rows_of(two_conditions(), 0.04)
    assert small["phi"] == large["phi"]
    assert small["needed"] == pytest.approx(4 * large["needed"], rel=1e-2)


def test_holm_asks_for_more_items_the_more_contrasts_a_model_has() -> None:
    (alone,) = rows_of(two_conditions())
    assert alone["needed_holm"] == alone["needed"]
    six = rows_of(drawn(300))
    assert len(six) == 5
    assert all(row["needed_holm"] > row["needed"] for row in six)


def test_a_pilot_without_a_pair_that_differs_tells_no_number() -> None:
    (row,) = rows_of(paired([1.0] * 20, [1.0] * 20))
    assert row["needed"] is None
    assert row["needed_holm"] is None


def test_assumptions_show_that_phi_halves_the_items() -> None:
    rows = {row["phi"]: row for row in assumed_needs(0.7, 0.05).to_dicts()}
    assert rows[0.0]["needed"] > 1.9 * rows[0.5]["needed"]
    assert all(row["model"] is None for row in rows.values())


def test_an_impossible_phi_is_left_out_and_an_impossible_gap_refused() -> None:
    assert assumed_needs(0.95, 0.6)["phi"].to_list() == [0.0, 0.15]
    with pytest.raises(ValueError, match="lies outside"):
        assumed_needs(0.7, 0.8)
