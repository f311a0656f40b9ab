"""A run whose questions are synthesised by a transformers TTS model instead of espeak."""

from __future__ import annotations

import importlib.util
import tomllib
from importlib.resources import files
from pathlib import Path

import polars as pl
import pytest
import soundfile
import tomli_w

from tests.helpers.running import orchestrate
from tests.helpers.tiny_checkpoint import write_checkpoint

CHECKPOINT = files("omnigap_services.asr").joinpath("checkpoint", "model.bin")

pytestmark = [
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("torch", "transformers")),
        reason="NOT TESTED: torch or transformers is not installed",
    ),
    pytest.mark.skipif(
        not CHECKPOINT.is_file(), reason=f"NOT TESTED: {CHECKPOINT} is missing, so the embedded services have no ASR"
    ),
]


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    """The folder of a tiny VITS."""
    return write_checkpoint("hf-tts", "", tmp_path / "tiny-vits")


async def test_questions_can_be_synthesised_by_hf_tts(tmp_path: Path, voice: Path) -> None:
    # Only the demo model calls espeak; the questions are synthesised by the other TTS service.
    config = {
        "run": {"conditions": ["t2t", "s2t", "t2s"]},
        "items": {"limit": 6},
        "carriers": {"speech": {"words_per_minute": [150]}},
        "fleet": {
            "kind": "embedded",
            "services": {
                "natural": {
                    "service": "hf-tts",
                    "role": "tts",
                    "options": {"model": str(voice), "words_per_minute": 150.0, "cpu_threads": 1},
                },
                "espeak": {"role": "part"},
                "asr": {},
                "demo": {"options": {"tts": "@espeak"}},
            },
        },
    }
    (tmp_path / "hf_tts.toml").write_text(tomli_w.dumps(config))
    ended = await orchestrate("run", "--config", "hf_tts.toml", folder=tmp_path, patience_s=240)
    assert ended.code == 0, ended.err
    folder = tmp_path / "runs" / "hf_tts"
    table = pl.read_parquet(folder / "results.parquet")
    assert set(table["outcome"]) == {"answered"}
    assert table.height == 6 * 3
    speech = table.filter(output="speech")
    assert speech["transcript"].null_count() == 0
    assert speech["score"].null_count() == 0
    manifest = tomllib.loads((folder / "manifest.toml").read_text())
    assert "tiny-vits" in str(manifest)
    # The audio of the questions comes from the tiny model: noise at 16 kHz, no two files equal.
    clips = table.filter(condition="s2t")["input_media"].to_list()
    assert len(set(clips)) == 6
    paths = [next(folder.rglob(f"{clip}*")) for clip in clips]
    assert {soundfile.info(path).samplerate for path in paths} == {16_000}
