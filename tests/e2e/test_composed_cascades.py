"""Runs over cascades of services: support labels in the table and the report, and a control over real audio."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import polars as pl
import pytest

from omnigap.vocabulary import CONDITIONS, Architecture, Condition
from omnigap_services.adapter import NATIVE, Turn
from omnigap_services.asr.adapter import AsrAdapter
from omnigap_services.cascade.adapter import CascadeAdapter
from omnigap_services.espeak.adapter import EspeakAdapter
from tests.helpers.running import Setting, item, outcomes
from tests.helpers.served_doubles import Double, Serve, say

CHECKPOINT = files("omnigap_services.asr").joinpath("checkpoint", "model.bin")

needs_checkpoint = pytest.mark.skipif(
    not CHECKPOINT.is_file(), reason=f"NOT TESTED: {CHECKPOINT} is missing, so there is no ASR"
)

FACTS = {"france": "Paris", "egypt": "Cairo", "japan": "Tokyo", "spain": "Madrid"}


def answers(text: str) -> Callable[[Turn], None]:
    return lambda turn: say(turn, text)


def knows_capitals(turn: Turn) -> None:
    """Answers with the capital of the country in a text."""
    asked = " ".join(turn.request.texts).lower()
    turn.write(next((city for country, city in FACTS.items() if country in asked), "I don't know."))


def part(name: str, answer: Callable[[Turn], None], *conditions: str, **card: object) -> Double:
    return Double(answer, name=name, conditions={Condition.parse(c): NATIVE for c in conditions}, **card)


def support_of(table: pl.DataFrame, model: str) -> dict[str, str]:
    """A model's declared support by condition, the same in all rows of the table."""
    rows = table.filter(model=model).select("condition", "support").unique()
    assert rows.height == len(CONDITIONS)
    return dict(rows.iter_rows())


async def test_a_multimodal_llm_and_its_positive_control_in_one_run(tmp_path: Path, host: Serve) -> None:
    llm = part("gem", answers("Paris"), "t2t", "s2t", "i2t", architecture=Architecture.NATIVE_OMNI)
    at = {
        "llm": await host(llm),
        "asr": await host(part("asr", answers("what is the capital of france"), "s2t")),
        "ocr": await host(part("ocr", answers("What is the capital of France?"), "i2t")),
        "tts": await host(part("voice", answers("ignored"), "t2s")),
    }
    direct = {name: at[name] for name in ("llm", "tts")}
    models = {
        "gem": [await host(CascadeAdapter({**direct, "name": "gem"}))],
        "control": [await host(CascadeAdapter({**at, "direct": [], "name": "gem-control"}))],
    }
    scorer, voice = await host(part("scorer", answers("Paris"), "s2t")), await host(Double())
    setting = Setting(tmp_path, models, [scorer], [voice])
    summary = await setting.drive()
    assert summary["complete"]
    table = setting.table()
    assert outcomes(table) == {"answered": 2 * 3 * 6}
    own, helped = {"t2t", "s2t", "i2t"}, {"t2s", "s2s", "i2s"}
    assert support_of(table, "gem") == dict.fromkeys(own, "native") | dict.fromkeys(helped, "assisted")
    control = support_of(table, "control")
    assert control.pop("t2t") == "native"
    assert set(control.values()) == {"assisted"}
    types = dict(table.select("model", "architecture").unique().iter_rows())
    assert types == {"gem": "native_omni", "control": "cascade"}
    report = setting.folder.report.read_text(encoding="utf-8")
    assert report.count("* assisted: ") == 2
    for helpers, conditions in (
        ("TTS by voice", 3 + 1),
        ("ASR by asr", 1),
        ("OCR by ocr", 1),
        ("ASR by asr, TTS by voice", 1),
        ("OCR by ocr, TTS by voice", 1),
    ):
        assert report.count(f'<abbr title="assisted: {helpers}">*</abbr>') == conditions
    # The warning about shipped models does not apply to a cascade of other services.
    assert "say nothing about real models" not in report


async def test_a_missing_stage_is_unsupported_in_the_table_with_its_option(tmp_path: Path, host: Serve) -> None:
    llm = await host(part("mind", knows_capitals, "t2t"))
    model = await host(CascadeAdapter({"llm": llm, "asr": "none", "ocr": "none"}))
    setting = Setting(tmp_path, {"mind": [model]}, [await host(Double())], [await host(Double())])
    table = await setting.execute()
    assert outcomes(table) == {"answered": 3, "unsupported": 15}
    reasons = dict(table.filter(outcome="unsupported").select("condition", "error_message").unique().iter_rows())
    assert "set asr = host:port" in reasons["s2t"]
    assert "set tts = host:port" in reasons["t2s"]


@needs_checkpoint
async def test_whisper_a_text_model_and_espeak_are_a_control_over_real_audio(tmp_path: Path, host: Serve) -> None:
    """Real ASR, OCR and TTS around an LLM that receives only text; a real scorer transcribes the answers."""
    asr, voice = await host(AsrAdapter({})), await host(EspeakAdapter({}))
    mind = part("mind", knows_capitals, "t2t")
    options = {"llm": await host(mind), "asr": asr, "tts": voice, "direct": [], "name": "control"}
    rows = [item(country, answers=[city]) for country, city in FACTS.items()]
    setting = Setting(tmp_path, {"control": [await host(CascadeAdapter(options))]}, [asr], [voice], items=rows)
    table = await setting.execute()
    assert outcomes(table) == {"answered": 6 * len(FACTS)}
    assert {type(p) for request in mind.asked for p in request.parts} == {str}
    scores = dict(table.group_by("condition").agg(pl.col("score").mean()).iter_rows())
    assert scores["t2t"] == scores["i2t"] == 1
    # The shipped checkpoint is small: it may misspell some names, not all.
    assert all(score >= 0.5 for score in scores.values()), scores
