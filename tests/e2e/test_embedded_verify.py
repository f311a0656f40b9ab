"""`verify` with the shipped OCR and ASR: legible carriers are kept, invisible text is lost."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import polars as pl
import pytest
import tomli_w

from tests.helpers.running import orchestrate

CHECKPOINT = files("omnigap_services.asr").joinpath("checkpoint", "model.bin")
LIMIT = 12


@pytest.mark.skipif(
    not CHECKPOINT.is_file(), reason=f"NOT TESTED: {CHECKPOINT} is missing, so the asr service can't start"
)
async def test_real_ocr_and_asr_distinguish_legible_from_lost_carriers(tmp_path: Path) -> None:
    config = tmp_path / "ink.toml"
    tables = {
        "run": {"replicates": 2, "conditions": ["t2t", "s2t", "i2t"]},
        "items": {"limit": LIMIT, "tasks": ["places", "science", "multiple_choice"]},
        "carriers": {"image": {"colour": ["black", "#fefefe"]}},
    }
    config.write_text(tomli_w.dumps(tables))
    made = await orchestrate("run", "--config", config, "--stages", "carriers", "-q", folder=tmp_path, patience_s=240)
    assert made.code == 3, made.err
    folder = tmp_path / "runs" / "ink"
    ended = await orchestrate("verify", "--run-dir", folder, folder=tmp_path, patience_s=240)
    assert "embedded fleet: ocr " in ended.err
    assert ended.code == 1, ended.err + ended.out
    table = pl.read_parquet(folder / "verification.parquet")
    images = table.filter(modality="image")
    assert images.filter(colour="black")["verdict"].to_list() == ["kept"] * LIMIT
    assert set(images.filter(colour="#fefefe")["verdict"]) == {"lost"}
    spoken = table.filter(modality="speech")["verdict"]
    assert spoken.len() == LIMIT
    assert (spoken == "kept").sum() >= LIMIT // 2
    assert "lost" not in spoken
