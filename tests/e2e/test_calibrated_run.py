"""A run on embedded services with `calibrate` and `sample-clips`: corrected scores next to raw ones, clips to label."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import polars as pl
import pytest

from tests.helpers.running import orchestrate

CHECKPOINT = files("omnigap_services.asr").joinpath("checkpoint", "model.bin")


@pytest.mark.skipif(
    not CHECKPOINT.is_file(), reason=f"NOT TESTED: {CHECKPOINT} is missing, so the asr service can't start"
)
async def test_a_calibrated_run_reports_corrected_scores(tmp_path: Path) -> None:
    slice_of = ("run", "--fleet", "embedded", "--limit", "14", "--conditions", "t2t,t2s")
    ended = await orchestrate(*slice_of, folder=tmp_path, patience_s=280)
    assert ended.code == 3, ended.err  # The other four conditions of the plan are pending.
    ended = await orchestrate("calibrate", folder=tmp_path, patience_s=280)
    assert ended.code == 0, ended.err
    assert "embedded fleet: espeak, asr " in ended.err
    assert "Synthetic speech is cleaner" in ended.out
    folder = tmp_path / "runs" / "default"
    clips = pl.read_parquet(folder / "calibration.parquet")
    assert set(clips["outcome"]) == {"answered"}
    gold = clips.filter(clip_kind="gold")
    assert gold["item_id"].n_unique() == 14
    assert gold["scored_right"].mean() > 0.6  # type: ignore[operator]
    assert clips.filter(~pl.col("truly_right"))["scored_right"].mean() < 0.2  # type: ignore[operator]
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    row = next(row for row in summary["calibrated"] if row["condition"] == "t2s")
    assert row["reason"] is None
    assert row["corrected"] >= row["raw"] - 0.1
    assert row["low"] < row["corrected"] < row["high"]
    assert any(row["against"] == "calibration" and row["wer"] < 0.5 for row in summary["transcript_errors"])
    assert "Spoken answers, corrected for ASR errors" in (folder / "report.html").read_text(encoding="utf-8")

    ended = await orchestrate("sample-clips", folder, "--n", "6", "--out", "listen", folder=tmp_path)
    assert ended.code == 0, ended.err
    labels = pl.read_csv(tmp_path / "listen" / "labels.csv", infer_schema=False)
    labels.with_columns(label=pl.lit("right")).write_csv(tmp_path / "filled.csv")
    ended = await orchestrate("report", "--labels", "filled.csv", folder=tmp_path, patience_s=120)
    assert ended.code == 3, ended.err
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert {row["quantity"] for row in summary["human"]} == {"score", "gap"}
    assert sum(row["labelled"] for row in summary["human"] if row["quantity"] == "score") == labels.height
