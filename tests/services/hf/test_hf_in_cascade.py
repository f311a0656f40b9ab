"""The positive control: the same model directly and as the LLM of a cascade, in one run of real processes."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import polars as pl
import pytest
import tomli_w

from omnigap_services.hf.chat.tiny import llava
from tests.helpers.running import orchestrate

Build = Callable[[Path], Path]

CHECKPOINT = files("omnigap_services.asr").joinpath("checkpoint", "model.bin")


@pytest.mark.skipif(not CHECKPOINT.is_file(), reason=f"NOT TESTED: {CHECKPOINT} is missing, so there is no ASR")
async def test_a_model_is_measured_next_to_a_cascade_of_itself(tmp_path: Path, built: Callable[[Build], Path]) -> None:
    """A cascade of Whisper, the model and espeak gives the same answers to text and images as the model itself."""
    llm = {"model": str(built(llava)), "name": "tiny", "max_new_tokens": 12, "device": "cpu", "dtype": "float32"}
    services = {
        "espeak": {},
        "asr": {},
        "tiny": {"service": "hf-chat", "options": llm},
        "helped": {"service": "cascade", "options": {"llm": "@tiny", "tts": "@espeak", "name": "helped"}},
        "control": {
            "service": "cascade",
            "options": {"llm": "@tiny", "tts": "@espeak", "direct": [], "name": "control"},
        },
    }
    config = {"items": {"limit": 2, "tasks": ["places"]}, "fleet": {"kind": "embedded", "services": services}}
    (tmp_path / "tiny.toml").write_text(tomli_w.dumps(config))
    ended = await orchestrate("run", "--config", "tiny.toml", folder=tmp_path, patience_s=280)
    assert ended.code == 0, ended.err
    assert "say nothing about real models" not in ended.out
    table = pl.read_parquet(tmp_path / "runs" / "tiny" / "results.parquet")

    def own_texts(model: str, condition: str) -> list[str]:
        rows = table.filter(model=model, condition=condition, outcome="answered").sort("item_id")
        assert rows.height == 2
        return rows["own_text"].to_list()

    typed, shown = own_texts("tiny", "t2t"), own_texts("tiny", "i2t")
    assert typed != shown
    assert own_texts("helped", "t2t") == own_texts("control", "t2t") == typed
    # The image reaches the LLM unchanged, also on the way to a spoken answer; the control reads it by OCR.
    assert own_texts("helped", "i2t") == own_texts("helped", "i2s") == shown
    assert own_texts("control", "i2t") == typed != shown
    assert len(own_texts("helped", "s2t")) == len(own_texts("control", "s2s")) == 2
    support = {
        (model, condition): found
        for model, condition, found in table.select("model", "condition", "support").unique().iter_rows()
    }
    assert support["tiny", "s2t"] == support["tiny", "t2s"] == "unsupported"
    assert support["helped", "i2t"] == "native"
    assert support["helped", "s2t"] == support["control", "i2t"] == support["control", "s2s"] == "assisted"
