"""Corrected scores: both ends of a gap, rates by metric, and a second scorer on the same answers; worked by hand."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from omnigap_orchestrator.analysis import AnalysisOptions, IntervalOptions, MissingRule, analyse
from omnigap_orchestrator.extras.asr_correction.corrected import calibrated
from omnigap_orchestrator.extras.asr_correction.rates import AsrEvidence, calibrations_of, rates
from omnigap_orchestrator.extras.asr_correction.rogan_gladen import Calibration, correct
from tests.orchestrator.analysis.made_up_results import drawn, table

RULE, OPTIONS = MissingRule(), IntervalOptions(draws=499)
ENTITY = Calibration("entity", 90, 100, 80, 100)
"""q1 = .9, q0 = .8, so J = .7 and a score s is corrected to (s - .2) / .7."""

VARIANCES = (91 * 11 / 102**3, 81 * 21 / 102**3)
"""Of q1 and q0: a success and a failure added to each."""


def first_right(**right: int) -> pl.DataFrame:
    """100 items: in each condition the first so many are right."""
    return table(
        [
            {"item_id": f"q{i:03d}", "condition": name, "score": float(i < count)}
            for name, count in right.items()
            for i in range(100)
        ]
    )


def row_of(frame: pl.DataFrame, condition: str) -> dict[str, object]:
    return frame.row(by_predicate=pl.col("condition") == condition, named=True)


def test_both_ends_of_a_gap_between_spoken_answers_are_corrected() -> None:
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


def test_a_gap_of_nothing_owes_the_calibration_nothing() -> None:
    scores = np.array([1.0] * 60 + [0.0] * 40)
    kind, cluster = np.zeros(100, dtype=np.int64), np.arange(100)
    swapped = np.roll(scores, 1)
    assert correct(scores, kind, (ENTITY,), cluster, swapped, transcribed=(True, True)).calibration_se == 0.0
    assert correct(scores, kind, (ENTITY,), cluster, swapped).calibration_se > 0.01


def test_a_written_answer_against_a_spoken_reference_has_the_reference_corrected() -> None:
    """.9 written against .55 heard, which is (.55 - .2) / .7 = .5 corrected."""
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


def clips(**kept: int) -> pl.DataFrame:
    """20 gold answers and 20 wrong answers of entities by each metric; so many of the gold ones are scored right."""
    rows = [
        ("entity", metric, right, f"{metric} {right} {i}", right and i < count)
        for metric, count in kept.items()
        for right in (True, False)
        for i in range(20)
    ]
    frame = pl.DataFrame(rows, schema=["answer_type", "metric", "truly_right", "spoken", "scored_right"], orient="row")
    return frame.with_columns(item_id=pl.col("spoken"), voice=pl.lit(None, pl.String))


def scored_by(metric: str) -> pl.DataFrame:
    return first_right(t2t=50, t2s=30).with_columns(metric=pl.lit(metric))


def test_two_metrics_of_one_answer_type_are_corrected_each_with_its_own_rates() -> None:
    """q1 is .9 by exact match and .6 by containment: .3 heard is a third, or half; pooled it would be .4 for both."""
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


def test_a_metric_with_too_few_clips_takes_the_rates_of_its_type_and_says_so() -> None:
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


def test_rates_are_told_by_metric_only_where_a_type_has_several() -> None:
    several = rates(clips(exact_match=18, containment=12), OPTIONS).filter(quantity="q1")
    assert dict(several.select("metric", "estimate").iter_rows()) == pytest.approx(
        {None: 0.75, "containment": 0.6, "exact_match": 0.9}
    )
    assert rates(clips(exact_match=18), OPTIONS)["metric"].null_count() == 2


def test_two_scorers_are_compared_on_the_answers_that_both_have_heard() -> None:
    """The second has heard three of four answers and is right on all; the first is right on two of these."""
    first, second = [1.0, 1.0, 0.0, 1.0], [1.0, 1.0, 1.0, None]
    rows = [{"item_id": f"q{i}", "condition": "t2t", "score": 1.0} for i in range(4)]
    rows += [
        {"item_id": f"q{i}", "condition": "t2s", "score": a, "second_score": b}
        for i, (a, b) in enumerate(zip(first, second, strict=True))
    ]
    (row,) = analyse(table(rows)).frames["calibrated"].iter_rows(named=True)
    assert (row["raw"], row["n"]) == (0.75, 4)
    assert row["second_first"] == pytest.approx(2 / 3)
    assert (row["second_scorer"], row["second_n"], row["second_cells"]) == (1.0, 3, 3)
    assert row["second_difference"] == pytest.approx(1 / 3)
    assert row["second_low"] < 1 / 3 < row["second_high"] and row["second_method"] == "tango"
    assert (row["second_gap"], row["second_gap_n"]) == (0.0, 3)
    assert row["second_first_gap"] == pytest.approx(-1 / 3)


def test_a_second_scorer_hears_a_spoken_reference_itself() -> None:
    """By the first ears 2 of 4 against 3 of 4, by the second 4 of 4 against 3 of 4."""
    heard = {"t2s": ([1, 1, 1, 0], [1, 1, 1, 0]), "s2s": ([1, 1, 0, 0], [1, 1, 1, 1])}
    rows = [
        {"item_id": f"q{i}", "condition": name, "score": float(a), "second_score": float(b)}
        for name, (first, second) in heard.items()
        for i, (a, b) in enumerate(zip(first, second, strict=True))
    ]
    row = row_of(calibrated(table(rows), (), RULE, OPTIONS, reference="t2s"), "s2s")
    assert (row["second_first_gap"], row["second_gap"], row["second_gap_n"]) == (-0.25, 0.25, 4)


def test_replicates_are_averaged_within_the_item_before_two_scorers_are_compared() -> None:
    """One item heard twice (1 and 0 by the second), one once: 3 answers, 2 items, mean (.5 + 1) / 2."""
    rows = [
        {"item_id": item, "condition": "t2s", "replicate": r, "score": 1.0, "second_score": s}
        for item, r, s in (("a", 0, 1.0), ("a", 1, 0.0), ("b", 0, 1.0))
    ]
    (row,) = calibrated(table(rows), (), RULE, OPTIONS).iter_rows(named=True)
    assert (row["second_scorer"], row["second_n"], row["second_cells"]) == (0.75, 2, 3)


def test_the_analysis_corrects_both_ends_where_its_reference_is_spoken() -> None:
    results = drawn(200).with_columns(answer_type=pl.lit("entity"))
    found = analyse(
        results, AnalysisOptions(reference="s2s"), evidence={"asr_correction": AsrEvidence(clips=clips(exact_match=18))}
    )
    heard = dict(found.frames["calibrated"].select("condition", "heard").iter_rows())
    assert [heard[name] for name in ("t2t", "s2t", "i2t")] == ["reference"] * 3
    assert [heard[name] for name in ("t2s", "s2s", "i2s")] == ["both", "condition", "both"]
    for condition in ("t2t", "t2s", "i2s"):
        row = row_of(found.frames["calibrated"], condition)
        side = row["raw"] if row["corrected_ends"] == "reference" else row["corrected"]
        assert row["corrected_gap"] == pytest.approx(side - row_of(found.frames["calibrated"], "s2s")["corrected"])


def test_a_gap_refused_for_missing_answers_is_told_by_no_scorer() -> None:
    lost = (pl.col("condition") == "t2s") & (pl.col("item_id") < "q010")
    heard = first_right(t2t=90, t2s=80).with_columns(second_score=pl.when(pl.col("condition") == "t2s").then("score"))
    results = heard.with_columns(
        outcome=pl.when(lost).then(pl.lit("failed")).otherwise("outcome"), score=pl.when(~lost).then("score")
    )
    row = row_of(calibrated(results, (ENTITY,), RULE, OPTIONS), "t2s")
    gaps = ("raw_gap", "corrected_gap", "second_gap", "second_first_gap")
    assert [row[name] for name in gaps] == [None] * 4
    assert row["raw"] == pytest.approx(70 / 90) and "10 of 100" in str(row["reason"])
    shown = row_of(calibrated(results, (ENTITY,), MissingRule(allow=True), OPTIONS), "t2s")
    assert None not in [shown[name] for name in gaps]
