"""Tests of TOST against a margin."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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
    pairs_needed_for_equivalence,
    power_table,
)
from tests.orchestrator.analysis.made_up_results import drawn, paired


def test_needed_uses_the_declared_power_and_the_design_effect() -> None:
    plain = drawn(200)
    copied = plain.vstack(plain.with_columns(item_id=plain["item_id"] + "b"))
    one, two = (score_matrices(item_scores(frame)) for frame in (plain, copied))
    rule, options = MissingRule(), IntervalOptions()
    single = equivalence(one, "t2t", rule, options, power=0.9)
    variance = power_table(one, "t2t", 0.03)["variance"].to_list()
    assert single["needed"].to_list() == [pairs_needed_for_equivalence(v, 0.02, 0.9) for v in variance]
    twice = equivalence(two, "t2t", rule, options, power=0.9)["needed"] / single["needed"]
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


def test_verdict_and_p_agree_for_the_t_interval() -> None:
    rows = analyse(drawn(500), AnalysisOptions(margin=0.2)).frames["equivalence"].filter(method="cluster_t")
    assert set(rows["verdict"]) == {"equivalent", "not shown"}
    assert ((rows["p"] < 0.05) == (rows["verdict"] == "equivalent")).all()


def lost_answers_missing(n: int, lost: int, missing: int) -> pl.DataFrame:
    """`n` items right in t2t; of the `lost` ones in s2t, `missing` have no score instead of a 0."""
    scores = np.where(np.arange(n) < lost, 0.0, 1.0)
    gone = (pl.col("condition") == "s2t") & pl.col("item_id").is_in([f"q{i}" for i in range(missing)])
    return paired(np.ones(n), scores).with_columns(
        score=pl.when(~gone).then("score"), outcome=pl.when(gone).then(pl.lit("failed")).otherwise("outcome")
    )


def row_of(results: pl.DataFrame, margin: float = 0.02) -> dict[str, object]:
    models = score_matrices(item_scores(results))
    return equivalence(models, "t2t", MissingRule(), IntervalOptions(), margin).row(0, named=True)


def test_answers_that_are_missing_where_they_were_lost_do_not_show_equivalence() -> None:
    """The answered pairs show a gap of -0.7 points within the margin, all pairs one of -2.5."""
    row = row_of(lost_answers_missing(2000, lost=50, missing=36))
    assert row["low"] > -0.02 and row["high"] < 0.02
    assert row["wrong_low"] < -0.025 < row["wrong_high"] and row["bound_low"] < -0.025
    assert row["verdict"] == "not shown" and (row["lacking"], row["planned"]) == (36, 2000)
    assert str(row["reason"]).startswith("with missing answers as wrong the gap may be -3.1 points")


def test_the_worst_case_of_the_missing_answers_counts_too() -> None:
    """Missing in both conditions: as wrong there is no difference, but one of the two could have been right."""
    scores = np.ones(2000)
    gone = pl.col("item_id").is_in([f"q{i}" for i in range(38)])
    results = paired(scores, scores).with_columns(
        score=pl.when(~gone).then("score"), outcome=pl.when(gone).then(pl.lit("failed")).otherwise("outcome")
    )
    row = row_of(results)
    assert row["wrong_low"] > -0.02 and row["wrong_high"] < 0.02
    assert row["verdict"] == "not shown" and "worst case" in str(row["reason"])
    assert row_of(results, margin=0.04)["verdict"] == "equivalent"


def test_nothing_missing_gives_the_same_limits_three_times() -> None:
    row = row_of(lost_answers_missing(2000, lost=14, missing=0))
    assert row["verdict"] == "equivalent" and row["reason"] is None
    assert (row["wrong_low"], row["wrong_high"]) == (row["bound_low"], row["bound_high"]) == (row["low"], row["high"])


@given(
    st.integers(40, 400),
    st.lists(
        st.sampled_from([(1.0, 1.0), (1.0, 0.0), (0.0, 0.0), (1.0, None), (None, 0.0), (None, None)]), max_size=30
    ),
    st.floats(0.005, 0.3),
)
@settings(max_examples=60, deadline=None)
def test_a_claim_holds_for_every_way_to_fill_in_the_missing_answers(
    n: int, pairs: list[tuple[float | None, float | None]], margin: float
) -> None:
    both = [*pairs, *[(1.0, 1.0)] * (n - len(pairs))]
    results = paired([a for a, _ in both], [b for _, b in both]).with_columns(  # type: ignore[misc]
        outcome=pl.when(pl.col("score").is_null()).then(pl.lit("failed")).otherwise(pl.lit("answered"))
    )
    models = score_matrices(item_scores(results))
    row = equivalence(models, "t2t", MissingRule(allow=True), IntervalOptions(), margin).row(0, named=True)
    assert (row["verdict"] == "not shown") == (row["reason"] is not None)
    if row["verdict"] == "equivalent":
        worst = [(1.0 if a is None else a, 0.0 if b is None else b) for a, b in both]
        best = [(0.0 if a is None else a, 1.0 if b is None else b) for a, b in both]
        for filled in (worst, best):
            assert abs(np.mean([b - a for a, b in filled])) < margin


def test_an_impossible_margin_is_refused() -> None:
    with pytest.raises(ValueError, match="margin"):
        equivalence([], "t2t", MissingRule(), IntervalOptions(), margin=2)
