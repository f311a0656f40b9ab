"""A run over services that lie: exactly their cells fail, no answer is stored as that of another service."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import status_pb2

from omnigap.convert import modality_to_proto
from omnigap.media.audio import PCM
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import CONDITIONS
from omnigap_orchestrator.journal import AnswerRow, Journal, TranscriptRow, VerdictRow
from tests.helpers.raw_service import RawService, Script
from tests.helpers.running import Setting, item, orchestrate, outcomes
from tests.helpers.served_doubles import RATE, ServeWire, Wire, audio, complete, plain, text

DIGEST = "d" * 64
HUGE = 2**32 - 1
INFO = "type.googleapis.com/google.rpc.ErrorInfo"


def delta(**content: object) -> bytes:
    return pb.GenerateResponse(delta=pb.Delta(**content)).SerializeToString()  # type: ignore[arg-type]


def done(**fields: object) -> bytes:
    values = {"finish_reason": pb.FINISH_REASON_STOP, "digest": DIGEST, **fields}
    return pb.GenerateResponse(complete=pb.Complete(**values)).SerializeToString()  # type: ignore[arg-type]


def sound(data: bytes = b"\1\0" * 100, rate: int = RATE) -> bytes:
    return delta(audio=pb.Audio(data=data, mime_type=PCM, sample_rate_hz=rate, channels=1))


TEXT, SOUND, GOOD = delta(text="Paris"), sound(), done()
GARBAGE = [("grpc-status-details-bin", b"\xff\xff\xff")]
CLAIMS = status_pb2.Status(details=[any_pb2.Any(type_url=INFO, value=b"\xff\xff")]).SerializeToString()

SPOKEN_LIES = {
    "a rate that wave cannot write": Script([TEXT, sound(rate=HUGE), GOOD]),
    "NaN timing": Script([TEXT, SOUND, done(timings=pb.Timings(compute_s=math.nan))]),
    "infinite timing": Script([TEXT, SOUND, done(timings=pb.Timings(queue_s=math.inf))]),
    "NaN usage": Script([TEXT, SOUND, done(usage=pb.Usage(output_audio_seconds=math.nan))]),
    "NaN diagnostic": Script([TEXT, SOUND, done(diagnostics={"avg_logprob": math.nan})]),
    "unknown finish reason": Script([TEXT, SOUND, done(finish_reason=99)]),
    "no message": Script([TEXT, b"\xff\xff\xff", SOUND, GOOD]),
    "no UTF-8": Script([b"\n\x03\n\x01\xff", SOUND, GOOD]),
    "no event": Script([TEXT, b"", SOUND, GOOD]),
    "malformed details": Script([TEXT], grpc.StatusCode.INTERNAL, "broken", GARBAGE),
    "details that only claim their type": Script([], grpc.StatusCode.INTERNAL, "x", [(GARBAGE[0][0], CLAIMS)]),
    "cancelled by the service": Script([TEXT], grpc.StatusCode.CANCELLED, "gone"),
    "a long message with escapes": Script([], grpc.StatusCode.UNKNOWN, "\x1b[2J" + "x" * 3_000),
    "200 MB of audio": Script([TEXT, *[sound(bytes(1_000_000))] * 200, GOOD]),
    "one message of 70 MB": Script([sound(bytes(70_000_000)), GOOD]),
    "endless text": Script([delta(text="a" * 100_000)] * 30 + [SOUND, GOOD]),
}


@pytest.fixture
async def model() -> AsyncIterator[RawService]:
    able = [
        pb.Capability(input=modality_to_proto(c.input), output=modality_to_proto(c.output), support=pb.SUPPORT_NATIVE)
        for c in CONDITIONS
    ]
    card = pb.DescribeResponse(name="raw", digest=DIGEST, conditions=able, max_concurrent=4)
    service = RawService(describe=Script([card.SerializeToString()]))
    await service.start()
    yield service
    await service.stop()


def lying(asked: list[str], lie: Script) -> Callable[[bytes], Script]:
    """Lies about Spain; records the questions of all calls."""

    def respond(request: bytes) -> Script:
        asked.append(pb.GenerateRequest.FromString(request).parts[0].text)
        return lie if "spain" in asked[-1] else Script([TEXT, SOUND, GOOD])

    return respond


@pytest.mark.parametrize("lie", SPOKEN_LIES.values(), ids=SPOKEN_LIES)
async def test_a_bad_answer_fails_only_its_cell_and_is_asked_again_by_the_next_command(
    tmp_path: Path, model: RawService, host_wire: ServeWire, lie: Script
) -> None:
    asked: list[str] = []
    model.respond = lying(asked, lie)
    scorer = await host_wire(Wire(plain, digest="s"))
    run = {"conditions": ["t2s"], "max_retries": 0}
    setting = Setting(tmp_path, {"raw": [model.address]}, [scorer], tables={"run": run})
    table = await setting.execute()
    assert outcomes(table, item_id="spain") == {"failed": 1}
    assert outcomes(table) == {"failed": 1, "answered": 2}
    (row,) = table.filter(item_id="spain").to_dicts()
    assert row["error_reason"] in {"MODEL_ERROR", "TOO_LARGE", "CANCELLED"}
    assert row["error_message"].isprintable() and len(row["error_message"]) < 1_200
    assert len(asked) == 3
    await setting.execute()
    assert [question for question in asked[3:] if "spain" not in question] == []
    assert len(asked) == 4
    model.respond = lying(asked, Script([TEXT, SOUND, GOOD]))
    assert outcomes(await setting.execute()) == {"answered": 3}
    assert len(asked) == 5


async def test_the_command_ends_with_exit_code_3(tmp_path: Path, model: RawService, host_wire: ServeWire) -> None:
    lies = iter([Script([b"\xff\xff"]), Script([TEXT, sound(rate=HUGE), GOOD]), Script([TEXT], None)])
    good = Script([TEXT, SOUND, GOOD])
    model.respond = lambda request: next(lies, good)
    scorer = await host_wire(Wire(plain, digest="s"))
    run = {"conditions": ["t2s"], "max_retries": 0}
    items = [item(name) for name in ("a", "b", "c", "d", "e")]
    setting = Setting(tmp_path, {"raw": [model.address]}, [scorer], items=items, tables={"run": run})
    path = setting.write()
    ended = await orchestrate("run", "-c", path, folder=tmp_path)
    assert ended.code == 3, ended.err
    assert "Traceback" not in ended.err
    assert outcomes(setting.table()) == {"answered": 2, "failed": 3}
    assert (await orchestrate("run", "-c", path, folder=tmp_path)).code == 0


async def test_a_bad_card_leaves_the_cells_pending_and_is_named(tmp_path: Path, model: RawService) -> None:
    card = pb.DescribeResponse.FromString(model.describe.messages[0])
    card.conditions[0].support = 77  # type: ignore[assignment]
    model.describe = Script([card.SerializeToString()])
    setting = Setting(tmp_path, {"raw": [model.address]}, tables={"run": {"conditions": ["t2t"]}})
    assert outcomes(await setting.execute()) == {"pending": 3}
    assert any("conditions[0]" in note and model.address in note for note in setting.notes)


def answers(request: pb.GenerateRequest, wire: Wire, digest: str) -> Iterator[pb.GenerateResponse]:
    yield text("4" if wire.name == "judge" else "Paris")
    if request.output == pb.MODALITY_SPEECH:
        yield audio(str(len(wire.asked)))
    yield complete(digest)


def swapped_after(count: int, name: str) -> Wire:
    """A service that another one replaces on its port after some answers; the new one ignores `expected_digest`."""

    def respond(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        return answers(request, wire, wire.digest if len(wire.asked) <= count else "new")

    wire = Wire(respond, name=name, digest=f"old {name}", max_concurrent=1)
    return wire


STAGES = ("generate", "transcribe", "judge", "score")
ITEMS = [item(str(n), answer_type="open", metric="judge", answers=[]) for n in range(6)]


ROLES = ("model", "scorer", "tts", "judge", "second_scorer")


@pytest.mark.parametrize("role", ROLES)
async def test_a_service_that_is_replaced_during_the_run_is_never_stored_as_the_old_one(
    tmp_path: Path, host_wire: ServeWire, role: str
) -> None:
    wires = {name: swapped_after(4 if name == role else 1_000, name) for name in ROLES}
    places = {name: [await host_wire(wire)] for name, wire in wires.items()}
    tables = {
        "run": {"conditions": ["t2t", "s2s"]},
        "judge": {"endpoints": places["judge"]},
        "second_scorer": {"endpoints": places["second_scorer"]},
    }
    setting = Setting(tmp_path, {"m": places["model"]}, places["scorer"], places["tts"], items=ITEMS, tables=tables)
    summary = await setting.drive(stages=STAGES)
    assert len(wires[role].asked) > 4
    assert summary["complete"] is (role == "second_scorer")
    journal = Journal(setting.folder.journal)
    assert {row.model_digest for row in journal.all(AnswerRow)} == {"old model"}
    assert {row.asr_digest for row in journal.all(TranscriptRow)} <= {"old scorer", "old second_scorer"}
    assert {row.judge_digest for row in journal.all(VerdictRow)} <= {"old judge"}
    journal.close()
    table = setting.table()
    assert set(table["outcome"]) <= {"answered", "pending"}
    if role == "second_scorer":
        assert table["second_transcript"].drop_nulls().len() == 4
        return
    # The old service is back: only what is missing is asked.
    wires[role].respond = lambda request: answers(request, wires[role], wires[role].digest)
    summary = await setting.drive(stages=STAGES)
    assert summary["complete"], summary["incomplete"]
