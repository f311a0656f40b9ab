"""examples/tiny.toml with a few items: every model service with random weights, of all types, in one run."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import polars as pl
import pytest
import tomli_w

from omnigap.vocabulary import CONDITIONS
from tests.helpers.real_weights import ROOT, needs
from tests.helpers.running import Ended, orchestrate

EXAMPLE = ROOT / "examples" / "tiny.toml"
ITEMS = 2
SIX = {condition.name for condition in CONDITIONS}
MODELS = {
    "qwen2.5-omni": ("native_omni", SIX),
    "qwen3-omni": ("moe", SIX),
    "anygpt": ("discrete_token", SIX),
    "nextgpt": ("diffusion_hybrid", {"t2t", "i2t"}),
    "cascade": ("cascade", SIX),
}
"""Model -> its architecture type, and the conditions that it supports."""

pytestmark = [
    pytest.mark.timeout(1_200),
    needs("torch", "transformers", "torchvision", "accelerate", "sentencepiece", "faster_whisper", "rapidocr"),
]


async def run(config: Path, folder: Path, *arguments: str) -> Ended:
    given = ["run", "--config", str(config), "--limit", str(ITEMS), "--quiet", *arguments]
    return await orchestrate(*given, "--run-dir", folder, folder=ROOT, patience_s=1_000)


def results(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "results.parquet")


async def test_one_run_has_every_type_and_asks_again_only_what_changed(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    ended = await run(EXAMPLE, folder)
    assert ended.code == 0, f"{ended.out}\n{ended.err}"
    table = results(folder)
    assert dict(table.select("model", "architecture").unique().iter_rows()) == {m: t for m, (t, _) in MODELS.items()}
    for model, (_, conditions) in MODELS.items():
        rows = table.filter(model=model)
        answered = rows.filter(outcome="answered").group_by("condition").len()
        assert dict(answered.iter_rows()) == dict.fromkeys(conditions, ITEMS), model
        assert set(rows.filter(~pl.col("condition").is_in(conditions))["outcome"]) <= {"unsupported"}, model
    answered = table.filter(outcome="answered")
    assert answered["score"].null_count() == 0 and set(table["random_weights"]) == {"model"}

    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["complete"] and summary["random_weights"] == {name: ["model"] for name in MODELS}
    # No other warning: this one covers all of them.
    assert [warning["key"] for warning in summary["warnings"]] == ["random-weights"]
    assert "cascade (its asr hf-asr-tiny, tts hf-tts-tiny, llm hf-chat-tiny)" in summary["warnings"][0]["text"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert re.search(r'<p class="banner alarm"[^>]*id="banner-random-weights"', page)
    types = page[page.index('id="table-architectures"') :].partition("</figure>")[0]
    for model, (architecture, _) in MODELS.items():
        words = {"moe": "MoE"}.get(architecture, architecture.replace("_", " "))
        assert f"{words}</th>" in types and f"{model} (random)" in types

    # One service is replaced, and one started again as it was; the others are not started, to save their time.
    changed = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
    changed["fleet"]["services"]["nextgpt"]["options"]["max_new_tokens"] = 3
    changed["fleet"]["kind"] = "auto"
    elsewhere = {"endpoints": ["127.0.0.1:9"]}
    changed["models"] = [{"name": name, **({} if name in ("nextgpt", "anygpt") else elsewhere)} for name in MODELS]
    config = tmp_path / "changed.toml"
    config.write_text(tomli_w.dumps(changed))
    swapped = await run(config, folder, "--models", "nextgpt,anygpt", "--conditions", "t2t,i2t")
    assert swapped.code == 0, swapped.err
    # Of both models, only the cells of the replaced one.
    assert f"{2 * ITEMS} of {4 * ITEMS} cells are generated again" in swapped.err
    assert swapped.err.count("again") == 1, swapped.err
    after = results(folder)
    others = pl.col("model") != "nextgpt"
    assert after.filter(others).equals(table.filter(others))
    before, now = (frame.filter(model="nextgpt", outcome="answered") for frame in (table, after))
    assert now.height == before.height == 2 * ITEMS
    assert set(now["model_digest"]).isdisjoint(before["model_digest"])
