"""Tests of q1 and q0 with their intervals, effective counts, and the calibrations that a correction takes."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from omnigap_orchestrator.analysis import IntervalOptions, analyse
from omnigap_orchestrator.extras.asr_correction.rates import AsrEvidence, calibrations_of, effective_size, rates
from omnigap_orchestrator.extras.asr_correction.rogan_gladen import corrected
from tests.orchestrator.analysis.made_up_results import drawn
from tests.orchestrator.extras.asr_correction.calibration_clips import clips, typical_clips

OPTIONS = IntervalOptions()


def test_q1_and_q0_by_kind_of_clip() -> None:
    found = {row["clip_kind"]: row for row in rates(typical_clips(), OPTIONS).iter_rows(named=True)}
    assert found["gold"]["quantity"] == "q1"
    assert found["gold"]["estimate"] == pytest.approx(0.9)
    assert {name: found[name]["estimate"] for name in ("distractor", "confusable", "all_wrong")} == pytest.approx(
        {"distractor": 1.0, "confusable": 0.75, "all_wrong": 0.875}
    )
    assert found["gold"]["low"] < 0.9 < found["gold"]["high"]
    assert found["distractor"]["low"] < 1.0 == found["distractor"]["high"]


def test_thirty_clips_of_one_text_are_one_cluster() -> None:
    same = clips([(f"q{i}", "gold", "Option B.", True) for i in range(30)], "letter")
    many = clips([(f"q{i}", "gold", f"text {i}", True) for i in range(30)], "letter")
    narrow, wide = rates(many, OPTIONS).row(0, named=True), rates(same, OPTIONS).row(0, named=True)
    assert (wide["n"], wide["texts"], narrow["texts"]) == (30, 1, 30)
    assert wide["low"] < 0.3 < 0.85 < narrow["low"]


def test_effective_size_lies_between_texts_and_clips() -> None:
    rng = np.random.default_rng(1)
    cluster = np.repeat(np.arange(50), 4)
    independent = (rng.random(200) < 0.8).astype(float)
    dependent = np.repeat((rng.random(50) < 0.8).astype(float), 4)
    assert effective_size(dependent, cluster) == pytest.approx(50, rel=0.05)
    assert 120 < effective_size(independent, cluster) <= 200
    assert effective_size(np.ones(200), cluster) == pytest.approx(50)
    assert effective_size(independent, np.arange(200)) == 200


def test_clips_without_a_transcript_are_not_counted() -> None:
    lost = typical_clips().with_columns(
        outcome=pl.when(pl.col("item_id") == "q0").then(pl.lit("failed")).otherwise("outcome"),
        scored_right=pl.when(pl.col("item_id") != "q0").then("scored_right"),
    )
    (calibration,) = calibrations_of(lost)
    assert calibration.positives == 39
    assert calibration.q1 == pytest.approx(36 / 39)


def test_q0_of_one_kind_of_clip_falls_back_to_all_wrong_answers() -> None:
    assert calibrations_of(typical_clips(), "distractor")[0].q0 == 1.0
    assert calibrations_of(typical_clips(), "confusable")[0].q0 == pytest.approx(0.75)
    without = typical_clips().filter(pl.col("clip_kind") != "confusable")
    assert calibrations_of(without, "confusable")[0].q0 == 1.0
    assert calibrations_of(typical_clips().filter(clip_kind="gold")) == ()


def test_analysis_has_corrected_scores_by_kind_of_clip() -> None:
    results = drawn(300).with_columns(answer_type=pl.lit("entity"))
    found = analyse(results, evidence={"asr_correction": AsrEvidence(clips=typical_clips())})
    row = found.frames["calibrated"].filter(condition="t2s").row(0, named=True)
    assert row["corrected"] == pytest.approx(corrected(row["raw"], 0.875, 0.9))
    assert row["corrected_distractor"] == pytest.approx(corrected(row["raw"], 1.0, 0.9))
    assert row["corrected_confusable"] == pytest.approx(corrected(row["raw"], 0.75, 0.9))
    t2t = results.filter(condition="t2t")["score"].mean()
    assert row["gap_distractor"] == pytest.approx(row["corrected_distractor"] - t2t)
    assert found.frames["accuracy"].equals(analyse(results).frames["accuracy"])
    assert found.to_json()["calibrated"]


def test_without_a_calibration_no_score_is_corrected() -> None:
    found = analyse(drawn(50))
    assert (
        found.frames["calibration"].is_empty()
        and found.frames["calibrated"].is_empty()
        and found.frames["human"].is_empty()
    )
    refused = analyse(
        drawn(50).with_columns(answer_type=pl.lit("entity")),
        evidence={"asr_correction": AsrEvidence(refused="of another scorer")},
    )
    assert set(refused.frames["calibrated"]["reason"]) == {"of another scorer"}
    assert refused.frames["calibrated"]["corrected"].null_count() == refused.frames["calibrated"].height
