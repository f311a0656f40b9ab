"""Tests of the tables of answers: length by condition, and scores by metric."""

from __future__ import annotations

import polars as pl
import pytest

from omnigap_orchestrator.analysis.answers import METRICS_SCHEMA, answer_shapes, by_metric
from tests.orchestrator.analysis.made_up_results import with_own_texts

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


def test_means_and_shares_by_metric() -> None:
    table = by_metric(ROWS)
    assert table.schema == METRICS_SCHEMA
    judged, _, letter = (row for row in table.sort("metric", "condition", descending=[False, True]).rows(named=True))
    assert (judged["condition"], judged["items"], judged["scored"]) == ("t2t", 2, 2)
    assert (judged["mean_score"], judged["mean_rating"], judged["refused"]) == (0.5, 3.0, 0.5)
    assert (letter["metric"], letter["unparsable"], letter["mean_rating"]) == ("letter", 1.0, None)


def test_a_cell_without_a_score_has_the_metric_of_its_item() -> None:
    (row,) = by_metric(ROWS).filter((pl.col("metric") == "judge") & (pl.col("condition") == "s2t")).rows(named=True)
    assert (row["planned"], row["scored"], row["failed"], row["mean_score"]) == (2, 1, 1, 1.0)


def test_a_table_without_metrics_has_no_rows() -> None:
    assert by_metric(ROWS.drop("metric")).height == 0
    assert by_metric(ROWS.drop("flags", "judge_rating"))["refused"].null_count() == 3


def test_length_of_answers_without_own_text_is_that_of_the_transcript() -> None:
    silent = with_own_texts([("", None)] * 100).with_columns(
        own_text=pl.when(pl.col("condition") == "t2s").then("own_text").otherwise(pl.lit("Paris")),
        transcript=pl.when(pl.col("condition") == "t2s").then(pl.lit("it is paris")),
    )
    assert dict(answer_shapes(silent).select("condition", "mean_words").iter_rows()) == {"t2t": 1.0, "t2s": 3.0}
    one = with_own_texts([("", None)]).with_columns(transcript=pl.lit("it is paris"))
    assert dict(answer_shapes(one).select("condition", "mean_words").iter_rows())["t2s"] == pytest.approx(0.99)
