"""The demo model under the two-pass control: it knows the prompts, and loses nothing in answering."""

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
async def test_the_demo_model_answers_from_its_own_transcripts(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('[run]\nconditions = ["t2t", "s2t", "i2t"]\ncontrols = ["two-pass", "blank"]\n')
    ended = await orchestrate(
        *("run", "--config", "c.toml", "--fleet", "embedded", "--limit", "6", "--task", "places", "--task", "science"),
        folder=tmp_path,
        patience_s=240,
    )
    assert ended.code == 0, ended.err
    assert "control two-pass: 12 of 12 cells answered" in ended.out
    folder = tmp_path / "runs" / "c"
    table = pl.read_parquet(folder / "controls.parquet")
    questions = {row["id"]: row["question"] for row in map(json.loads, (folder / "items.jsonl").open())}
    for row in table.filter(control="two-pass", condition="i2t").iter_rows(named=True):
        assert row["first_pass"].split() == questions[row["item_id"]].split()
    assert table.filter(control="two-pass", condition="s2t")["wer_words"].min() > 0  # type: ignore[operator]
    assert table.filter(control="blank")["score"].sum() == 0
    steps = json.loads((folder / "summary.json").read_text())["waterfall"]
    assert [row["estimate"] for row in steps if row["step"] == "input_reasoning"] == [0.0, 0.0]
