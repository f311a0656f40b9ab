"""Tests of calibration.parquet: reading it, also from 0.1.0, and its validity for a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from omnigap_orchestrator.extras.asr_correction.clips import (
    CALIBRATION_SCHEMA,
    CalibrationKey,
    check_validity,
    read_clips,
)

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


def test_a_calibration_without_clips_is_refused() -> None:
    assert check_validity(calibration().clear(), KEY, {}).refused
