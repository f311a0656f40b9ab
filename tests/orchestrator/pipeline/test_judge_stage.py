"""The judge stage against served judges: scores, failures, unparsable replies, and judging again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_orchestrator.config import load_config
from omnigap_orchestrator.fleet import Role
from omnigap_orchestrator.judge import RubricError
from omnigap_orchestrator.pipeline.scope import RunScope
from omnigap_orchestrator.preflight import PreflightError
from omnigap_orchestrator.run import Changes, report, resume, run
from omnigap_services.adapter import Turn
from tests.helpers.running import Setting, Silent, item, outcomes
from tests.helpers.served_doubles import Double, Serve, ServeWire, Wire, complete, say, text

OPEN = [item(name, answer_type="open", metric="judge", answers=[]) for name in ("france", "peru")]
STAGES = ("generate", "transcribe", "judge", "score")


def paris(turn: Turn) -> None:
    say(turn, "Paris, of course")


def mistranscribed(turn: Turn) -> None:
    turn.write("Paris, of curse")


def judge_of(*verdicts: str) -> Wire:
    """A judge that gives these replies in turn, and then repeats the last one."""
    left = list(verdicts)

    def respond(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        yield text(left.pop(0) if len(left) > 1 else left[0])
        yield complete(request.expected_digest)

    return Wire(respond, digest="judge-digest", name="judge")


async def setting(
    root: Path, host: Serve, address: str | None, *, conditions: tuple[str, ...] = ("t2t",), **fields: object
) -> tuple[Setting, Double]:
    model, scorer = Double(paris), Double(mistranscribed)
    table = {} if address is None else {"judge": {"endpoints": [address], **fields.pop("judge", {})}}  # type: ignore[dict-item]
    places = {"models": {"omni": [await host(model)]}, "scorer": [await host(scorer)], "tts": [await host(Double())]}
    run = {"conditions": list(conditions)}
    made = Setting(root, items=fields.pop("items", OPEN), tables={"run": run, **table}, **places, **fields)  # type: ignore[arg-type]
    return made, model


async def test_a_judged_answer_is_scored_by_its_rating(tmp_path: Path, host: Serve, host_wire: ServeWire) -> None:
    judge = judge_of("4")
    made, _ = await setting(tmp_path, host, await host_wire(judge))
    table = await made.execute(stages=STAGES)
    assert outcomes(table) == {"answered": 2}
    assert table["score"].to_list() == [0.75, 0.75]
    assert table["metric"].unique().to_list() == ["judge"]
    assert table["judge_rating"].to_list() == [4, 4]
    assert table["judge_digest"].unique().to_list() == ["judge-digest"]
    request = judge.asked[0]
    assert "Paris, of course" in request.parts[0].text and "capital of" in request.parts[0].text
    assert request.decoding.temperature == 0 and request.decoding.HasField("temperature")
    assert request.output == pb.MODALITY_TEXT and request.system_prompt


async def test_transcript_and_own_text_of_a_speech_answer_are_both_judged(
    tmp_path: Path, host: Serve, host_wire: ServeWire
) -> None:
    def respond(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        yield text("2" if "of curse" in request.parts[0].text else "5")
        yield complete(request.expected_digest)

    made, _ = await setting(
        tmp_path, host, await host_wire(Wire(respond, digest="j")), conditions=("t2t", "t2s"), items=OPEN[:1]
    )
    table = await made.execute(stages=STAGES)
    spoken = table.filter(pl.col("condition") == "t2s").row(0, named=True)
    assert (spoken["score"], spoken["own_text_score"], spoken["judge_rating"]) == (0.25, 1.0, 2)
    assert spoken["wer_errors"] == 1
    # The text answer equals the own text of the speech answer, so it is judged once.
    assert table.filter(pl.col("condition") == "t2t")["score"].to_list() == [1.0]


async def test_equal_answers_to_one_question_are_judged_once(tmp_path: Path, host: Serve, host_wire: ServeWire) -> None:
    judge = judge_of("3")
    made, _ = await setting(tmp_path, host, await host_wire(judge), conditions=("t2t", "s2t", "i2t"), items=OPEN[:1])
    table = await made.execute(stages=STAGES)
    assert outcomes(table) == {"answered": 3}
    assert len(judge.asked) == 1


async def test_a_reply_without_a_verdict_fails_the_cell_and_is_retried_by_the_next_command(
    tmp_path: Path, host: Serve, host_wire: ServeWire
) -> None:
    judge = judge_of("What a lovely answer! I would say 3, or maybe 4.")
    made, model = await setting(tmp_path, host, await host_wire(judge))
    table = await made.execute(stages=STAGES)
    assert outcomes(table) == {"failed": 2}
    assert table["score"].null_count() == 2
    assert table["error_reason"].unique().to_list() == ["UNREADABLE_VERDICT"]
    message = table["error_message"][0]
    assert "What a lovely answer" in message and "1 to 5" in message and "helpful" in message
    assert len(judge.asked) == 4, "two attempts per answer"
    assert len({request.request_id for request in judge.asked}) == 4
    asked = len(model.asked)
    judge.respond = judge_of("5").respond
    table = await made.execute(stages=STAGES)
    assert outcomes(table) == {"answered": 2}
    assert len(model.asked) == asked
    ids = [request.request_id for request in judge.asked]
    assert len(ids) == len(set(ids)) == 6, "an ID of the earlier command would replay its reply"


async def test_a_second_attempt_at_a_verdict_is_made(tmp_path: Path, host: Serve, host_wire: ServeWire) -> None:
    made, _ = await setting(tmp_path, host, await host_wire(judge_of("Well...", "4")), items=OPEN[:1])
    assert (await made.execute(stages=STAGES))["score"].to_list() == [0.75]


async def test_a_failed_call_of_the_judge_fails_the_cell_with_its_reason(
    tmp_path: Path, host: Serve, host_wire: ServeWire
) -> None:
    def respond(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        if "peru" in request.parts[0].text:
            raise ContractError(Reason.TOO_LARGE, "too long for me")
        yield text("5")
        yield complete(request.expected_digest)

    made, _ = await setting(tmp_path, host, await host_wire(Wire(respond, digest="j")))
    table = await made.execute(stages=STAGES)
    lost = table.filter(pl.col("item_id") == "peru").row(0, named=True)
    assert (lost["outcome"], lost["error_reason"], lost["error_message"]) == ("failed", "TOO_LARGE", "too long for me")
    assert lost["own_text"] == "Paris, of course"
    assert outcomes(table) == {"answered": 1, "failed": 1}


async def test_a_temporary_fault_of_the_judge_is_retried(tmp_path: Path, host: Serve, host_wire: ServeWire) -> None:
    def respond(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        if len(judge.asked) == 1:
            raise ContractError(Reason.MODEL_ERROR, "hiccup")
        yield text("5")
        yield complete(request.expected_digest)

    judge = Wire(respond, digest="j", max_concurrent=1)
    made, _ = await setting(tmp_path, host, await host_wire(judge), items=OPEN[:1])
    assert outcomes(await made.execute(stages=STAGES)) == {"answered": 1}


async def test_a_judge_that_dies_leaves_cells_pending_and_the_run_resumes(
    tmp_path: Path, host: Serve, host_wire: ServeWire
) -> None:
    def respond(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        yield text("5")
        yield complete(request.expected_digest)

    judge = Wire(respond, digest="j", max_concurrent=1, delay_s=0.05)
    items = [item(f"place{n}", answer_type="open", metric="judge", answers=[]) for n in range(6)]
    made, model = await setting(tmp_path, host, await host_wire(judge), items=items)
    execution = asyncio.ensure_future(made.execute(stages=STAGES))
    await judge.until_asked(2)
    await judge.stop()
    table = await execution
    counts = outcomes(table)
    assert counts["pending"] >= 4 and set(counts) <= {"answered", "pending"}
    assert any("judge" in note for note in made.notes)
    asked = len(model.asked)
    await judge.start()
    assert outcomes(await made.execute(stages=STAGES)) == {"answered": 6}
    assert len(model.asked) == asked


async def test_cells_without_an_available_judge_stay_pending_with_a_note(tmp_path: Path, host: Serve) -> None:
    made, _ = await setting(tmp_path / "none", host, None)
    observer = Silent()
    await run(made.config(), made.load_items(), made.folder, RunScope.parse((), (), STAGES), observer)
    assert outcomes(made.table()) == {"pending": 2}
    assert any("2 items" in note and "[judge]" in note for note in observer.notes)
    unavailable, _ = await setting(tmp_path / "unavailable", host, "127.0.0.1:9")
    assert outcomes(await unavailable.execute(stages=STAGES)) == {"pending": 2}
    assert any("127.0.0.1:9" in note for note in unavailable.notes)


async def test_without_the_judge_stage_nothing_is_judged(tmp_path: Path, host: Serve, host_wire: ServeWire) -> None:
    judge = judge_of("5")
    made, _ = await setting(tmp_path, host, await host_wire(judge))
    assert outcomes(await made.execute(stages=("generate", "score"))) == {"pending": 2}
    assert not judge.asked
    assert any("--stages" in note for note in made.notes)


async def test_an_empty_answer_scores_zero_without_calling_the_judge(
    tmp_path: Path, host: Serve, host_wire: ServeWire
) -> None:
    judge = judge_of("5")
    made, model = await setting(tmp_path, host, await host_wire(judge))
    model.answer = lambda turn: None
    table = await made.execute(stages=STAGES)
    assert table["score"].to_list() == [0, 0]
    # Without a rating, the mean rating would leave out the worst answers, while the mean score includes them.
    assert table["judge_rating"].to_list() == [1, 1]
    assert not judge.asked


async def test_another_rubric_judges_again_without_calling_a_model(
    tmp_path: Path, host: Serve, host_wire: ServeWire
) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("Rate {question} {answer}")
    judge = judge_of("4")
    made, model = await setting(tmp_path, host, await host_wire(judge), judge={"rubric": "mine.txt"})
    summary = await made.drive(stages=STAGES)
    assert summary["complete"] and len(judge.asked) == 2
    await again(made)
    assert len(judge.asked) == 2, "nothing changed, so nothing is judged"
    mine.write_text("Rate strictly {question} {answer}")
    judge.respond = judge_of("2").respond
    old = report(made.folder, Silent()).to_json()
    assert old["complete"], "until they are judged again, scores of the old rubric are reported"
    await again(made)
    assert len(judge.asked) == 4 and judge.asked[-1].parts[0].text.startswith("Rate strictly What")
    assert made.table()["score"].to_list() == [0.25, 0.25]
    await again(made, rubric="helpful")
    assert len(judge.asked) == 6
    assert len(model.asked) == 2


async def again(made: Setting, **rubrics: str) -> None:
    """`omnigap-orchestrate score`."""
    await resume(made.folder, RunScope.parse((), (), ("judge", "score")), Silent(), Changes(rubrics=rubrics))


async def test_another_judge_judges_again(tmp_path: Path, host: Serve, host_wire: ServeWire) -> None:
    judge = judge_of("4")
    made, _ = await setting(tmp_path, host, await host_wire(judge))
    await made.execute(stages=STAGES)
    made.accepts = frozenset({Role.JUDGE})
    judge.digest = "another"
    judge.respond = judge_of("1").respond
    table = await made.execute(stages=STAGES)
    assert table["score"].to_list() == [0, 0]
    assert len(judge.asked) == 4
    (note,) = (note for note in made.notes if "judge-… -> anothe…" in note)
    assert "2 stored answers" in note
    # The verdicts of the first judge are stored, so it is not called again.
    made.notes.clear()
    judge.digest = "judge-digest"
    table = await made.execute(stages=STAGES)
    assert table["score"].to_list() == [0.75, 0.75]
    assert len(judge.asked) == 4
    assert not any("stored answers" in note for note in made.notes)


async def test_votes_have_different_seeds_and_are_averaged(tmp_path: Path, host: Serve, host_wire: ServeWire) -> None:
    judge = judge_of("3", "4", "5")
    judge.max_concurrent = 1
    options = {"votes": 3, "decoding": {"temperature": 0.5, "seed": 7}}
    made, _ = await setting(tmp_path, host, await host_wire(judge), items=OPEN[:1], judge=options)
    table = await made.execute(stages=STAGES)
    assert (table["judge_rating"][0], table["score"][0]) == (4, 0.75)
    assert sorted(request.decoding.seed for request in judge.asked) == [7, 8, 9]


async def test_only_open_items_are_judged(tmp_path: Path, host: Serve, host_wire: ServeWire) -> None:
    judge = judge_of("Yes")
    items = [item("france"), item("peru", answer_type="open")]
    made, _ = await setting(tmp_path, host, await host_wire(judge), items=items, judge={"reference_rubric": "agrees"})
    table = await made.execute(stages=STAGES)
    assert table.sort("item_id")["metric"].to_list() == ["containment", "judge"]
    assert table["score"].to_list() == [1, 1]
    assert table["judge_rating"].null_count() == 2
    assert len(judge.asked) == 1


async def test_report_and_methods_name_judge_and_rubric(tmp_path: Path, host: Serve, host_wire: ServeWire) -> None:
    made, _ = await setting(tmp_path, host, await host_wire(judge_of("4")))
    await made.drive(stages=STAGES)
    page = made.folder.report.read_text(encoding="utf-8")
    assert "helpful" in page and "judge-digest" in page
    manifest = made.folder.manifest.read_text(encoding="utf-8")
    assert "[services.judge]" in manifest and "judge-digest" in manifest
    summary = json.loads(made.folder.summary.read_text(encoding="utf-8"))
    assert summary["accuracy"][0]["estimate"] == 0.75


async def test_a_judge_without_t2t_support_is_refused(tmp_path: Path, host: Serve) -> None:
    judge = Double(conditions={})
    made, _ = await setting(tmp_path, host, await host(judge))
    with pytest.raises(PreflightError, match=r"double.*t2t"):
        await made.execute(stages=STAGES)


async def test_a_missing_rubric_stops_the_run_before_any_call(
    tmp_path: Path, host: Serve, host_wire: ServeWire
) -> None:
    made, model = await setting(tmp_path, host, await host_wire(judge_of("4")), judge={"rubric": "gone.toml"})
    with pytest.raises(RubricError, match=r"gone\.toml"):
        await made.execute(stages=STAGES)
    assert not model.asked


async def test_a_judge_can_be_started_by_the_fleet(tmp_path: Path) -> None:
    """The service echo returns the prompt, which is not a verdict: the cell has failed and is not wrong."""
    services = {"omni": {"service": "echo"}, "critic": {"service": "echo", "role": "judge"}}
    made = Setting(
        tmp_path,
        items=OPEN[:1],
        tables={"run": {"conditions": ["t2t"]}, "judge": {}, "fleet": {"kind": "embedded", "services": services}},
    )
    summary = await made.drive(stages=STAGES)
    assert not summary["complete"]
    assert made.table()["error_reason"].to_list() == ["UNREADABLE_VERDICT"]
    assert load_config(made.write()).judge is not None


async def test_equal_answers_under_different_instructions_are_judged_separately(
    tmp_path: Path, host: Serve, host_wire: ServeWire
) -> None:
    def respond(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        yield text("2" if "one word" in request.parts[0].text else "4")
        yield complete(request.expected_digest)

    items = [OPEN[0], {**OPEN[0], "id": "short", "instruction": "Answer in one word."}]
    made, _ = await setting(tmp_path, host, await host_wire(Wire(respond, name="judge")), items=items)
    table = await made.execute(stages=STAGES)
    assert table.sort("item_id")["score"].to_list() == [0.75, 0.25]
    assert table.sort("item_id")["judge_rating"].to_list() == [4, 2]
