"""A run of the orchestrator with a model and an ASR scorer on Triton."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Callable
from pathlib import Path

import polars as pl

from tests.helpers.running import Setting, item, outcomes
from tests.helpers.serve_process import Served
from tests.services.triton_server.triton_env import EXAMPLE
from tests.services.triton_server.triton_options import STREAM
from tests.services.triton_server.triton_process import Triton

# The model repeats its prompt, so the question is its own answer.
WORDS = ("Paris", "Lima", "Madrid")


def test_a_run_over_triton_is_complete(
    triton: Triton, on_triton: Callable[..., Served], espeak: Served, tmp_path: Path
) -> None:
    scorer = tomllib.loads((EXAMPLE / "asr.toml").read_text(encoding="utf-8")) | {"url": triton.url}
    setting = Setting(
        tmp_path,
        models={"stream": [on_triton(triton, STREAM).address]},
        scorer=[on_triton(triton, scorer).address],
        tts=[espeak.address],
        items=[item(word, question=word, answers=[word]) for word in WORDS],
    )
    results = asyncio.run(setting.execute())
    assert outcomes(results) == {"answered": 4 * len(WORDS), "unsupported": 2 * len(WORDS)}
    typed = results.filter((pl.col("input") == "text") & (pl.col("output") == "text"))
    assert typed["own_text"].sort().to_list() == sorted(WORDS)
    assert typed["score"].to_list() == [1.0] * len(WORDS)
    spoken = results.filter((pl.col("input") == "speech") & (pl.col("output") == "text"))
    assert all(text.startswith("audio (1, ") for text in spoken["own_text"])
    spoken = results.filter((pl.col("output") == "speech") & (pl.col("outcome") == "answered"))
    assert spoken["transcript"].null_count() == 0
    assert spoken["asr_avg_logprob"].null_count() == 0
    assert spoken["ttft_s"].min() > 0
    assert spoken["asr_digest"].n_unique() == 1
