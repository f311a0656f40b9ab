"""Tests of accuracy and its denominators."""

from __future__ import annotations

import polars as pl
import pytest

from omnigap_orchestrator.analysis import analyse
from tests.orchestrator.analysis.made_up_results import all_outcomes


def test_accuracy_has_three_denominators() -> None:
    rows = {
        row["missing"]: row
        for row in analyse(all_outcomes()).frames["accuracy"].filter(pooling="item_weighted").iter_rows(named=True)
    }
    assert (rows["answered_only"]["estimate"], rows["answered_only"]["n"]) == (pytest.approx(3 / 5), 5)
    assert (rows["missing_as_wrong"]["estimate"], rows["missing_as_wrong"]["n"]) == (pytest.approx(3 / 9), 9)
    assert (rows["answered_only"]["bound_low"], rows["answered_only"]["bound_high"]) == pytest.approx((3 / 9, 7 / 9))
    assert rows["answered_only"]["method"] == "clopper_pearson"


def test_a_condition_without_scores_has_a_reason() -> None:
    results = all_outcomes().filter(pl.col("score").is_null())
    row = (
        analyse(results).frames["accuracy"].filter(missing="answered_only", pooling="item_weighted").row(0, named=True)
    )
    assert row["estimate"] is None and row["n"] == 0
    assert "none of 4" in row["reason"]
