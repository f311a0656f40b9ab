"""A run in Korean: drawn in Hangul, synthesised, answered, transcribed, and scored regardless of spacing."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from omnigap_orchestrator.carriers.render import font_with
from omnigap_orchestrator.items import load_items
from omnigap_services.adapter import Turn, Voice
from omnigap_services.espeak.adapter import EspeakAdapter
from tests.helpers.running import Setting, orchestrate
from tests.helpers.served_doubles import Double, Serve, say

ITEMS = load_items("builtin-ko")[:6]
ANSWERS = {item.question: item.answers[0] for item in ITEMS}
HANGUL = font_with("서울")
needs_hangul = pytest.mark.skipif(
    HANGUL is None, reason="NOT TESTED: no font of this machine has Hangul (Debian: apt-get install fonts-nanum)"
)


def without_items(setting: Setting) -> Path:
    """The configuration without the items file that a setting writes."""
    path = setting.write()
    path.write_text(path.read_text().replace('path = "items.jsonl"\n', ""))
    return path


def politely(turn: Turn) -> None:
    """Answers in a sentence with other spacing than the gold answer."""
    texts = [text for text in turn.request.texts if text.split("\n")[0] in ANSWERS]
    say(turn, f"정답은 {ANSWERS[texts[0].split(chr(10))[0]]} 입니다." if texts else "모르겠습니다")


@needs_hangul
async def test_korean_questions_work_in_text_image_and_speech(tmp_path: Path, host: Serve) -> None:
    model, scorer = Double(politely), Double(lambda turn: say(turn, "서울"), languages=("ko", "en"))
    setting = Setting(
        tmp_path,
        {"omni": [await host(model)]},
        [await host(scorer)],
        [await host(EspeakAdapter({}))],
        tables={"items": {"builtin": "ko", "limit": 6}},
    )
    path = without_items(setting)
    ended = await orchestrate("run", "--config", path, folder=tmp_path)
    assert ended.code == 0, ended.err
    assert "DejaVu Sans" in ended.err and HANGUL in ended.err
    table = pl.read_parquet(setting.folder.results)
    assert set(table["outcome"]) == {"answered"}
    assert set(table["language"]) == {"ko"}
    # As text, each answer is correct within a sentence and not flagged as another language.
    typed = table.filter(condition="t2t")
    assert typed["score"].to_list() == [1.0] * 6
    assert not any("wrong_language" in flags for flags in typed["flags"])
    assert set(table.filter(input="image")["font"]) == {HANGUL}
    assert {request.language for request in scorer.asked} == {"ko"}
    drawn = [request.carrier for request in model.asked if isinstance(request.carrier, Image.Image)]
    assert len({image.tobytes() for image in drawn}) == 6


@needs_hangul
async def test_a_hangul_font_can_be_set_on_the_command_line(tmp_path: Path, host: Serve) -> None:
    setting = Setting(tmp_path, {"omni": [await host(Double(politely))]}, tables={"run": {"conditions": ["i2t"]}})
    path = without_items(setting)
    command = ("run", "--config", path, "--items", "builtin-ko", "--limit", "2", "--font")
    ended = await orchestrate(*command, "DejaVu Serif", folder=tmp_path)
    assert ended.code == 1
    assert "HANGUL SYLLABLE" in ended.err
    assert f'[carriers.image] font = "{HANGUL}"' in " ".join(ended.err.split())
    ended = await orchestrate(*command, str(HANGUL), folder=tmp_path)
    assert ended.code == 0, ended.err


async def test_a_voice_or_model_of_another_language_is_noted(tmp_path: Path, host: Serve) -> None:
    tts = Double(voices=(Voice("ann", "en-US"), Voice("bora", "ko")))
    setting = Setting(
        tmp_path,
        {"omni": [await host(Double(politely, languages=("en", "de")))]},
        tts=[await host(tts)],
        items=[
            {
                "id": "k",
                "task": "t",
                "language": "ko",
                "question": "수도는?",
                "answers": ["서울"],
                "answer_type": "entity",
            }
        ],
        tables={"run": {"conditions": ["s2t"]}, "carriers": {"speech": {"voices": ["ann", "bora"]}}},
    )
    await setting.execute(conditions=["s2t"])
    assert any("ann (en)" in note and "[carriers.speech]" in note for note in setting.notes)
    assert any("model omni" in note and "de, en" in note and "ko (1)" in note for note in setting.notes)
