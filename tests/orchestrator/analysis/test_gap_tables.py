"""The other tables: denominators, accuracy, effects, architecture types, diagnostics, latency, and their JSON."""

import json

import numpy as np
import polars as pl
import pytest
from made_up_results import SIX, drawn, table

from omnigap_orchestrator.analysis import ANALYSIS_VERSION, analyse
from omnigap_orchestrator.analysis.architecture import permutation_p
from omnigap_orchestrator.analysis.latency import answers_needed, quantile_interval
from omnigap_orchestrator.analysis.summary import all_tables


def mixed() -> pl.DataFrame:
    """Ten cells of s2s: 5 scored (3 right), 1 answered without a score, 2 failed, 1 pending, 1 unsupported."""
    kinds = [{"score": s} for s in (1.0, 1.0, 1.0, 0.0, 0.0)]
    kinds += [{}, {"outcome": "failed", "error_reason": "MODEL_ERROR", "error_message": "boom"}]
    kinds += [{"outcome": "failed", "error_reason": "TRANSPORT"}, {"outcome": "pending"}, {"outcome": "unsupported"}]
    return table([{"item_id": f"q{i}", "condition": "s2s", **kind} for i, kind in enumerate(kinds)])


def test_every_cell_is_counted_once() -> None:
    row = analyse(mixed()).frames["conditions"].row(0, named=True)
    counts = {
        k: row[k] for k in ("cells", "planned", "answered", "scored", "unscored", "unsupported", "failed", "pending")
    }
    assert counts == {
        "cells": 10,
        "planned": 9,
        "answered": 6,
        "scored": 5,
        "unscored": 1,
        "unsupported": 1,
        "failed": 2,
        "pending": 1,
    }


def test_accuracy_has_three_denominators() -> None:
    rows = {
        row["missing"]: row
        for row in analyse(mixed()).frames["accuracy"].filter(pooling="item_weighted").iter_rows(named=True)
    }
    assert (rows["answered_only"]["estimate"], rows["answered_only"]["n"]) == (pytest.approx(3 / 5), 5)
    assert (rows["missing_as_wrong"]["estimate"], rows["missing_as_wrong"]["n"]) == (pytest.approx(3 / 9), 9)
    assert (rows["answered_only"]["bound_low"], rows["answered_only"]["bound_high"]) == pytest.approx((3 / 9, 7 / 9))
    assert rows["answered_only"]["method"] == "clopper_pearson"


def test_a_condition_without_any_score_has_no_accuracy_and_a_reason() -> None:
    results = mixed().filter(pl.col("score").is_null())
    row = (
        analyse(results).frames["accuracy"].filter(missing="answered_only", pooling="item_weighted").row(0, named=True)
    )
    assert row["estimate"] is None and row["n"] == 0
    assert "none of 4" in row["reason"]


def test_effects_are_the_contrasts_of_the_accuracies() -> None:
    result = analyse(drawn(200))
    held = result.frames["accuracy"].filter(pooling="item_weighted", missing="answered_only")
    acc = dict(held.select("condition", "estimate").iter_rows())
    frame = result.frames["effects"].filter(pooling="item_weighted", missing="answered_pairs")
    effect = dict(frame.select("effect", "estimate").iter_rows())
    assert effect["speech input"] == pytest.approx((acc["s2t"] - acc["t2t"] + acc["s2s"] - acc["t2s"]) / 2)
    assert effect["image input, speech output"] == pytest.approx(acc["i2s"] - acc["t2s"])
    outputs = [acc[f"{i}2s"] - acc[f"{i}2t"] for i in "tsi"]
    assert effect["speech output"] == pytest.approx(np.mean(outputs))
    assert effect["speech input x speech output"] == pytest.approx(outputs[1] - outputs[0])
    assert frame.height == 12


def test_a_simple_effect_against_the_reference_is_that_gap() -> None:
    result = analyse(drawn(200))
    where = {"pooling": "item_weighted", "missing": "answered_pairs"}
    gap = result.frames["gaps"].filter(condition="i2t", **where).row(0, named=True)
    effect = result.frames["effects"].filter(effect="image input, text output", **where).row(0, named=True)
    for column in ("estimate", "low", "high", "p", "b", "c", "n"):
        assert gap[column] == effect[column]


def test_effects_leave_out_what_the_plan_does_not_hold() -> None:
    frame = analyse(drawn(50).filter(pl.col("condition").is_in(["t2t", "s2t"]))).frames["effects"]
    assert frame["effect"].unique().to_list() == ["speech input, text output"]


def types(first: int, second: int) -> pl.DataFrame:
    models = [f"m{i}" for i in range(first + second)]
    frame = drawn(60, models=models)
    return frame.with_columns(
        architecture=pl.when(pl.col("model").is_in(models[:first])).then(pl.lit("cascade")).otherwise(pl.lit("moe"))
    )


def test_types_with_few_models_are_described_and_not_tested() -> None:
    result = analyse(types(2, 3))
    assert result.frames["architecture_models"].filter(condition="s2t").height == 5
    assert result.frames["architecture_tests"]["p"].null_count() == result.frames["architecture_tests"].height == 5
    assert "2 and 3 models" in result.frames["architecture_tests"]["reason"][0]


