"""examples/real-cpu.toml with a few items: real Whisper, a real language model and a real voice, in all conditions."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import polars as pl
import pytest

from omnigap_orchestrator.config import load_config
from omnigap_orchestrator.items import load_items
from tests.helpers.real_weights import ROOT, needs
from tests.helpers.running import Ended, orchestrate

CONDITIONS = {"t2t", "s2t", "i2t", "t2s", "s2s", "i2s"}
EXAMPLE = ROOT / "examples" / "real-cpu.toml"
ITEMS = 6
"""One of each task."""

pytestmark = [
    pytest.mark.real_weights,
    pytest.mark.timeout(1200),
    needs("torch", "transformers", "gguf", "piper", "faster_whisper", "rapidocr"),
]


async def _run(folder: Path, *arguments: str) -> Ended:
    # In the clone's folder, from which the example's paths start.
    return await orchestrate(*arguments, "--run-dir", folder, folder=ROOT, patience_s=1000)


async def test_a_small_real_cascade_is_measured_in_all_conditions_and_calibrated(
    real_weights: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "real-cpu"
    ended = await _run(folder, "run", "--config", str(EXAMPLE), "--limit", str(ITEMS))
    assert ended.code == 0, ended.err
    table = pl.read_parquet(folder / "results.parquet")
    assert set(table["outcome"]) == {"answered"}
    assert table.height == ITEMS * len(CONDITIONS)
    assert set(table["condition"]) == CONDITIONS
    assert table["score"].null_count() == 0
    # The model knows some of it, and a real voice is understood by a real recogniser.
    assert table.filter(condition="t2t")["score"].sum() > 0
    spoken = table.filter(output="speech")
    assert spoken["audio_seconds"].min() > 0.2  # type: ignore[operator]
    assert spoken["own_text_score"].null_count() == 0
    assert spoken["wer_errors"].sum() < 0.5 * spoken["wer_words"].sum()

    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    warnings = {each["key"]: each["text"] for each in summary["warnings"]}
    assert "embedded" not in warnings and "scorer-mismatch" not in warnings
    assert "not an omni model" in warnings["cascade"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "small-cascade" in page and "By its own text" in page
    manifest = tomllib.loads((folder / "manifest.toml").read_text(encoding="utf-8"))
    assert all(name in str(manifest) for name in ("tiny.en", "SmolLM2-135M", "en_US-joe-medium"))

    # The error rates of this scorer with this voice, on known texts.
    ended = await _run(folder, "calibrate")
    assert ended.code == 0, ended.err
    clips = pl.read_parquet(folder / "calibration.parquet")
    assert set(clips["outcome"]) == {"answered"}
    assert clips.filter(clip_kind="gold")["scored_right"].mean() > 0.3  # type: ignore[operator]
    assert json.loads((folder / "summary.json").read_text(encoding="utf-8"))["calibrated"]


def test_the_default_slice_has_equally_many_items_of_each_task_with_words() -> None:
    config = load_config(EXAMPLE)
    tasks = [item.task for item in load_items(config.items)]
    assert len(tasks) == 60
    assert {tasks.count(task) for task in tasks} == {10}
    assert "counting" not in tasks
