"""The pipeline: models go on while the scorer is busy, but no further than a bound."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from running import Setting, item, outcomes
from served_doubles import PATIENCE_S, RATE, Double, Serve, say, sound

from omnigap_orchestrator.pipeline import pipeline
from omnigap_orchestrator.pipeline.context import in_thread
from omnigap_services.adapter import Turn

ITEMS = [item(f"country {number}") for number in range(12)]


def paris(turn: Turn) -> None:
    say(turn, "Paris")


class Gate:
    """A scorer that answers once it is opened."""

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
    # A fourth question would have been asked by the time that the third answer is on disk.
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
    setting, speaker = await spoken(host, tmp_path, gate)
    writer = Double(paris)
    setting.models = {**setting.models, "writer": [await host(writer)]}
    setting.tables = {"run": {"conditions": ["t2s", "t2t"]}}
    setting.conditions = {"omni": ["t2s"], "writer": ["t2t"]}
    run = asyncio.create_task(setting.execute())
    await writer.until_asked(len(ITEMS))
    assert len(speaker.asked) < len(ITEMS)
    gate.opened.set()
    assert outcomes(await run) == {"answered": 2 * len(ITEMS)}


async def test_equal_audio_of_several_answers_is_transcribed_once(tmp_path: Path, host: Serve) -> None:
    def alike(turn: Turn) -> None:
        turn.write("Paris")
        turn.speak(sound("Paris"), RATE)

    ear, tables = Double(lambda turn: turn.write("Paris")), {"run": {"conditions": ["t2s"]}}
    setting = Setting(tmp_path, {"omni": [await host(Double(alike))]}, [await host(ear)], items=ITEMS, tables=tables)
    assert outcomes(await setting.execute()) == {"answered": len(ITEMS)}
    assert len(ear.asked) == 1


async def test_in_thread_waits_for_its_thread_when_cancelled() -> None:
    began, release, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        assert release.wait(PATIENCE_S)
        ended.set()

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(began.wait, PATIENCE_S)
    task.cancel()
    asyncio.get_running_loop().call_later(0.05, release.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
