"""An environment with an unreachable proxy does not affect an embedded run."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import polars as pl
import pytest

from tests.helpers.recording_proxy import point_everything_at
from tests.helpers.running import orchestrate

CHECKPOINT = files("omnigap_services.asr").joinpath("checkpoint", "model.bin")
DEAD = "http://127.0.0.1:9"


@pytest.mark.skipif(
    not CHECKPOINT.is_file(), reason=f"NOT TESTED: {CHECKPOINT} is missing, so the asr service can't start"
)
async def test_an_embedded_run_ignores_the_proxies_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_everything_at(DEAD, monkeypatch)
    ended = await orchestrate(
        "run", "--fleet", "embedded", "--limit", "2", "--run-dir", "runs/emb", folder=tmp_path, patience_s=240
    )
    assert ended.code == 0, ended.err
    results = pl.read_parquet(tmp_path / "runs" / "emb" / "results.parquet")
    assert results["outcome"].unique().to_list() == ["answered"]
    assert len(results) == 12
