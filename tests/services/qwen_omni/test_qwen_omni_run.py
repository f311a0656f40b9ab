"""Both families in one run of the orchestrator: all six conditions, real TTS and ASR; and `conform`."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from omnigap.vocabulary import CONDITIONS
from omnigap_orchestrator.extras.conform.check import Status
from omnigap_orchestrator.extras.conform.suite import conform
from omnigap_orchestrator.run import report
from omnigap_services.asr.adapter import AsrAdapter
from omnigap_services.asr.options import SHIPPED_CHECKPOINT
from omnigap_services.espeak.adapter import EspeakAdapter
from tests.helpers.running import Setting, Silent, outcomes
from tests.helpers.served_doubles import Serve

if TYPE_CHECKING:
    from tests.helpers.serve_process import Served
    from tests.services.qwen_omni.conftest import Host, Make


async def test_it_conforms(served: Served) -> None:
    found = await conform(served.address)
    assert [result for result in found.results if result.status in (Status.FAILED, Status.WARNING)] == []
    assert [r.check for r in found.results if r.status is Status.SKIPPED] == ["undeclared-conditions-are-refused"]


@pytest.mark.skipif(
    not (SHIPPED_CHECKPOINT / "model.bin").is_file(), reason=f"NOT TESTED: {SHIPPED_CHECKPOINT}/model.bin is missing"
)
async def test_a_run_asks_both_in_all_six_conditions(tmp_path: Path, host: Serve, hosted: Host, make: Make) -> None:
    models = {kind: [hosted(make(kind, loaded=False)).address] for kind in ("qwen2.5", "qwen3")}
    places = {"scorer": [await host(AsrAdapter({}))], "tts": [await host(EspeakAdapter({}))]}
    setting = Setting(tmp_path, models=models, **places)
    table = await setting.execute()
    assert table.group_by("model", "condition").len().sort("model", "condition").rows() == sorted(
        (model, condition.name, 3) for model in models for condition in CONDITIONS
    )
    assert outcomes(table) == {"answered": 36}
    spoken = table.filter(output="speech")
    # With random weights a text or its speech may end at once.
    assert (spoken["own_text"].str.len_chars() > 0).sum() > 14
    audible = spoken.filter(pl.col("output_media").is_not_null())
    assert audible.height > 9
    assert audible["transcript"].null_count() == 0
    assert (audible["audio_seconds"] > 0.01).all()
    assert (audible["audio_ttfp_s"] >= audible["ttft_s"]).all()
    assert table.filter(output="text")["audio_seconds"].null_count() == 18
    # Greedy: the text answer and the speech answer of a cell have the same text.
    own = table.pivot(on="output", index=["model", "item_id", "input"], values="own_text")
    assert own["text"].to_list() == own["speech"].to_list()
    assert table["model_digest"].n_unique() == 2
    first = next(setting.folder.root.rglob(f"{audible['output_media'][0]}*"))
    with wave.open(str(first)) as file:
        assert file.getframerate() == 24_000
    assert (table["ttft_s"] > 0).sum() > 30
    # The shipped ASR model was not trained on this speech.
    report(setting.folder, Silent())
    assert 'id="banner-scorer-mismatch"' in setting.folder.report.read_text(encoding="utf-8")
