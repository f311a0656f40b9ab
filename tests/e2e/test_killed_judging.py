"""kill -9 while judging, and a judge that dies during a run: stored verdicts are not requested again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from omnigap.v1 import model_service_pb2 as pb
from omnigap_orchestrator.journal import Journal, VerdictRow
from tests.helpers.running import Orchestrator, Setting, item, orchestrate, outcomes, without_times
from tests.helpers.served_doubles import ServeWire, Wire, complete, plain, text

ITEMS = [
    item(name, answer_type="open", metric="judge", answers=[]) for name in ("france", "spain", "peru", "chad", "laos")
]
CONDITIONS = ["t2t", "t2s", "s2s"]


def rated(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
    """A rating of 1 to 5 that depends only on the prompt."""
    digest = hashlib.sha256(request.parts[0].text.encode()).digest()
    yield text(str(digest[0] % 5 + 1))
    yield complete(request.expected_digest)


async def test_a_run_killed_while_judging_has_the_results_of_an_uninterrupted_one(
    tmp_path: Path, host_wire: ServeWire
) -> None:
    model, scorer, tts = (Wire(plain, digest=name) for name in ("model", "scorer", "tts"))
    judge = Wire(rated, digest="judge", delay_s=0.03, max_concurrent=1)
    places = ({"omni": [await host_wire(model)]}, [await host_wire(scorer)], [await host_wire(tts)])
    tables = {"run": {"conditions": CONDITIONS}, "judge": {"endpoints": [await host_wire(judge)]}}
    calm, killed = (Setting(tmp_path / name, *places, items=ITEMS, tables=tables) for name in ("calm", "killed"))
    undisturbed = await calm.execute(stages=("generate", "transcribe", "judge", "score"))
    assert outcomes(undisturbed) == {"answered": 15}
    # One text to judge in a text answer, two in a speech answer.
    assert len(judge.asked) == 25

    config = killed.write()
    for count in (4, 11):
        before = len(judge.asked)
        run = await Orchestrator.start("run", "--config", config, folder=killed.root)
        await judge.until_asked(before + count)
        await run.kill()
    kept = verdicts(killed)
    assert 5 < len(kept) < 25
    before, asked = len(judge.asked), len(model.asked)
    last = await orchestrate("run", "--config", config, folder=killed.root)
    assert last.code == 0, last.err
    judged_since = {request.request_id.split("-")[1] for request in judge.asked[before:]}
    assert judged_since and not judged_since & kept, "judged again although its verdict was journalled"
    assert len(model.asked) - asked <= 15
    assert without_times(pl.read_parquet(killed.folder.results)).equals(without_times(undisturbed))
    assert kept <= verdicts(killed)


def verdicts(setting: Setting) -> set[str]:
    journal = Journal(setting.folder.journal)
    try:
        return {row.key for row in journal.all(VerdictRow)}
    finally:
        journal.close()


async def test_a_judge_that_dies_ends_with_exit_code_3_and_the_run_resumes(
    tmp_path: Path, host_wire: ServeWire
) -> None:
    model, judge = Wire(plain), Wire(rated, digest="judge", delay_s=0.05, max_concurrent=1)
    tables = {"run": {"conditions": ["t2t"]}, "judge": {"endpoints": [await host_wire(judge)]}}
    setting = Setting(tmp_path, {"omni": [await host_wire(model)]}, items=ITEMS, tables=tables)
    config = setting.write()
    run = await Orchestrator.start("run", "--config", config, folder=tmp_path)
    await judge.until_asked(2)
    await judge.stop()
    ended = await run.end()
    assert ended.code == 3, ended.err
    assert "judge" in ended.err and "pending" in ended.out + ended.err
    await judge.start()
    again = await orchestrate("score", "--run-dir", "runs/test", folder=tmp_path)
    assert again.code == 0, again.err
    assert outcomes(pl.read_parquet(setting.folder.results)) == {"answered": 5}
    assert len(model.asked) == 5


async def test_score_judges_again_with_another_rubric(tmp_path: Path, host_wire: ServeWire) -> None:
    model, judge = Wire(plain), Wire(rated, digest="judge")
    tables = {"run": {"conditions": ["t2t"]}, "judge": {"endpoints": [await host_wire(judge)]}}
    setting = Setting(tmp_path, {"omni": [await host_wire(model)]}, items=ITEMS, tables=tables)
    first = await orchestrate("run", "--config", setting.write(), folder=tmp_path)
    assert first.code == 0, first.err
    (tmp_path / "mine.txt").write_text("Rate this: {answer}")
    again = await orchestrate("score", "--run-dir", "runs/test", "--rubric", "mine.txt", folder=tmp_path)
    assert again.code == 0, again.err
    assert len(judge.asked) == 10
    assert judge.asked[-1].parts[0].text.startswith("Rate this: ")
    wrong = await orchestrate("score", "--run-dir", "runs/test", "--rubric", "mine", folder=tmp_path)
    assert wrong.code == 1
    assert "rubric" in wrong.err and "helpful" in wrong.err
