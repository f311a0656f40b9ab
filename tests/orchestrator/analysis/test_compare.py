"""Tests of the comparison of two tables."""

from __future__ import annotations

import polars as pl
import pytest

from omnigap_orchestrator.analysis import IntervalOptions, MissingRule, compare
from tests.orchestrator.analysis.made_up_results import drawn, paired

RULE, OPTIONS = MissingRule(), IntervalOptions(draws=499)

WHERE = {"pooling": "item_weighted", "missing": "answered_pairs"}


def test_a_table_does_not_differ_from_itself() -> None:
    frame = compare(drawn(60), drawn(60), RULE, OPTIONS).filter(**WHERE)
    assert frame.height == 11
    assert frame["estimate"].to_list() == [0.0] * 11
    assert frame["only_first"].to_list() == [0] * 11


def test_a_comparison_is_paired_by_item_and_counts_unmatched_items() -> None:
    first, second = (
        paired([1, 0, 1, 0], [1, 1, 0, 0]),
        paired([1, 1, 1, 1], [0, 1, 0, 0]).sample(fraction=1, shuffle=True),
    )
    second = second.filter(pl.col("item_id") != "q3")
    rows = {
        (r["condition"], r["quantity"]): r
        for r in compare(first, second, RULE, OPTIONS).filter(**WHERE).iter_rows(named=True)
    }
    score = rows["s2t", "score"]
    assert (score["estimate"], score["n"], score["b"], score["c"]) == (pytest.approx(-1 / 3), 3, 1, 0)
    assert (score["only_first"], score["only_second"]) == (1, 0)
    assert rows["s2t", "gap"]["estimate"] == pytest.approx(-2 / 3)


def test_single_models_are_compared_regardless_of_their_names() -> None:
    other = drawn(30, models=("beta",), seed=2)
    frame = compare(drawn(30), other, RULE, OPTIONS)
    assert frame.select("first", "second").unique().rows() == [("alpha", "beta")]
    both = drawn(30, models=("alpha", "beta"))
    assert set(compare(both, both, RULE, OPTIONS)["first"]) == {"alpha", "beta"}
    with pytest.raises(ValueError, match="no model is in both"):
        compare(both, drawn(30, models=("gamma",)), RULE, OPTIONS)


def test_scores_and_gaps_of_a_pair_are_separate_families() -> None:
    frame = compare(drawn(60), drawn(60, models=("beta",), seed=9), RULE, OPTIONS).filter(**WHERE)
    assert set(frame["family"]) == {"score of beta - alpha (6)", "gap of beta - alpha (5)"}
