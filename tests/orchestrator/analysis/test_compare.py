"""Comparisons of two tables, control cells, and calibrated tables."""

import numpy as np
import polars as pl
import pytest
from made_up_results import drawn, paired

from omnigap_orchestrator.analysis import IntervalOptions, MissingRule, compare
from omnigap_orchestrator.analysis.controls import blank_accuracy, repeat_noise
from omnigap_orchestrator.extras.asr_correction.corrected import calibrated
from omnigap_orchestrator.extras.asr_correction.rates import calibrations_of
from omnigap_orchestrator.extras.asr_correction.rogan_gladen import Calibration, corrected

RULE, OPTIONS = MissingRule(), IntervalOptions(draws=499)
WHERE = {"pooling": "item_weighted", "missing": "answered_pairs"}


def test_a_table_compared_with_itself_differs_nowhere() -> None:
    frame = compare(drawn(60), drawn(60), RULE, OPTIONS).filter(**WHERE)
    assert frame.height == 11
    assert frame["estimate"].to_list() == [0.0] * 11
    assert frame["only_first"].to_list() == [0] * 11


def test_a_comparison_is_paired_by_item_and_counts_what_has_no_partner() -> None:
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


def test_lone_models_are_compared_whatever_their_names_and_others_by_name() -> None:
    other = drawn(30, models=("beta",), seed=2)
    frame = compare(drawn(30), other, RULE, OPTIONS)
    assert frame.select("first", "second").unique().rows() == [("alpha", "beta")]
    both = drawn(30, models=("alpha", "beta"))
    assert set(compare(both, both, RULE, OPTIONS)["first"]) == {"alpha", "beta"}
    with pytest.raises(ValueError, match="no model is in both"):
        compare(both, drawn(30, models=("gamma",)), RULE, OPTIONS)


def test_holm_runs_within_the_scores_and_within_the_gaps_of_a_pair() -> None:
    frame = compare(drawn(60), drawn(60, models=("beta",), seed=9), RULE, OPTIONS).filter(**WHERE)
    assert set(frame["family"]) == {"score of beta - alpha (6)", "gap of beta - alpha (5)"}


def test_a_blank_carrier_shows_what_is_guessed() -> None:
    controls = drawn(200, accuracies=(0.25,) * 6).with_columns(control=pl.lit("blank"))
    frame = blank_accuracy(controls, OPTIONS).filter(pooling="item_weighted", missing="answered_only")
    assert frame.height == 6
    assert (frame["low"] < 0.3).all() and (frame["high"] > 0.25).all()
    assert blank_accuracy(controls.with_columns(control=pl.lit("repeat")), OPTIONS).is_empty()


def test_asking_again_counts_the_scores_that_changed() -> None:
    results = paired([1, 1, 0, 0, 1], [1, 1, 1, 1, 1])
    again = paired([1, 0, 1, 1, 1], [1, 1, 1, 1, 1]).with_columns(control=pl.lit("repeat"))
    rows = {row["condition"]: row for row in repeat_noise(results, again, OPTIONS).iter_rows(named=True)}
    assert rows["t2t"]["changed"] == pytest.approx(0.6)
    assert rows["t2t"]["drift"] == pytest.approx(0.2)
    assert rows["s2t"]["changed"] == 0.0
    assert rows["s2t"]["changed_high"] > 0


def test_replicates_that_change_places_have_both_changed() -> None:
    def twice(first: list[float], second: list[float]) -> pl.DataFrame:
        return pl.concat([paired(s, s, replicate=r) for r, s in enumerate((first, second))])

    again = twice([0, 1, 1], [1, 0, 1]).with_columns(control=pl.lit("repeat"))
    (row,) = repeat_noise(twice([1, 1, 1], [0, 1, 1]), again, OPTIONS).filter(condition="t2t").iter_rows(named=True)
    assert row["changed"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert row["drift"] == pytest.approx(-0.5 / 3)


def clips() -> pl.DataFrame:
    right = [True] * 100 + [False] * 50
    scored = [True] * 90 + [False] * 10 + [True] * 1 + [False] * 49
    return pl.DataFrame({"answer_type": "entity", "truly_right": right, "scored_right": scored})


def test_the_clips_of_a_calibration_are_counted() -> None:
    assert calibrations_of(clips()) == (Calibration("entity", 90, 100, 49, 50),)


def test_speech_conditions_are_corrected_and_text_answers_are_not() -> None:
    results = drawn(200).with_columns(answer_type=pl.lit("entity"), second_score=pl.col("score"))
    frame = calibrated(results, calibrations_of(clips()), RULE, OPTIONS)
    assert frame["condition"].to_list() == ["t2s", "s2s", "i2s"]
    row = frame.row(0, named=True)
    assert row["corrected"] == pytest.approx(corrected(row["raw"], 0.98, 0.9))
    t2t = results.filter(condition="t2t")["score"].mean()
    assert row["corrected_gap"] == pytest.approx(row["corrected"] - t2t)
    assert row["raw_gap"] == pytest.approx(row["raw"] - t2t)
    assert row["second_scorer"] == pytest.approx(row["raw"])
    assert row["low"] < row["corrected"] < row["high"] and row["reason"] is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (pl.col("score") * 0.5, "not binary"),
        (pl.lit(1.0), "no calibration of answer type"),
    ],
)
def test_a_correction_that_has_no_ground_is_refused(change: pl.Expr, reason: str) -> None:
    kind = "entity" if reason == "not binary" else "number"
    results = drawn(50).with_columns(score=change, answer_type=pl.lit(kind))
    frame = calibrated(results, calibrations_of(clips()), RULE, OPTIONS)
    assert frame["corrected"].null_count() == 3
    assert frame["reason"].str.contains(reason).all()
    assert np.isfinite(frame["raw"].to_numpy()).all()
