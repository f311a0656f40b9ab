"""Services that fail, violate the contract, become unavailable or change: the outcomes of their cells."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import CONDITIONS, Modality, Reason, Support
from omnigap_orchestrator.pool import ServiceError
from omnigap_services.adapter import NATIVE, Capability, Turn
from tests.helpers.running import Setting, item, outcomes
from tests.helpers.served_doubles import RATE, Double, Serve, ServeWire, Wire, audio, complete, plain, say, text

NOWHERE = "127.0.0.1:1"


def paris(turn: Turn) -> None:
    say(turn, "Paris")


def only(*conditions: str, **more: object) -> dict[str, dict[str, object]]:
    return {"run": {"conditions": list(conditions), **more}}


def asks_about(request: pb.GenerateRequest, place: str) -> bool:
    return request.parts[0].text == f"What is the capital of {place}?"


async def test_a_stream_without_complete_fails_only_its_cell(tmp_path: Path, host_wire: ServeWire) -> None:
    def cut_off(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        if asks_about(request, "peru"):
            yield text("Par")
        else:
            yield from plain(request)

    setting = Setting(tmp_path, {"omni": [await host_wire(Wire(cut_off))]}, tables=only("t2t"))
    table = await setting.execute()
    assert outcomes(table) == {"answered": 2, "failed": 1}
    (row,) = table.filter(item_id="peru").to_dicts()
    assert row["error_reason"] == "INCOMPLETE_STREAM"
    assert "complete" in row["error_message"]
    assert row["score"] is row["own_text"] is None


async def test_audio_in_a_text_answer_fails_the_cell(tmp_path: Path, host_wire: ServeWire) -> None:
    def with_audio(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        yield text("Paris")
        yield audio("Paris")
        yield complete()

    setting = Setting(tmp_path, {"omni": [await host_wire(Wire(with_audio))]}, tables=only("t2t", "t2s"))
    table = await setting.execute()
    assert outcomes(table, output="text") == {"failed": 3}
    assert set(table.filter(output="text")["error_reason"]) == {"MODEL_ERROR"}
    assert outcomes(table, output="speech") == {"pending": 3}


async def test_a_speech_answer_with_empty_audio_is_flagged_silent_and_scored_as_empty(
    tmp_path: Path, host: Serve
) -> None:
    def mute(turn: Turn) -> None:
        turn.write("Paris")
        turn.speak(np.zeros(0, np.float32), RATE)

    scorer = Double(paris)
    setting = Setting(tmp_path, {"omni": [await host(Double(mute))]}, [await host(scorer)], tables=only("t2s"))
    table = await setting.execute()
    assert outcomes(table) == {"answered": 3}
    for row in table.iter_rows(named=True):
        assert (row["answer_used"], row["score"], row["own_text_score"]) == ("", 0.0, 1.0)
        assert "silent" in row["flags"]
        assert row["output_media"] is row["transcript"] is None
    assert scorer.asked == []


async def test_an_empty_transcript_is_not_a_failure(tmp_path: Path, host: Serve) -> None:
    scorer = Double(lambda turn: None)
    setting = Setting(tmp_path, {"omni": [await host(Double(paris))]}, [await host(scorer)], tables=only("t2s"))
    table = await setting.execute()
    assert outcomes(table) == {"answered": 3}
    for row in table.iter_rows(named=True):
        assert (row["transcript"], row["answer_used"], row["score"]) == ("", "", 0.0)
        assert "silent" in row["flags"]


async def test_a_failed_transcription_is_retried_without_calling_the_model(tmp_path: Path, host: Serve) -> None:
    failing = True

    def transcribe(turn: Turn) -> None:
        if failing:
            turn.fail(ContractError(Reason.OUT_OF_MEMORY, "the clip does not fit"))
        else:
            paris(turn)

    model = Double(paris)
    setting = Setting(
        tmp_path, {"omni": [await host(model)]}, [await host(Double(transcribe))], tables=only("t2t", "t2s")
    )
    table = await setting.execute()
    assert outcomes(table) == {"answered": 3, "failed": 3}
    failed = table.filter(outcome="failed")
    assert set(failed["error_reason"]) == {"OUT_OF_MEMORY"}
    assert set(failed["own_text"]) == {"Paris"}
    failing = False
    assert outcomes(await setting.execute()) == {"answered": 6}
    assert len(model.asked) == 6


@pytest.mark.parametrize("unavailable", ["model", "scorer", "tts"])
async def test_cells_of_an_unavailable_service_stay_pending_until_it_answers(
    tmp_path: Path, host: Serve, unavailable: str
) -> None:
    model, scorer, tts = await host(Double(paris)), await host(Double(paris)), await host(Double())
    setting = Setting(tmp_path, {"omni": [model]}, [scorer], [tts], [item("peru")])
    match unavailable:
        case "model":
            setting.models, waiting = {"omni": [NOWHERE]}, pl.lit(True)
        case "scorer":
            setting.scorer, waiting = [NOWHERE], pl.col("output") == "speech"
        case _:
            setting.tts, waiting = [NOWHERE], pl.col("input") == "speech"
    table = await setting.execute()
    assert set(table.filter(waiting)["outcome"]) == {"pending"}
    assert set(table.filter(~waiting)["outcome"]) <= {"answered"}
    assert any("127.0.0.1:1" in note for note in setting.notes)
    setting.models, setting.scorer, setting.tts = {"omni": [model]}, [scorer], [tts]
    assert outcomes(await setting.execute()) == {"answered": 6}


async def test_failed_speech_synthesis_fails_its_cells_with_the_reason(tmp_path: Path, host: Serve) -> None:
    failing = True

    def speak(turn: Turn) -> None:
        if "peru" in turn.request.texts[0] and failing:
            turn.fail(ContractError(Reason.BAD_REQUEST, "no such word"))
        elif "spain" not in turn.request.texts[0] or not failing:
            say(turn, "read")

    model = Double(paris)
    setting = Setting(
        tmp_path, {"omni": [await host(model)]}, (), [await host(Double(speak))], tables=only("t2t", "s2t")
    )
    table = await setting.execute()
    assert outcomes(table, condition="t2t") == {"answered": 3}
    assert outcomes(table, condition="s2t") == {"answered": 1, "failed": 2}
    failed = {row["item_id"]: row for row in table.filter(outcome="failed").iter_rows(named=True)}
    assert failed["peru"]["error_reason"] == "BAD_REQUEST"
    assert failed["peru"]["error_message"].endswith("no such word")
    assert failed["spain"]["error_reason"] == "MODEL_ERROR"
    failing = False
    assert outcomes(await setting.execute()) == {"answered": 6}
    assert len(model.asked) == 6


async def test_unsupported_conditions_are_reported_and_not_requested(tmp_path: Path, host: Serve) -> None:
    supported = {c: NATIVE for c in CONDITIONS if c.output is Modality.TEXT and c.input is not Modality.SPEECH}
    supported |= {
        c: Capability(Support.UNSUPPORTED, "text input only") for c in CONDITIONS if c.input is Modality.SPEECH
    }
    model = Double(paris, conditions=supported)
    table = await Setting(tmp_path, {"omni": [await host(model)]}, (), [await host(Double())]).execute()
    assert len(model.asked) == 6
    assert outcomes(table) == {"answered": 6, "unsupported": 12}
    assert set(table.filter(input="speech")["error_message"]) == {"text input only"}
    assert set(table.filter(outcome="unsupported")["support"]) == {"unsupported"}


async def test_calls_to_a_service_that_restarts_are_retried(tmp_path: Path, host_wire: ServeWire) -> None:
    wire = Wire(plain, delay_s=3600)
    tables = only("t2t", "i2t", patience_s=60)
    setting = Setting(tmp_path, {"omni": [await host_wire(wire)]}, tables=tables)
    run = asyncio.create_task(setting.execute())
    await wire.until_asked(4)
    await wire.stop()
    wire.delay_s = 0
    await wire.start()
    assert outcomes(await run) == {"answered": 6}


async def test_cells_of_a_service_that_is_gone_stay_pending_and_resume(tmp_path: Path, host_wire: ServeWire) -> None:
    wire = Wire(plain, max_concurrent=1)
    setting = Setting(tmp_path, {"omni": [await host_wire(wire)]}, tables=only("t2t", "i2t"))

    def die_at_the_third(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        if len(wire.asked) == 3:
            wire.delay_s = 3600
            stopping.append(asyncio.get_running_loop().create_task(wire.stop()))
            raise ContractError(Reason.TRANSPORT, "gone")
        yield from plain(request)

    stopping: list[asyncio.Task[None]] = []
    wire.respond = die_at_the_third
    table = await setting.execute()
    assert outcomes(table) == {"answered": 2, "pending": 4}
    assert sum("omni" in note and "stay pending" in note for note in setting.notes) == 1
    await asyncio.gather(*stopping)
    wire.respond, wire.delay_s = plain, 0.0
    await wire.start()
    assert outcomes(await setting.execute()) == {"answered": 6}
    assert len({request.request_id for request in wire.asked}) == 6


async def test_a_digest_that_changes_during_a_run_leaves_the_rest_pending(tmp_path: Path, host_wire: ServeWire) -> None:
    def strict(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        if len(wire.asked) == 3:
            wire.digest = "new"
        if request.expected_digest != wire.digest:
            raise ContractError(Reason.DIGEST_MISMATCH, f"the digest is {wire.digest}")
        yield from plain(request)

    wire = Wire(strict, max_concurrent=1)
    setting = Setting(tmp_path, {"omni": [await host_wire(wire)]}, tables=only("t2t", "i2t"))
    table = await setting.execute()
    assert outcomes(table) == {"answered": 2, "pending": 4}
    assert any("the digest is new" in note for note in setting.notes)
    table = await setting.execute()
    assert outcomes(table) == {"answered": 6}
    assert set(table["model_digest"]) == {"new"}


async def test_replicas_with_different_digests_stop_the_run(tmp_path: Path, host_wire: ServeWire) -> None:
    replicas = [await host_wire(Wire(plain, digest=digest)) for digest in ("one", "two")]
    with pytest.raises(ServiceError, match="omni"):
        await Setting(tmp_path, {"omni": replicas}, tables=only("t2t")).execute()


async def test_silent_audio_is_flagged_even_if_the_scorer_returns_words(tmp_path: Path, host: Serve) -> None:
    def silence(turn: Turn) -> None:
        turn.write("Paris")
        turn.speak([0.0] * RATE, RATE)

    setting = Setting(
        tmp_path, {"omni": [await host(Double(silence))]}, [await host(Double(paris))], tables=only("t2s")
    )
    table = await setting.execute()
    assert all("silent" in flags for flags in table["flags"])
