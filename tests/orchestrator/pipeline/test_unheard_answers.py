"""Answers that lack what was asked for: speech without audio, empty texts; failed or flagged, never a silent zero."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from omnigap.errors import NO_AUDIO
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import FinishReason, Modality
from omnigap_orchestrator.cli.run import print_result
from omnigap_orchestrator.export.summary import Summary
from omnigap_services.adapter import Completion, Turn
from omnigap_services.asr.adapter import AsrAdapter
from omnigap_services.openai_server.adapter import OpenaiAdapter
from tests.helpers.chat_server import MODEL, ChatServer, choice, completion, sending
from tests.helpers.running import Setting, item, outcomes
from tests.helpers.served_doubles import Double, Serve, ServeWire, Wire, complete, plain, say, text

BOTH = {"run": {"conditions": ["t2t", "t2s"]}}


def text_only(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
    """The service of someone else, which never speaks."""
    yield text("Paris")
    yield complete()


def paris(turn: Turn) -> None:
    say(turn, "Paris")


async def test_a_foreign_service_that_never_speaks_fails_its_speech_cells(
    tmp_path: Path, host: Serve, host_wire: ServeWire
) -> None:
    models = {"omni": [await host_wire(Wire(text_only))]}
    setting = Setting(tmp_path, models, [await host(Double(paris))], tables=BOTH)
    table = await setting.execute()
    assert outcomes(table, condition="t2t") == {"answered": 3}
    assert outcomes(table, condition="t2s") == {"failed": 3}
    for row in table.filter(condition="t2s").iter_rows(named=True):
        assert row["error_reason"] == "MODEL_ERROR"
        assert NO_AUDIO in row["error_message"]
        assert row["score"] is row["own_text"] is None


async def test_a_chat_server_that_never_speaks_gives_one_line_in_terminal_and_report(
    tmp_path: Path, host: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    server = ChatServer()
    server.then(*[sending(completion(choice("Paris.")))] * 60)
    try:
        options = {"base_url": server.url, "model": MODEL, "max_retries": 0}
        models = {"fake": [await host(OpenaiAdapter(options))]}
        setting = Setting(tmp_path, models, [await host(Double(paris))], tables=BOTH)
        summary = await setting.drive()
    finally:
        server.close()
    (note,) = summary["notes"]
    assert note.startswith("fake: no answer in t2s has audio (3 failed calls)")
    assert "preset" in note
    assert "speech_modalities" in note
    assert not summary["complete"]
    assert setting.table().filter(condition="t2s")["score"].null_count() == 3
    assert "no answer in t2s has audio" in setting.folder.report.read_text()
    print_result(Summary.read(setting.folder.summary), setting.folder, as_json=False)
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.count("no answer in t2s has audio") == 1
    print_result(Summary.read(setting.folder.summary), setting.folder, as_json=True)
    assert json.loads(capsys.readouterr().out)["notes"] == [note]


async def test_one_answer_with_audio_is_enough_for_no_note(tmp_path: Path, host_wire: ServeWire, host: Serve) -> None:
    def mostly_mute(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        yield from plain(request) if "peru" in request.parts[0].text else text_only(request)

    models = {"omni": [await host_wire(Wire(mostly_mute))]}
    summary = await Setting(tmp_path, models, [await host(Double(paris))], tables=BOTH).drive()
    assert summary["notes"] == []


async def test_an_empty_text_is_asked_once_more_then_it_is_the_flagged_answer(tmp_path: Path, host: Serve) -> None:
    model = Double(lambda turn: turn.write(" \n"))
    setting = Setting(tmp_path, {"omni": [await host(model)]}, tables={"run": {"conditions": ["t2t"]}})
    summary = await setting.drive()
    assert len(model.asked) == 6
    assert summary["complete"]
    for row in setting.table().iter_rows(named=True):
        assert (row["outcome"], row["score"]) == ("answered", 0.0)
        assert "empty" in row["flags"]
    (note,) = summary["notes"]
    assert note.startswith("omni: 3 of 3 answers in t2t are empty (flag `empty`)")
    await setting.drive()
    assert len(model.asked) == 6, "it is not asked again by later commands"


async def test_an_empty_text_of_an_overloaded_server_is_replaced(tmp_path: Path, host: Serve) -> None:
    seen: set[str] = set()

    def empty_at_first(turn: Turn) -> None:
        question = turn.request.texts[0]
        if question in seen:
            turn.write("Paris")
        seen.add(question)

    model = Double(empty_at_first)
    table = await Setting(tmp_path, {"omni": [await host(model)]}, tables={"run": {"conditions": ["t2t"]}}).execute()
    assert set(table["score"]) == {1.0}
    assert not any(table["flags"].list.len())


@pytest.mark.parametrize("finish", [FinishReason.LENGTH, FinishReason.REFUSED])
async def test_an_empty_text_with_another_end_is_asked_once(tmp_path: Path, host: Serve, finish: FinishReason) -> None:
    model = Double(lambda turn: turn.complete(Completion(finish_reason=finish)))
    table = await Setting(tmp_path, {"omni": [await host(model)]}, tables={"run": {"conditions": ["t2t"]}}).execute()
    assert len(model.asked) == 3
    assert all("empty" in flags and len(flags) > 1 for flags in table["flags"])


async def test_without_retries_an_empty_text_is_asked_once(tmp_path: Path, host: Serve) -> None:
    model = Double(lambda turn: None)
    tables = {"run": {"conditions": ["t2t"], "max_retries": 0}}
    table = await Setting(tmp_path, {"omni": [await host(model)]}, tables=tables).execute()
    assert len(model.asked) == 3
    assert all("empty" in flags for flags in table["flags"])


async def test_a_spoken_refusal_without_audio_is_an_answer(tmp_path: Path, host: Serve) -> None:
    def refuse(turn: Turn) -> None:
        turn.write("I can't help with that.")
        turn.complete(Completion(finish_reason=FinishReason.REFUSED))

    setting = Setting(tmp_path, {"omni": [await host(Double(refuse))]}, tables={"run": {"conditions": ["t2s"]}})
    table = await setting.execute()
    assert outcomes(table) == {"answered": 3}
    assert all({"refused", "silent"} <= set(flags) for flags in table["flags"])


async def test_quiet_speech_and_speech_before_silence_are_heard_by_the_shipped_scorer(
    tmp_path: Path, host: Serve
) -> None:
    def speak(turn: Turn) -> None:
        from omnigap_services.espeak import library

        samples = library.synthesise("Paris.")
        turn.write("Paris.")
        if turn.request.output is Modality.SPEECH:
            # Far below the level of silence (RMS 0.001), and heard all the same.
            quiet = 0.004 * samples / abs(samples).max()
            padded = [*samples, *[0.0] * (35 * library.SAMPLE_RATE)]
            turn.speak(quiet if "france" in turn.request.texts[0] else padded, library.SAMPLE_RATE)

    model = await host(Double(speak))
    items = [item("france", metric="exact"), item("peru", metric="exact")]
    setting = Setting(tmp_path, {"omni": [model]}, [await host(AsrAdapter({}))], items=items, tables=BOTH)
    table = await setting.execute()
    for row in table.iter_rows(named=True):
        assert (row["score"], row["flags"]) == (1.0, []), row["transcript"]
