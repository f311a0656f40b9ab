"""A run with all controls of a model with known losses: each step of the waterfall is exact."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from omnigap.media import AudioClip, encode_pcm16
from omnigap.vocabulary import Modality
from omnigap_orchestrator.config.sections import ASR_PROMPT
from omnigap_services.adapter import Turn
from tests.helpers.running import Setting, item
from tests.helpers.served_doubles import RATE, Double, Serve, identity, spoken

ITEMS = 40
UNKNOWN = range(4)
MISTRANSCRIBED = range(4, 12)
ANSWERED_ANYWAY = (4,)
LOST_WHEN_SPOKEN = range(12, 14)
WORDED_DIFFERENTLY = range(14, 18)
UNCLEAR_SPEECH = range(18, 20)
UNSTABLE = 20
GUESS = "answer 30"
"""The items that the model fails, by stage; it answers blanks with the same guess each time."""


class Services:
    """TTS, model and ASR doubles that share the text of each clip."""

    def __init__(self) -> None:
        self.said: dict[bytes, str] = {}
        self.asked: Counter[str] = Counter()

    def read_aloud(self, turn: Turn) -> None:
        (text,) = turn.request.texts
        self.speak(turn, text, text)

    def speak(self, turn: Turn, text: str, meaning: str) -> None:
        samples = spoken(text, turn.request)
        self.said[encode_pcm16(samples)] = meaning
        turn.write(text)
        turn.speak(samples, RATE)

    def answer(self, turn: Turn) -> None:
        request = turn.request
        self.asked[identity(request)] += 1
        carrier = request.carrier
        if not isinstance(carrier, AudioClip):
            number = _number(str(carrier))
            self.reply(turn, number, None if number in UNKNOWN else number)
            return
        number = _number(self.said.get(encode_pcm16(carrier.samples), ""))
        if request.parts[-1] == ASR_PROMPT:
            turn.write(
                "" if number is None else f"What is question {'' if number in MISTRANSCRIBED else f'number {number}'}?"
            )
            return
        lost = number in UNKNOWN or number in LOST_WHEN_SPOKEN
        lost = lost or (number in MISTRANSCRIBED and number not in ANSWERED_ANYWAY)
        lost = lost or (number == UNSTABLE and request.output is Modality.TEXT and self.asked[identity(request)] > 1)
        self.reply(turn, number, None if lost else number)

    def reply(self, turn: Turn, asked: int | None, known: int | None) -> None:
        text = f"answer {known}" if known is not None else GUESS if asked is None else "no idea"
        if turn.request.output is Modality.TEXT:
            turn.write(text)
            return
        if asked in WORDED_DIFFERENTLY:
            text = "that is hard to say"
        self.speak(turn, text, "mumble" if asked in UNCLEAR_SPEECH else text)

    def transcribe(self, turn: Turn) -> None:
        assert isinstance(turn.request.carrier, AudioClip)
        turn.write(self.said[encode_pcm16(turn.request.carrier.samples)])


def _number(text: str) -> int | None:
    found = re.search(r"number (\d+)", text)
    return int(found[1]) if found else None


@pytest.fixture
async def ran(tmp_path: Path, host: Serve) -> tuple[Setting, dict[str, Any]]:
    """A complete run, output files included."""
    services = Services()
    questions = [
        item(f"q{n:02}", question=f"What is question number {n}?", answers=[f"answer {n}"], answer_type="phrase")
        for n in range(ITEMS)
    ]
    run = {"conditions": ["t2t", "s2t", "t2s", "s2s"], "controls": ["two-pass", "blank", "repeat"]}
    setting = Setting(
        tmp_path,
        {"omni": [await host(Double(services.answer))]},
        [await host(Double(services.transcribe))],
        [await host(Double(services.read_aloud))],
        items=questions,
        tables={"run": run},
    )
    return setting, await setting.drive()


async def test_known_losses_are_attributed_to_steps_exactly(ran: tuple[Setting, dict[str, Any]]) -> None:
    _, summary = ran
    assert summary["complete"]
    steps = {(r["condition"], r["step"]): r["estimate"] for r in summary["waterfall"]}
    expected = {
        ("s2t", "perception"): -8,
        ("s2t", "input_reasoning"): +1 - 2,
        ("s2s", "perception"): -8,
        ("s2s", "input_reasoning"): +1 - 2,
        ("s2s", "output_mode"): -4,
        ("s2s", "synthesis_and_asr"): -2,
        ("t2s", "output_mode"): -4,
        ("t2s", "synthesis_and_asr"): -2,
    }
    gaps = {("s2t", "gap"): -9, ("s2s", "gap"): -15, ("t2s", "gap"): -6}
    assert {place: round(estimate * ITEMS, 9) for place, estimate in steps.items()} == {**expected, **gaps}
    for condition in ("s2t", "s2s", "t2s"):
        parts = [estimate for (name, step), estimate in steps.items() if name == condition and step != "gap"]
        assert sum(parts) == pytest.approx(steps[condition, "gap"], abs=1e-14)
    assert {row["n"] for row in summary["waterfall"]} == {ITEMS}
    assert all(row["low"] <= row["estimate"] <= row["high"] for row in summary["waterfall"])


async def test_blank_controls_measure_guessing_and_repeat_controls_flips(ran: tuple[Setting, dict[str, Any]]) -> None:
    _, summary = ran
    assert {row["condition"]: row["estimate"] for row in summary["blank"]} == dict.fromkeys(
        ("t2t", "s2t", "t2s", "s2s"), pytest.approx(1 / ITEMS)
    )
    real = {row["condition"]: row["accuracy"] for row in summary["blank"]}
    assert real["t2t"] == pytest.approx(36 / ITEMS)
    assert real["s2s"] == pytest.approx(21 / ITEMS)
    changed = {row["condition"]: (row["changed"], row["drift"]) for row in summary["repeat"]}
    assert changed.pop("s2t") == (pytest.approx(1 / ITEMS), pytest.approx(-1 / ITEMS))
    assert set(changed.values()) == {(0.0, 0.0)}


async def test_first_passes_are_in_the_table_and_in_the_report(
    ran: tuple[Setting, dict[str, Any]],
) -> None:
    setting, summary = ran
    table = pl.read_parquet(setting.folder.controls)
    first_passes = dict(table.filter(control="two-pass").select("item_id", "first_pass").iter_rows())
    assert first_passes["q00"] == "What is question number 0?"
    assert first_passes["q05"] == "What is question ?"
    (row,) = summary["first_passes"]
    assert (row["condition"], row["written"], row["empty"]) == ("s2t", ITEMS, 0)
    assert row["exact"] == pytest.approx(1 - len(MISTRANSCRIBED) / ITEMS)
    assert row["wer_errors"] == 2 * len(MISTRANSCRIBED)
    page = setting.folder.report.read_text()
    for section in ("waterfall", "controls"):
        assert f'id="{section}"' in page
    assert ASR_PROMPT in page
    counts = Counter(row["control"] for row in summary["controls"])
    assert counts == {"two-pass": 1, "blank": 4, "repeat": 4}


async def test_without_controls_neither_table_nor_report_mentions_them(
    ran: tuple[Setting, dict[str, Any]],
) -> None:
    setting, with_controls = ran
    setting.tables = {"run": {"conditions": ["t2t", "s2t", "t2s", "s2s"]}}
    summary = await setting.drive()
    assert not setting.folder.controls.exists()
    assert 'id="controls"' not in setting.folder.report.read_text()
    assert summary["controls"] == summary["blank"] == summary["repeat"] == []
    assert summary["accuracy"] == with_controls["accuracy"]
    assert {row["step"] for row in summary["waterfall"]} == {"input", "output_mode", "synthesis_and_asr", "gap"}
