"""Results of a scorer or judge that the configuration no longer names never fill a run while the new one is away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from omnigap_orchestrator.fleet import Role
from omnigap_orchestrator.pipeline.context import Observer
from omnigap_orchestrator.pipeline.scope import RunScope
from omnigap_orchestrator.run import report, resume
from omnigap_services.adapter import Turn
from tests.helpers.running import Setting, Silent, outcomes
from tests.helpers.served_doubles import Double, Serve, say

NOWHERE = "127.0.0.1:1"
SPOKEN = {"run": {"conditions": ["t2t", "t2s"]}}


def paris(turn: Turn) -> None:
    say(turn, "Paris")


async def transcribed(root: Path, host: Serve) -> tuple[Setting, Double, Double]:
    """A complete run, its model and the scorer that transcribed it."""
    model, old = Double(paris), Double(paris)
    setting = Setting(root, {"omni": [await host(model)]}, [await host(old)], tables=SPOKEN)
    assert (await setting.drive())["complete"]
    return setting, model, old


async def test_transcripts_of_another_scorer_leave_cells_pending(tmp_path: Path, host: Serve) -> None:
    setting, model, old = await transcribed(tmp_path, host)
    away = replace(setting, scorer=[NOWHERE])
    summary = await away.drive()
    assert not summary["complete"]
    assert "3 pending of 6 cells" in summary["incomplete"]
    assert any("127.0.0.1:1" in note and "not used" in note for note in summary["notes"])
    table = away.table()
    assert outcomes(table, condition="t2s") == {"pending": 3}
    assert outcomes(table, condition="t2t") == {"answered": 3}
    assert table["asr_digest"].null_count() == 6
    # With its scorer back, nothing is asked again.
    asked = len(model.asked), len(old.asked)
    assert (await setting.drive())["complete"]
    assert (len(model.asked), len(old.asked)) == asked
    # With the new scorer, only that one is asked.
    new = Double(lambda turn: turn.write("Lyon"), settings={"weights": "other"})
    found = replace(setting, scorer=[await host(new)], accepts=frozenset({Role.SCORER}))
    assert (await found.drive())["complete"]
    assert len(new.asked) == 3
    assert set(found.table().filter(condition="t2s")["transcript"]) == {"Lyon"}


@pytest.mark.parametrize("narrowed", [{"conditions": ["t2t"]}, {"stages": ["generate"]}])
async def test_a_scorer_that_moved_keeps_its_results_also_in_a_command_without_transcripts(
    tmp_path: Path, host: Serve, narrowed: dict[str, list[str]]
) -> None:
    setting, _, old = await transcribed(tmp_path, host)
    moved = Double(paris)
    elsewhere = replace(setting, scorer=[await host(moved)])
    assert (await elsewhere.drive(**narrowed))["complete"]
    assert (await elsewhere.drive())["complete"]
    assert len(old.asked) == 3 and not moved.asked


async def test_results_that_were_not_used_are_used_once_the_scorer_is_reached(tmp_path: Path, host: Serve) -> None:
    setting, _, _ = await transcribed(tmp_path, host)
    elsewhere = replace(setting, scorer=[await host(Double(paris))])
    # It calls no service, so that it does not know whether the scorer is the same.
    assert not (await elsewhere.drive(stages=["score"]))["complete"]
    assert (await elsewhere.drive())["complete"]


@pytest.mark.parametrize("stages", ["score", "transcribe,score", "generate,score"])
async def test_commands_without_the_scorer_leave_cells_pending_too(tmp_path: Path, host: Serve, stages: str) -> None:
    setting, _, _ = await transcribed(tmp_path, host)
    await replace(setting, scorer=[NOWHERE]).drive()
    observer: Observer = Silent()
    summary = await resume(setting.folder, RunScope.parse((), (), stages.split(",")), observer)
    assert not summary.complete
    again = report(setting.folder, observer)
    assert not again.complete
    assert any("not used" in note for note in again.notes)


async def test_an_unavailable_scorer_that_transcribed_all_answers_leaves_a_run_complete(
    tmp_path: Path, host: Serve
) -> None:
    setting, _, _ = await transcribed(tmp_path, host)
    # The same configuration; its endpoints are found dead by taking the fleet out of the command.
    summary = await resume(setting.folder, RunScope.parse((), (), ["score"]), Silent())
    assert summary.complete
    assert summary.notes == ()


async def test_new_answers_wait_for_the_configured_scorer_too(tmp_path: Path, host: Serve) -> None:
    setting, model, _ = await transcribed(tmp_path, host)
    fresh = replace(setting, items=[*setting.items, {**setting.items[0], "id": "chile", "question": "Chile?"}])
    summary = await replace(fresh, scorer=[NOWHERE]).drive()
    assert "4 pending of 8 cells" in summary["incomplete"]
    assert len(model.asked) == 8
    assert (await fresh.drive())["complete"]


async def test_verdicts_of_another_judge_leave_cells_pending(tmp_path: Path, host: Serve) -> None:
    judge = await host(Double(lambda turn: turn.write("4")))
    model = await host(Double(paris))
    tables = {"run": {"conditions": ["t2t"]}, "judge": {"endpoints": [judge]}}
    items = [{**row, "answer_type": "open"} for row in Setting(tmp_path).items]
    setting = Setting(tmp_path, {"omni": [model]}, items=items, tables=tables)
    stages = ("generate", "transcribe", "judge", "score")
    assert (await setting.drive(stages=stages))["complete"]
    away = replace(setting, tables={**tables, "judge": {"endpoints": [NOWHERE]}})
    summary = await away.drive(stages=stages)
    assert "3 pending of 3 cells" in summary["incomplete"]
    assert any("judge" in note and "not used" in note for note in summary["notes"])
