"""A small default run: embedded TTS, ASR and OCR, all six conditions, a report."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import polars as pl
import pytest

from omnigap.vocabulary import CONDITIONS
from tests.helpers.running import orchestrate

CHECKPOINT = files("omnigap_services.asr").joinpath("checkpoint", "model.bin")


@pytest.mark.skipif(
    not CHECKPOINT.is_file(), reason=f"NOT TESTED: {CHECKPOINT} is missing, so the asr service can't start"
)
async def test_the_embedded_fleet_answers_in_all_six_conditions(tmp_path: Path) -> None:
    ended = await orchestrate("run", "--fleet", "embedded", "--limit", "7", folder=tmp_path, patience_s=240)
    assert ended.code == 0, ended.err
    assert "embedded fleet: espeak, asr, demo " in ended.err
    folder = tmp_path / "runs" / "default"
    table = pl.read_parquet(folder / "results.parquet")
    assert table.group_by("condition").len().sort("condition").rows() == sorted((c.name, 7) for c in CONDITIONS)
    assert set(table["outcome"]) == {"answered"}
    assert table["task"].n_unique() == 7
    assert table.filter(output="speech")["transcript"].null_count() == 0
    assert table.filter(output="speech", input="text")["audio_seconds"].min() > 0.1  # type: ignore[operator]
    assert (folder / "report.html").stat().st_size > 100_000
    written = table.filter(condition="t2t")["score"].mean()
    assert isinstance(written, float)
    assert written > 0.5
