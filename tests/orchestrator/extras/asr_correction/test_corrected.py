"""Tests of corrected scores and gaps, with expected values computed by hand."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from omnigap_orchestrator.analysis import AnalysisOptions, IntervalOptions, MissingRule, analyse
from omnigap_orchestrator.extras.asr_correction.corrected import calibrated
from omnigap_orchestrator.extras.asr_correction.rates import AsrEvidence, calibrations_of, rates
from omnigap_orchestrator.extras.asr_correction.rogan_gladen import Calibration, correct, corrected
from tests.orchestrator.analysis.made_up_results import drawn, table

RULE, OPTIONS = MissingRule(), IntervalOptions(draws=499)
ENTITY = Calibration("entity", 90, 100, 80, 100)
"""q1 = .9, q0 = .8, so J = .7 and a score s is corrected to (s - .2) / .7."""

VARIANCES = (91 * 11 / 102**3, 81 * 21 / 102**3)
"""Variances of q1 and q0, with a success and a failure added to each."""


def first_right(**right: int) -> pl.DataFrame:
    """100 items: in each condition the given number of first items is right."""
    return table(
        [
            {"item_id": f"q{i:03d}", "condition": name, "score": float(i < count)}
            for name, count in right.items()
            for i in range(100)
        ]
    )


def row_of(frame: pl.DataFrame, condition: str) -> dict[str, object]:
    return frame.row(by_predicate=pl.col("condition") == condition, named=True)


def test_both_conditions_of_a_spoken_gap_are_corrected() -> None:
    """.6 against .8: -.2 raw is -.2 / .7 corrected, and q1 and q0 enter by -(theta - theta') / J each."""
    row = row_of(calibrated(first_right(t2s=80, s2s=60), (ENTITY,), RULE, OPTIONS, reference="t2s"), "s2s")
    assert row["corrected_ends"] == "both"
    assert row["raw_gap"] == pytest.approx(-0.2)
    assert row["corrected_gap"] == pytest.approx(-0.2 / 0.7)
    by_rates = (0.2 / 0.7 / 0.7) ** 2 * sum(VARIANCES)
    assert row["gap_calibration_se"] == pytest.approx(math.sqrt(by_rates))
    # 20 items lose 1 / .7, 80 nothing: squared deviations of 20 x .8^2 + 80 x .2^2 = 16, over .7^2.
    sampling = 16 / 0.49 * (100 / 99) / 100**2
    half = 1.9842169515 * math.sqrt(by_rates + sampling)
    assert row["gap_high"] == pytest.approx(-0.2 / 0.7 + half)


def test_a_spoken_gap_of_zero_has_no_variance_from_the_calibration() -> None:
    scores = np.array([1.0] * 60 + [0.0] * 40)
    kind, cluster = np.zeros(100, dtype=np.int64), np.arange(100)
    swapped = np.roll(scores, 1)
    assert correct(scores, kind, (ENTITY,), cluster, swapped, transcribed=(True, True)).calibration_se == 0.0
    assert correct(scores, kind, (ENTITY,), cluster, swapped).calibration_se > 0.01


def test_for_a_text_condition_the_spoken_reference_is_corrected() -> None:
    """.9 written against .55 transcribed, which is (.55 - .2) / .7 = .5 corrected."""
    frame = calibrated(first_right(t2t=90, t2s=55), (ENTITY,), RULE, OPTIONS, reference="t2s")
    row = row_of(frame, "t2t")
    assert row["corrected_ends"] == "reference"
    assert row["raw_gap"] == pytest.approx(0.35)
    assert row["corrected_gap"] == pytest.approx(0.4)
    v1, v0 = VARIANCES
    assert row["gap_calibration_se"] == pytest.approx(math.sqrt((0.5**2 * v0 + 0.5**2 * v1) / 0.49))
    assert (row["raw"], row["corrected"], row["reason"]) == (0.9, None, None)
    own = row_of(frame, "t2s")
    assert own["corrected"] == pytest.approx(0.5)
    assert (own["raw_gap"], own["corrected_gap"], own["corrected_ends"]) == (None, None, "condition")


def clips(**right: int) -> pl.DataFrame:
    """20 gold and 20 wrong answers of entities by each metric; the given number of gold answers is scored right."""
    rows = [
        ("entity", metric, right, f"{metric} {right} {i}", right and i < count)
        for metric, count in right.items()
        for right in (True, False)
        for i in range(20)
    ]
    frame = pl.DataFrame(rows, schema=["answer_type", "metric", "truly_right", "spoken", "scored_right"], orient="row")
    return frame.with_columns(item_id=pl.col("spoken"), voice=pl.lit(None, pl.String))


def scored_by(metric: str) -> pl.DataFrame:
    return first_right(t2t=50, t2s=30).with_columns(metric=pl.lit(metric))


def test_metrics_of_one_answer_type_have_their_own_rates() -> None:
    """q1 is .9 by exact match and .6 by containment: .3 raw is a third, or half; pooled it would be .4 for both."""
    held = calibrations_of(clips(exact_match=18, containment=12))
    metrics = ("exact_match", "containment")
    by = {metric: row_of(calibrated(scored_by(metric), held, RULE, OPTIONS), "t2s") for metric in metrics}
    assert by["exact_match"]["corrected"] == pytest.approx(0.3 / 0.9)
    assert by["containment"]["corrected"] == pytest.approx(0.3 / 0.6)
    assert by["containment"]["note"] is None
    both = pl.concat(
        [scored_by("exact_match"), scored_by("containment").with_columns(item_id="z" + pl.col("item_id"), cluster=None)]
    )
    row = row_of(calibrated(both, held, RULE, OPTIONS), "t2s")
    assert row["corrected"] == pytest.approx((0.3 / 0.9 + 0.3 / 0.6) / 2)


def test_a_metric_with_too_few_clips_uses_the_rates_of_its_type() -> None:
    few = clips(exact_match=18, containment=12).filter(
        (pl.col("metric") == "exact_match") | pl.col("spoken").str.contains(r" [0-8]$")
    )
    held = calibrations_of(few)
    assert [c.metrics for c in held] == [("containment", "exact_match"), ("exact_match",)]
    pooled = (18 + 9) / 29
    row = row_of(calibrated(scored_by("containment"), held, RULE, OPTIONS), "t2s")
    assert row["corrected"] == pytest.approx(0.3 / pooled)
    assert row["note"] == "entity by containment with the rates of entity by containment, exact_match"
    other = row_of(calibrated(scored_by("letter"), calibrations_of(clips(exact_match=18)), RULE, OPTIONS), "t2s")
    assert other["corrected"] == pytest.approx(0.3 / 0.9)
    assert other["note"] == "entity by letter with the rates of entity by exact_match"


def test_rates_are_split_by_metric_only_if_a_type_has_several() -> None:
    several = rates(clips(exact_match=18, containment=12), OPTIONS).filter(quantity="q1")
    assert dict(several.select("metric", "estimate").iter_rows()) == pytest.approx(
        {None: 0.75, "containment": 0.6, "exact_match": 0.9}
    )
    assert rates(clips(exact_match=18), OPTIONS)["metric"].null_count() == 2


def test_analysis_with_a_spoken_reference_corrects_both_conditions() -> None:
    results = drawn(200).with_columns(answer_type=pl.lit("entity"))
    found = analyse(
        results, AnalysisOptions(reference="s2s"), evidence={"asr_correction": AsrEvidence(clips=clips(exact_match=18))}
    )
    ends = dict(found.frames["calibrated"].select("condition", "corrected_ends").iter_rows())
    assert [ends[name] for name in ("t2t", "s2t", "i2t")] == ["reference"] * 3
    assert [ends[name] for name in ("t2s", "s2s", "i2s")] == ["both", "condition", "both"]
    for condition in ("t2t", "t2s", "i2s"):
        row = row_of(found.frames["calibrated"], condition)
        side = row["raw"] if row["corrected_ends"] == "reference" else row["corrected"]
        assert row["corrected_gap"] == pytest.approx(side - row_of(found.frames["calibrated"], "s2s")["corrected"])


def test_a_refused_gap_is_null_for_every_scorer() -> None:
    lost = (pl.col("condition") == "t2s") & (pl.col("item_id") < "q010")
    transcribed = first_right(t2t=90, t2s=80).with_columns(
        second_score=pl.when(pl.col("condition") == "t2s").then("score")
    )
    results = transcribed.with_columns(
        outcome=pl.when(lost).then(pl.lit("failed")).otherwise("outcome"), score=pl.when(~lost).then("score")
    )
    row = row_of(calibrated(results, (ENTITY,), RULE, OPTIONS), "t2s")
    gaps = ("raw_gap", "corrected_gap", "second_gap", "second_first_gap")
    assert [row[name] for name in gaps] == [None] * 4
    assert row["raw"] == pytest.approx(70 / 90) and "10 of 100" in str(row["reason"])
    shown = row_of(calibrated(results, (ENTITY,), MissingRule(allow=True), OPTIONS), "t2s")
    assert None not in [shown[name] for name in gaps]


def counted_clips() -> pl.DataFrame:
    right = [True] * 100 + [False] * 50
    scored = [True] * 90 + [False] * 10 + [True] * 1 + [False] * 49
    return pl.DataFrame({"answer_type": "entity", "truly_right": right, "scored_right": scored})


def test_clips_of_a_calibration_are_counted() -> None:
    assert calibrations_of(counted_clips()) == (Calibration("entity", 90, 100, 49, 50),)


def test_speech_conditions_are_corrected_and_text_answers_are_not() -> None:
    results = drawn(200).with_columns(answer_type=pl.lit("entity"), second_score=pl.col("score"))
    frame = calibrated(results, calibrations_of(counted_clips()), RULE, OPTIONS)
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
def test_graded_scores_and_uncalibrated_types_are_refused(change: pl.Expr, reason: str) -> None:
    kind = "entity" if reason == "not binary" else "number"
    results = drawn(50).with_columns(score=change, answer_type=pl.lit(kind))
    frame = calibrated(results, calibrations_of(counted_clips()), RULE, OPTIONS)
    assert frame["corrected"].null_count() == 3
    assert frame["reason"].str.contains(reason).all()
    assert np.isfinite(frame["raw"].to_numpy()).all()
