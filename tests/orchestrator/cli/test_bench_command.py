"""`bench latency`: single questions on an idle service, their table, and who uses it."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import polars as pl

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_orchestrator.analysis.latency import IDLE_SCHEMA
from omnigap_orchestrator.pipeline.folder import RunFolder
from omnigap_orchestrator.pipeline.idle_latency import read_idle_answers
from omnigap_services.adapter import Turn
from tests.helpers.running import Ended, item, orchestrate, served_trio
from tests.helpers.served_doubles import Serve, say

EIGHT = tuple(item(place, task="capitals" if n % 2 else "towns") for n, place in enumerate("abcdefgh"))


async def bench(folder: RunFolder, *arguments: str) -> Ended:
    return await orchestrate("bench", "latency", "--run-dir", folder.root, *arguments, folder=folder.root.parent)


def keys_of_warnings(folder: RunFolder) -> list[str]:
    return [warning["key"] for warning in json.loads(folder.summary.read_text())["warnings"]]


async def test_questions_are_asked_again_and_one_at_a_time(tmp_path: Path, host: Serve) -> None:
    setting, model, scorer, _ = await served_trio(host, tmp_path, items=EIGHT)
    await setting.drive()
    folder, before, heard = setting.folder, len(model.asked), len(scorer.asked)
    assert "latency" in keys_of_warnings(folder)
    running, most, lock = 0, 0, threading.Lock()

    def answer(turn: Turn) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        say(turn, "Paris")
        with lock:
            running -= 1

    model.answer = answer
    ended = await bench(folder, "--items", "6", "--json")
    assert ended.code == 0, ended.err
    # In six conditions, six questions (a median takes as many) and one that is not counted.
    assert len(model.asked) - before == 6 * 7
    assert most == 1
    assert len(scorer.asked) == heard
    table = read_idle_answers(folder)
    assert table.schema == IDLE_SCHEMA
    assert dict(table.group_by("condition").len().iter_rows()) == dict.fromkeys(
        ("t2t", "s2t", "i2t", "t2s", "s2s", "i2s"), 6
    )
    result: dict[str, Any] = json.loads(ended.out)
    assert (result["asked"], result["unanswered"]) == (36, 0)
    measures = {(row["condition"], row["measure"]) for row in result["idle_latency"]}
    assert ("t2s", "audio_ttfp_s") in measures and ("t2t", "audio_ttfp_s") not in measures
    summary = json.loads(folder.summary.read_text())
    assert {row["n"] for row in summary["idle_latency"]} == {6}
    assert "latency" not in keys_of_warnings(folder)
    assert "one question at a time" in folder.report.read_text()


async def test_rows_of_another_condition_are_kept_and_a_failed_question_gives_exit_code_3(
    tmp_path: Path, host: Serve
) -> None:
    setting, model, _, _ = await served_trio(host, tmp_path, items=EIGHT)
    await setting.drive()
    folder = setting.folder
    assert (await bench(folder, "--items", "2", "--conditions", "t2t")).code == 0

    def fail(turn: Turn) -> None:
        turn.fail(ContractError(Reason.MODEL_ERROR, "no answer"))

    model.answer = fail
    ended = await bench(folder, "--items", "2", "--conditions", "s2t")
    assert ended.code == 3
    assert "no answer" in ended.err
    counts = read_idle_answers(folder).group_by("condition", "outcome").len().sort("condition").rows()
    assert counts == [("s2t", "failed", 2), ("t2t", "answered", 2)]


async def test_another_model_has_no_rows(tmp_path: Path, host: Serve) -> None:
    setting, *_ = await served_trio(host, tmp_path, items=EIGHT)
    await setting.drive()
    folder = setting.folder
    assert (await bench(folder, "--items", "1", "--conditions", "t2t")).code == 0
    results = pl.read_parquet(folder.results)
    assert read_idle_answers(folder, results).height == 1
    assert read_idle_answers(folder, results.with_columns(model_digest=pl.lit("other"))).is_empty()


async def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    ended = await bench(RunFolder(tmp_path / "nothing"))
    assert ended.code == 1
    assert "holds no run" in ended.err
    assert not (tmp_path / "nothing").exists()


async def test_times_that_an_answer_lacks_are_null_in_the_results(tmp_path: Path, host: Serve) -> None:
    setting, *_ = await served_trio(host, tmp_path, items=EIGHT)
    results = await setting.execute()
    typed, spoken = results.filter(output="text"), results.filter(output="speech")
    assert typed["audio_ttfp_s"].null_count() == typed.height
    assert (spoken["audio_ttfp_s"] > 0).all()
    assert (typed["ttft_s"] > 0).all()
