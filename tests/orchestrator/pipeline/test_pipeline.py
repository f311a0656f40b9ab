"""The pipeline: models continue while the scorer is busy, up to a limit."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from omnigap_orchestrator.pipeline import pipeline
from omnigap_services.adapter import Turn
from tests.helpers.running import Setting, item, outcomes
from tests.helpers.served_doubles import PATIENCE_S, RATE, Double, Serve, say, sound

ITEMS = [item(f"country {number}") for number in range(12)]


def paris(turn: Turn) -> None:
    say(turn, "Paris")


class Gate:
    """A scorer that answers after it is opened."""

    def __init__(self) -> None:
        self.opened = threading.Event()

    def __call__(self, turn: Turn) -> None:
        assert self.opened.wait(PATIENCE_S)
        turn.write("Paris")


async def spoken(host: Serve, root: Path, gate: Gate) -> tuple[Setting, Double]:
    model = Double(paris)
    tables = {"run": {"conditions": ["t2s"]}}
    return Setting(root, {"omni": [await host(model)]}, [await host(Double(gate))], items=ITEMS, tables=tables), model


async def test_the_model_continues_while_the_scorer_is_busy(tmp_path: Path, host: Serve) -> None:
    gate = Gate()
    setting, model = await spoken(host, tmp_path, gate)
    run = asyncio.create_task(setting.execute())
    await model.until_asked(len(ITEMS))
    gate.opened.set()
    assert outcomes(await run) == {"answered": len(ITEMS)}


async def test_the_number_of_cells_waiting_for_the_scorer_is_limited(
    tmp_path: Path, host: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "MAX_IN_FLIGHT", 3)
    gate = Gate()
    setting, model = await spoken(host, tmp_path, gate)
    run = asyncio.create_task(setting.execute())
    await model.until_asked(3)
    # Without the limit, a fourth cell would have started by the time that the third answer is on disk.
    while len(list(setting.folder.media.rglob("*.wav"))) < 3:
        await asyncio.sleep(0.01)
    assert len(model.asked) == 3
    gate.opened.set()
    assert outcomes(await run) == {"answered": len(ITEMS)}


async def test_the_backlog_of_one_model_does_not_block_another(
    tmp_path: Path, host: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "MAX_IN_FLIGHT", 1)
    gate = Gate()
    setting, speech_model = await spoken(host, tmp_path, gate)
    text_model = Double(paris)
    setting.models = {**setting.models, "text": [await host(text_model)]}
    setting.tables = {"run": {"conditions": ["t2s", "t2t"]}}
    setting.conditions = {"omni": ["t2s"], "text": ["t2t"]}
    run = asyncio.create_task(setting.execute())
    await text_model.until_asked(len(ITEMS))
    assert len(speech_model.asked) < len(ITEMS)
    gate.opened.set()
    assert outcomes(await run) == {"answered": 2 * len(ITEMS)}


async def test_equal_audio_of_several_answers_is_transcribed_once(tmp_path: Path, host: Serve) -> None:
    def same_audio(turn: Turn) -> None:
        turn.write("Paris")
        turn.speak(sound("Paris"), RATE)

    scorer, tables = Double(lambda turn: turn.write("Paris")), {"run": {"conditions": ["t2s"]}}
    setting = Setting(
        tmp_path, {"omni": [await host(Double(same_audio))]}, [await host(scorer)], items=ITEMS, tables=tables
    )
    assert outcomes(await setting.execute()) == {"answered": len(ITEMS)}
    assert len(scorer.asked) == 1