def test_the_mean_of_a_type_weights_models_equally_and_shows_each_one_left_out() -> None:
    result = analyse(types(3, 1))
    each = result.frames["architecture_models"].filter(condition="s2t", architecture="cascade")
    row = result.frames["architectures"].filter(condition="s2t", architecture="cascade").row(0, named=True)
    values = each["gap"].to_numpy()
    assert row["mean_gap"] == pytest.approx(values.mean())
    assert each["mean_without"].to_list() == pytest.approx([np.delete(values, i).mean() for i in range(3)])
    assert row["leave_one_out_low"] == pytest.approx(each["mean_without"].min())
    lone = result.frames["architectures"].filter(condition="s2t", architecture="moe").row(0, named=True)
    assert lone["models"] == 1 and lone["leave_one_out_low"] is None and lone["most_influential"] is None


def test_four_models_of_each_type_get_an_exact_permutation_test() -> None:
    tests = analyse(types(4, 4)).frames["architecture_tests"]
    assert tests["p"].null_count() == 0
    assert (tests["p"] >= 2 / 70 - 1e-12).all()


def test_three_against_three_cannot_reach_ten_percent() -> None:
    assert permutation_p(np.array([1.0, 1, 1]), np.array([0.0, 0, 0])) == pytest.approx(0.1)


def test_flags_and_errors_are_counted_per_condition() -> None:
    rows = [
        {"item_id": f"q{i}", "condition": "s2s", "score": 0.0, "flags": ["silent", "refused"] if i < 3 else []}
        for i in range(4)
    ]
    flags = analyse(table(rows)).frames["flags"]
    assert flags.select("flag", "cells", "answered", "share").rows() == [
        ("refused", 3, 4, 0.75),
        ("silent", 3, 4, 0.75),
    ]
    errors = analyse(mixed()).frames["errors"]
    assert ("s2s", "failed", "MODEL_ERROR", 1, "boom") in errors.drop("model").rows()
    assert errors["cells"].sum() == 4


def test_the_word_error_rate_is_pooled_over_words_and_not_averaged_over_answers() -> None:
    rows = [
        {"item_id": "q1", "condition": "t2s", "transcript": "a"},
        {"item_id": "q2", "condition": "t2s", "transcript": " "},
    ]
    results = table(rows).with_columns(wer_errors=pl.Series([1, 0]), wer_words=pl.Series([1, 9]))
    row = analyse(results).frames["asr"].row(0, named=True)
    assert row["wer"] == pytest.approx(0.1)
    assert (row["transcribed"], row["empty"], row["wer_cells"]) == (2, 1, 2)
    assert analyse(table(rows)).frames["asr"]["wer"][0] is None


def test_a_percentile_is_shown_only_where_there_are_enough_answers() -> None:
    assert [answers_needed(q) for q in (0.5, 0.95, 0.99)] == [6, 72, 368]
    frame = analyse(drawn(100)).frames["latency"].filter(condition="t2t", measure="latency_s")
    assert frame["seconds"].is_not_null().to_list() == [True, True, False]
    assert (frame["low"] <= frame["seconds"]).drop_nulls().all() and (
        frame["seconds"] <= frame["high"]
    ).drop_nulls().all()


def test_the_order_statistics_cover_the_median_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    draws = np.sort(rng.random((2000, 25)), axis=1)
    limits = np.array([quantile_interval(row, 0.5) for row in draws])
    assert ((limits[:, 0] <= 0.5) & (limits[:, 1] >= 0.5)).mean() >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 2000)


def test_tables_have_their_named_schemas_also_when_empty() -> None:
    schemas = {table.name: table.schema for table in all_tables()}
    empty = analyse(drawn(3).clear())
    full = analyse(drawn(30, models=("alpha", "beta")))
    for result in (empty, full):
        for name, frame in result.frames.items():
            assert frame.schema == schemas[name], name


def test_the_summary_is_plain_json_and_holds_every_number_with_n_interval_and_method() -> None:
    data = analyse(drawn(60, graded=True)).to_json()
    text = json.dumps(data, allow_nan=False)
    assert json.loads(text)["analysis_version"] == ANALYSIS_VERSION
    for name in ("accuracy", "accuracy_by_task", "gaps", "gaps_by_task", "effects"):
        for row in data[name]:
            assert {"estimate", "low", "high", "method", "n", "clusters"} <= row.keys()
            assert row["method"] is not None and row["n"] > 0
    assert {row["condition"] for row in data["accuracy"]} == set(SIX)


def test_a_gap_that_is_an_effect_or_a_step_as_well_has_one_interval() -> None:
    found = analyse(drawn(60, cluster_size=6, replicates=2))
    numbers = ["pooling", "missing", "estimate", "low", "high", "method", "p", "n"]
    for gap, effect in (("s2t", "speech input, text output"), ("t2s", "speech output, text input")):
        rows = found.frames["gaps"].filter(condition=gap).select(numbers)
        assert rows["method"].str.starts_with("wild").any()
        assert rows.equals(found.frames["effects"].filter(effect=effect).select(numbers))
        (low, high) = rows.select("low", "high").row(0)
        steps = found.frames["waterfall"].filter(formula=f"{gap} - t2t")
        assert steps.height > 1
        assert set(steps.select("low", "high").iter_rows()) == {(low, high)}
