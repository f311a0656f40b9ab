"""Tests of calibration.parquet: reading it, also from 0.1.0, and its validity for a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from omnigap_orchestrator.analysis import Analysis, AnalysisOptions
from omnigap_orchestrator.analysis.table import schema_of
from omnigap_orchestrator.extras.asr_correction import AsrCorrection
from omnigap_orchestrator.extras.asr_correction.clips import (
    CALIBRATION_SCHEMA,
    CalibrationKey,
    check_validity,
    length_note,
    read_clips,
)
from omnigap_orchestrator.extras.asr_correction.corrected import CALIBRATED, CalibratedRow
from omnigap_orchestrator.extras.asr_correction.rates import AsrEvidence

KEY = CalibrationKey("scorer", "tts", "rules 2")


def calibration(clip_kinds: tuple[str, ...] = ("gold",)) -> pl.DataFrame:
    """One clip of `KEY` for each kind."""
    row = {
        "item_id": "q1",
        "metric": "exact",
        "scorer_key": "scorer",
        "tts_digest": "tts",
        "scoring_version": "rules 2",
    }
    return pl.DataFrame([{**row, "clip_kind": kind} for kind in clip_kinds], schema=CALIBRATION_SCHEMA)


def test_the_kinds_of_clip_of_0_1_0_have_their_names_of_today(tmp_path: Path) -> None:
    old = calibration(("gold", "plain", "sound_alike")).rename({"clip_kind": "foil"})
    old.write_parquet(tmp_path / "calibration.parquet")
    assert read_clips(tmp_path / "calibration.parquet")["clip_kind"].to_list() == ["gold", "distractor", "confusable"]


def test_a_calibration_of_the_same_scorer_and_rules_is_valid() -> None:
    validity = check_validity(calibration(), KEY, {"q1": "exact"})
    assert (validity.refused, validity.note) == ("", "")


@pytest.mark.parametrize(
    ("now", "metrics"),
    [
        (replace(KEY, scorer_key="other"), {}),
        (replace(KEY, language="fr"), {}),
        (replace(KEY, scoring_version="rules 3"), {}),
        (KEY, {"q1": "containment"}),
    ],
)
def test_another_scorer_language_rule_or_metric_is_refused(now: CalibrationKey, metrics: dict[str, str]) -> None:
    assert "calibrate" in check_validity(calibration(), now, metrics).refused


def test_another_tts_service_is_only_noted() -> None:
    validity = check_validity(calibration(), replace(KEY, tts_digest="other"), {})
    assert validity.refused == ""
    assert validity.note


@pytest.mark.parametrize(
    ("answer", "clip", "fix"),
    [
        ("The capital of France is Paris.", "Paris", "with --template and a sentence"),
        ("Paris", "The answer to this question is Paris.", "without --template"),
        ("Paris", "Rome", ""),
        ("The capital is Paris.", "The answer is Paris.", ""),
        ("4", "forty two", ""),
        ("프랑스의 수도는 파리이고 센강이 흐릅니다.", "파리", "with --template and a sentence"),
    ],
)
@pytest.mark.parametrize("column", ["own_text", "transcript"])
def test_clips_unlike_the_answers_in_length_are_noted(answer: str, clip: str, fix: str, column: str) -> None:
    names = ("own_text", "transcript", "output")
    rows = [{**dict.fromkeys(names), "output": "speech", column: answer}] * 5
    # Text answers say nothing about speech.
    rows += [{**dict.fromkeys(names), "output": "text", "own_text": "x" * 500}] * 20
    results = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String))
    clips = calibration().with_columns(spoken=pl.lit(clip))
    note = length_note(clips, results)
    assert (fix in note) if fix else not note


def test_without_answers_nothing_is_noted_about_lengths() -> None:
    empty = pl.DataFrame(schema=dict.fromkeys(("own_text", "transcript", "output"), pl.String))
    assert length_note(calibration().with_columns(spoken=pl.lit("Paris")), empty) == ""


def test_a_calibration_without_clips_is_refused() -> None:
    assert check_validity(calibration().clear(), KEY, {}).refused


@pytest.mark.parametrize("unlike", [True, False])
def test_the_first_screen_calls_a_correction_by_unlike_clips_unreliable(unlike: bool) -> None:
    frames = {CALIBRATED.name: schema_of(CalibratedRow).to_frame()}
    analysis = Analysis(frames, AnalysisOptions(), {"asr_correction": AsrEvidence(unlike=unlike)})
    (heading,) = AsrCorrection().condition_columns(analysis, "m")
    assert ("unreliable" in heading) is unlike
