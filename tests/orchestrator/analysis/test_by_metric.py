"""Scores by metric: means, ratings and shares of what was scored, cells without a score counted with their item."""

from __future__ import annotations

import polars as pl

from omnigap_orchestrator.analysis.answers import METRICS_SCHEMA, by_metric

ROWS = pl.DataFrame(
    [
        ("a", "t2t", "answered", 0.75, "judge", [], 4.0),
        ("a", "s2t", "failed", None, None, [], None),
        ("b", "t2t", "answered", 0.25, "judge", ["refused"], 2.0),
        ("b", "s2t", "answered", 1.0, "judge", [], 5.0),
        ("c", "t2t", "answered", 0.0, "letter", ["unparsable"], None),
        ("c", "s2t", "unsupported", None, None, [], None),
    ],
    schema=["item_id", "condition", "outcome", "score", "metric", "flags", "judge_rating"],
    orient="row",
).with_columns(model=pl.lit("m"))


def test_each_metric_has_its_means_and_shares() -> None:
    table = by_metric(ROWS)
    assert table.schema == METRICS_SCHEMA
    judged, _, letter = (row for row in table.sort("metric", "condition", descending=[False, True]).rows(named=True))
    assert (judged["condition"], judged["items"], judged["scored"]) == ("t2t", 2, 2)
    assert (judged["mean_score"], judged["mean_rating"], judged["refused"]) == (0.5, 3.0, 0.5)
    assert (letter["metric"], letter["unparsable"], letter["mean_rating"]) == ("letter", 1.0, None)


def test_a_cell_without_a_score_counts_with_its_item() -> None:
    (row,) = by_metric(ROWS).filter((pl.col("metric") == "judge") & (pl.col("condition") == "s2t")).rows(named=True)
    assert (row["planned"], row["scored"], row["failed"], row["mean_score"]) == (2, 1, 1, 1.0)


def test_a_table_without_metrics_has_no_rows() -> None:
    assert by_metric(ROWS.drop("metric")).height == 0
    assert by_metric(ROWS.drop("flags", "judge_rating"))["refused"].null_count() == 3
