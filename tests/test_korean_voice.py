"""benchmarks/korean_voice.py measures a voice and a recogniser that are served."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from omnigap.vocabulary import Modality
from omnigap_orchestrator.scoring.metrics import WordErrors
from tests.helpers.served_doubles import Double, Serve, say

PATH = Path(__file__).parents[1] / "benchmarks" / "korean_voice.py"
ITEMS: tuple[dict[str, object], ...] = (
    {"id": "a", "question": "수도는 어디입니까?", "answers": ["서울"], "answer_type": "entity"},
    {"id": "b", "question": "새는?", "choices": ["상어", "참새"], "answers": ["B"], "answer_type": "letter"},
)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("korean_voice", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by its name.
    monkeypatch.setitem(sys.modules, "korean_voice", module)
    spec.loader.exec_module(module)
    return module


async def test_each_text_is_spoken_and_heard_in_each_voice(script: ModuleType, tmp_path: Path, host: Serve) -> None:
    rows = [json.dumps({"task": "t", "language": "ko", **row}) for row in ITEMS]
    (tmp_path / "items.jsonl").write_text("\n".join(rows), encoding="utf-8")
    tts = Double(lambda turn: say(turn, " ".join(turn.request.texts)))
    recogniser = Double(lambda turn: say(turn, "서울"))
    places = {"tts": await host(tts), "recogniser": await host(recogniser)}
    heard = await script.measure(
        argparse.Namespace(items=str(tmp_path / "items.jsonl"), voice=["ko", "ko+f3"], **places)
    )
    assert sorted({each.text.spoken for each in heard if each.text.group == "answer"}) == ["서울", "참새"]
    assert {request.voice for request in tts.asked} == {"ko", "ko+f3"} and len(heard) == len(recogniser.asked) == 8
    assert {request.output for request in recogniser.asked} == {Modality.TEXT}
    lines = script.table(heard)
    assert len(lines) == 2 + 4
    # Of "서울" and "참새", each of two syllables, the first is right.
    assert "| ko | answers | 2 | 50 % | 0 to 100 % | 1 (50 %) |" in lines


def test_the_interval_holds_the_pooled_rate(script: ModuleType) -> None:
    errors = [WordErrors(0, 0, wrong, 10) for wrong in (0, 2, 4, 6, 8)]
    low, high = script.interval(errors)
    assert 0 < low < 0.4 < high < 0.8
    assert script.interval(errors) == (low, high)
