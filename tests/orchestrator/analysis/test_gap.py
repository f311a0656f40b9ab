"""Tests of gaps and effects: pairing, refusal, missing cells and invariances."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from omnigap_orchestrator.analysis import (
    AnalysisOptions,
    IntervalOptions,
    MissingRule,
    analyse,
    item_scores,
    score_matrices,
)
from omnigap_orchestrator.analysis.gap import GapRow, gaps, unadjusted_note
from omnigap_orchestrator.analysis.table import rows_of
from tests.orchestrator.analysis.made_up_results import SIX, drawn, paired, table

FAST = AnalysisOptions(intervals=IntervalOptions(draws=299))

ALLOW = AnalysisOptions(missing=MissingRule(allow=True))


def gap(results: pl.DataFrame, options: AnalysisOptions | None = None, **where: object) -> dict[str, object]:
    chosen = {"condition": "s2t", "pooling": "item_weighted", "missing": "answered_pairs", **where}
    return (
        analyse(results, options)
        .frames["gaps"]
        .row(by_predicate=pl.all_horizontal(pl.col(k) == v for k, v in chosen.items()), named=True)
    )


def missing_some(count: int, of: int) -> pl.DataFrame:
    """All right in t2t; in s2t the first `count` failed and the others are right."""
    rows = [{"item_id": f"q{i}", "condition": "t2t", "score": 1.0} for i in range(of)]
    for i in range(of):
        lost = {"outcome": "failed", "error_reason": "TRANSPORT"} if i < count else {"score": 1.0}
        rows.append({"item_id": f"q{i}", "condition": "s2t", **lost})
    return table(rows)


def test_a_gap_is_the_mean_paired_difference_with_its_discordant_counts() -> None:
    row = gap(paired([1, 1, 1, 0, 0, 1], [1, 0, 0, 1, 0, 1]))
    assert row["estimate"] == pytest.approx(-1 / 6)
    assert (row["b"], row["c"], row["n"], row["clusters"], row["planned"], row["lacking"]) == (2, 1, 6, 6, 6, 0)
    assert row["p"] == 1.0
    assert row["p_method"] == "sign_flip_exact"
    assert row["method"] == "tango"


def test_pairing_is_by_item_id() -> None:
    results = drawn(120, cluster_size=3)
    for seed in (1, 2):
        shuffled = results.sample(fraction=1, shuffle=True, seed=seed)
        assert_frame_equal(analyse(results, FAST).frames["gaps"], analyse(shuffled, FAST).frames["gaps"])


def test_names_of_items_and_clusters_do_not_matter() -> None:
    results = drawn(30, cluster_size=3, graded=True)
    renamed = results.with_columns(
        item_id=pl.col("item_id").str.reverse(), cluster="x" + pl.col("cluster").str.reverse()
    )
    one, other = analyse(results, FAST), analyse(renamed, FAST)
    assert_frame_equal(one.frames["gaps"], other.frames["gaps"], abs_tol=1e-9)
    assert_frame_equal(one.frames["effects"], other.frames["effects"], abs_tol=1e-9)


def test_duplicating_the_set_keeps_the_gap_and_shrinks_the_error_by_root_two() -> None:
    results = drawn(200)
    twice = pl.concat([results, results.with_columns(pl.col("item_id") + "b", pl.col("cluster") + "b")])
    one, two = gap(results), gap(twice)
    assert two["estimate"] == pytest.approx(one["estimate"])
    assert (two["b"], two["c"]) == (2 * one["b"], 2 * one["c"])
    assert two["se"] == pytest.approx(one["se"] / np.sqrt(2) * np.sqrt(199 / 200 * 400 / 399))


def test_copies_in_one_cluster_do_not_shrink_the_interval() -> None:
    results = drawn(200)
    copies = pl.concat([results, results.with_columns(pl.col("item_id") + "b")])
    one, two = gap(results), gap(copies)
    assert two["n"] == 400
    assert (two["low"], two["high"]) == pytest.approx((one["low"], one["high"]), abs=1e-12)


@pytest.mark.parametrize("size", [20, 100])
def test_swapping_the_two_conditions_mirrors_the_gap(size: int) -> None:
    rng = np.random.default_rng(size)
    a, b = rng.integers(0, 2, size), rng.integers(0, 2, size)
    one, other = gap(paired(a, b)), gap(paired(b, a))
    assert one["estimate"] == -other["estimate"]
    assert (one["low"], one["high"]) == pytest.approx((-other["high"], -other["low"]), abs=1e-9)
    assert (one["b"], one["c"], one["p"]) == (other["c"], other["b"], other["p"])


@pytest.mark.parametrize(("count", "of", "refused"), [(2, 5, False), (3, 150, False), (3, 149, True), (4, 150, True)])
def test_a_gap_is_refused_over_two_percent_and_two_pairs(count: int, of: int, refused: bool) -> None:
    row = gap(missing_some(count, of))
    assert (row["estimate"] is None) == refused
    assert (row["planned"], row["lacking"]) == (of, count)
    if refused:
        assert f"{count} of {of}" in row["reason"]
        assert row["low"] is None and row["p"] is None and row["p_adjusted"] is None


def test_allow_missing_gives_the_gap_with_a_reason() -> None:
    row = gap(missing_some(10, 100), ALLOW)
    assert row["estimate"] == 0.0
    assert row["n"] == 90
    assert "10 of 100" in row["reason"]


def test_missing_as_wrong_counts_every_planned_pair() -> None:
    row = gap(missing_some(10, 100), missing="missing_as_wrong")
    assert row["estimate"] == pytest.approx(-0.1)
    assert row["n"] == 100


def test_bounds_fill_missing_scores_both_ways() -> None:
    rows = [{"item_id": f"q{i}", "condition": c, "score": 1.0} for i in range(8) for c in ("t2t", "s2t")]
    rows += [
        {"item_id": "q8", "condition": "t2t", "score": 0.0},
        {"item_id": "q8", "condition": "s2t", "outcome": "failed"},
    ]
    rows += [
        {"item_id": "q9", "condition": "t2t", "outcome": "failed"},
        {"item_id": "q9", "condition": "s2t", "outcome": "failed"},
    ]
    row = gap(table(rows))
    # q8: 0 or 1 against 0; q9: anything from -1 to 1.
    assert (row["bound_low"], row["bound_high"]) == pytest.approx((-0.1, 0.2))
    assert row["bound_low"] <= row["estimate"] <= row["bound_high"]


def test_an_unscored_answer_is_missing() -> None:
    results = paired([1] * 10, [1] * 10).with_columns(
        score=pl.when((pl.col("item_id") == "q3") & (pl.col("condition") == "s2t"))
        .then(None)
        .otherwise(pl.col("score"))
    )
    row = gap(results)
    assert (row["estimate"], row["n"], row["lacking"]) == (0.0, 9, 1)


def test_an_unsupported_condition_has_a_reason() -> None:
    rows = [{"item_id": f"q{i}", "condition": "t2t", "score": 1.0} for i in range(5)]
    rows += [{"item_id": f"q{i}", "condition": "s2t", "outcome": "unsupported"} for i in range(5)]
    result = analyse(table(rows))
    assert result.frames["gaps"].filter(pl.col("estimate").is_not_null()).is_empty()
    assert result.frames["conditions"].row(1, named=True)["unsupported"] == 5


def test_replicates_are_averaged_within_the_item_first() -> None:
    rows = [{"item_id": f"q{i}", "condition": "t2t", "score": 1.0} for i in range(4)]
    rows += [
        {"item_id": f"q{i}", "condition": "s2t", "replicate": r, "score": float(r < i)}
        for i in range(4)
        for r in range(3)
    ]
    row = gap(table(rows))
    assert row["n"] == 4
    assert row["estimate"] == pytest.approx(np.mean([0, 1 / 3, 2 / 3, 1]) - 1)
    assert row["b"] is None


def test_clustered_pairs_have_discordant_counts_and_an_exact_test() -> None:
    row = gap(drawn(90, cluster_size=3), FAST)
    assert row["b"] is not None
    assert row["p_method"] == "sign_flip_exact"


def test_item_weighted_and_task_macro_differ_when_tasks_differ_in_size() -> None:
    rows = [
        {"item_id": f"a{i}", "task": "big", "condition": c, "score": 1.0} for i in range(90) for c in ("t2t", "s2t")
    ]
    rows += [
        {"item_id": f"b{i}", "task": "small", "condition": c, "score": float(c == "t2t")}
        for i in range(10)
        for c in ("t2t", "s2t")
    ]
    assert gap(table(rows))["estimate"] == pytest.approx(-0.1)
    assert gap(table(rows), pooling="task_macro")["estimate"] == pytest.approx(-0.5)


def test_holm_family_is_the_gaps_of_one_model() -> None:
    frame = analyse(drawn(150, models=("alpha", "beta"))).frames["gaps"]
    held = frame.filter(pooling="item_weighted", missing="answered_pairs")
    assert held["family"].unique().sort().to_list() == ["gaps of alpha (5)", "gaps of beta (5)"]
    assert (held["p_adjusted"] >= held["p"]).all()
    assert frame.filter(pooling="task_macro")["p_adjusted"].null_count() == 20


def test_gaps_by_task_get_benjamini_hochberg() -> None:
    by_task = analyse(drawn(150, models=("alpha", "beta"))).frames["gaps_by_task"]
    assert by_task["adjustment"].unique().to_list() == ["benjamini_hochberg"]
    assert by_task["family"].unique().to_list() == ["model x task x condition (30)"]


def test_the_seed_fixes_the_bootstraps_of_the_whole_table() -> None:
    results = drawn(24, graded=True, cluster_size=3)
    one = analyse(results, AnalysisOptions(intervals=IntervalOptions(seed=5, draws=299)))
    again = analyse(results, AnalysisOptions(intervals=IntervalOptions(seed=5, draws=299)))
    other = analyse(results, AnalysisOptions(intervals=IntervalOptions(seed=6, draws=299)))
    assert_frame_equal(one.frames["gaps"], again.frames["gaps"])
    assert not one.frames["gaps"]["low"].equals(other.frames["gaps"]["low"])


def test_numbers_of_a_model_do_not_depend_on_other_models() -> None:
    both = drawn(24, models=("alpha", "beta"), graded=True)
    single = analyse(both.filter(model="beta"), FAST).frames["gaps"]
    assert_frame_equal(analyse(both, FAST).frames["gaps"].filter(model="beta"), single)


def test_other_condition_labels_and_another_reference_work() -> None:
    results = paired([1, 1, 0, 1], [1, 0, 0, 1], name="noisy").with_columns(
        condition=pl.col("condition").replace({"t2t": "clean"})
    )
    row = gap(results, AnalysisOptions(reference="clean"), condition="noisy")
    assert row["estimate"] == -0.25


def test_a_model_without_the_reference_has_no_gaps() -> None:
    results = drawn(10).filter(pl.col("condition") != "t2t")
    assert analyse(results).frames["gaps"].is_empty()
    assert set(analyse(results).frames["accuracy"]["condition"]) == set(SIX) - {"t2t"}


def test_gaps_need_only_the_needed_columns() -> None:
    bare = drawn(50).select("model", "item_id", "task", "cluster", "condition", "outcome", "score")
    assert_frame_equal(
        gaps(score_matrices(item_scores(bare)), "t2t", MissingRule(), IntervalOptions()),
        analyse(drawn(50)).frames["gaps"],
    )
    assert analyse(bare).frames["asr"].is_empty()


def test_effects_are_contrasts_of_accuracies() -> None:
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


def test_a_simple_effect_to_the_reference_equals_the_gap() -> None:
    result = analyse(drawn(200))
    where = {"pooling": "item_weighted", "missing": "answered_pairs"}
    gap = result.frames["gaps"].filter(condition="i2t", **where).row(0, named=True)
    effect = result.frames["effects"].filter(effect="image input, text output", **where).row(0, named=True)
    for column in ("estimate", "low", "high", "p", "b", "c", "n"):
        assert gap[column] == effect[column]


def test_effects_without_their_conditions_are_left_out() -> None:
    frame = analyse(drawn(50).filter(pl.col("condition").is_in(["t2t", "s2t"]))).frames["effects"]
    assert frame["effect"].unique().to_list() == ["speech input, text output"]


def test_the_same_contrast_has_the_same_interval_in_every_table() -> None:
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


def hidden(items: int, missing: int, *, condition: str = "s2t", lost: bool = True) -> pl.DataFrame:
    """One item in ten is lost and one in ten gained; `missing` answers of one outcome are failed calls."""
    reference = np.arange(items) % 10 != 0
    scores = {"t2t": reference, "s2t": np.where(np.arange(items) % 10 < 2, ~reference, reference)}
    places = np.flatnonzero(scores["t2t"] & ~scores["s2t"] if lost else ~scores["t2t"] & scores["s2t"])[:missing]
    rows = []
    for name, values in scores.items():
        for i, value in enumerate(values):
            failed = name == condition and i in places
            answer = {"outcome": "failed", "error_reason": "TRANSPORT"} if failed else {"score": float(value)}
            rows.append({"item_id": f"q{i}", "condition": name, **answer})
    return table(rows)


@pytest.mark.parametrize("condition", ["t2t", "s2t"])
@pytest.mark.parametrize("lost", [True, False])
def test_the_interval_holds_for_every_value_of_the_missing_scores(condition: str, lost: bool) -> None:
    whole = gap(hidden(200, 0))
    row = gap(hidden(200, 4, condition=condition, lost=lost))
    assert row["low"] <= whole["low"] < whole["high"] <= row["high"]
    assert row["p"] == 1.0
    assert row["bound_low"] <= whole["estimate"] <= row["bound_high"]
    assert "all their possible values" in row["reason"]


def test_a_test_with_missing_answers_is_that_of_the_values_nearest_to_no_gap() -> None:
    # 20 of 200 are lost in s2t, of two others s2t is missing: at best they are right, and 20 remain lost.
    rows = missing_some(2, 200).with_columns(
        score=pl.when((pl.col("condition") == "s2t") & pl.col("item_id").str.ends_with("5"))
        .then(0.0)
        .otherwise("score")
    )
    row = gap(rows)
    assert (row["b"], row["c"], row["p_method"]) == (20, 0, "sign_flip_exact")
    assert row["p"] == pytest.approx(2**-19)
    assert row["high"] < 0


def test_more_missing_answers_than_the_limit_are_taken_as_random() -> None:
    rule = AnalysisOptions(missing=MissingRule(allow=True))
    row = gap(hidden(200, 10), rule)
    assert row["reason"] == "on answered pairs: 10 of 200 planned pairs lack a score"
    assert row["low"] > row["bound_low"] - 0.06


def test_a_note_says_where_only_the_adjusted_test_does_not_reject() -> None:
    # Six of 140 are lost in i2s: p = .031, times 4 by Holm, because only the test of s2t has a smaller p.
    lost = {"t2t": 0, "s2t": 12, "i2t": 0, "t2s": 4, "s2s": 5, "i2s": 6}
    rows = [
        {"item_id": f"q{i}", "condition": name, "score": float(i >= count)}
        for name, count in lost.items()
        for i in range(140)
    ]
    frame = analyse(table(rows)).frames["gaps"]
    found = {
        row.condition: unadjusted_note(row, 0.95)
        for row in rows_of(frame.filter(pooling="item_weighted", missing="answered_pairs"), GapRow)
    }
    assert [name for name, note in found.items() if note] == ["i2s"]
    assert found["i2s"] == (
        "The interval excludes 0 and p = 0.0312, but this is one of the tests of gaps of alpha (5): "
        "adjusted for them p = 0.125, not below 0.05."
    )
