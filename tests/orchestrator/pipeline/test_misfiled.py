"""Rows that an earlier version stored under the key of another service are left out, named, and asked again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

from click.testing import CliRunner

from omnigap.v1 import model_service_pb2 as pb
from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.journal import AnswerRow, Journal, TranscriptRow, VerdictRow
from omnigap_orchestrator.run import report
from tests.helpers.running import Setting, Silent, item, outcomes
from tests.helpers.served_doubles import ServeWire, Wire, audio, complete, text

STAGES = ("generate", "transcribe", "judge", "score")
ITEMS = [item(str(n), answer_type="open", metric="judge", answers=[]) for n in range(3)]
Stored = AnswerRow | TranscriptRow | VerdictRow


def service(name: str, words: str = "Paris") -> Wire:
    def respond(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        yield text(words)
        if request.output == pb.MODALITY_SPEECH:
            yield audio(request.request_id)
        yield complete(wire.digest)

    wire = Wire(respond, digest=f"{name}-digest", name=name)
    return wire


async def finished(root: Path, host_wire: ServeWire) -> tuple[Setting, dict[str, Wire]]:
    """A finished run of three judged items as text and as speech, with two scorers."""
    wires = {name: service(name) for name in ("model", "scorer", "second")} | {"judge": service("judge", "4")}
    places = {name: [await host_wire(wire)] for name, wire in wires.items()}
    tables = {
        "run": {"conditions": ["t2t", "t2s"]},
        "judge": {"endpoints": places["judge"]},
        "second_scorer": {"endpoints": places["second"]},
    }
    setting = Setting(root, {"omni": places["model"]}, places["scorer"], items=ITEMS, tables=tables)
    assert (await setting.drive(stages=STAGES))["complete"]
    return setting, wires


def spoil(
    setting: Setting, kind: type[Stored], field: str, count: int, digest: str = "", found: str = "intruder"
) -> None:
    """Rewrites the digest of some rows, as an earlier version stored the answers of a replaced service."""
    journal = Journal(setting.folder.journal)
    assert field in {f.name for f in fields(kind)}
    rows = [row for row in journal.all(kind) if not digest or getattr(row, field) == digest]
    journal.write([replace(row, **{field: found}) for row in rows[:count]])
    journal.close()


async def doctor(setting: Setting) -> str:
    """The messages of `doctor` about stored results."""
    arguments = ["doctor", "--run-dir", str(setting.folder.root), "--json"]
    # In a thread, because the command starts its own event loop.
    result = await asyncio.to_thread(CliRunner().invoke, main, arguments)
    return "\n".join(each["message"] for each in json.loads(result.stdout) if each["check"] == "stored results")


async def rerun(setting: Setting, wires: dict[str, Wire]) -> dict[str, int]:
    """Runs again to the end; returns how often each service was asked."""
    before = {name: len(wire.asked) for name, wire in wires.items()}
    summary = await setting.drive(stages=STAGES)
    assert summary["complete"], summary["incomplete"]
    assert [warning for warning in summary["warnings"] if warning["key"] == "misfiled"] == []
    return {name: len(wire.asked) - before[name] for name, wire in wires.items()}


async def test_answers_of_another_service_are_open_named_and_asked_again(tmp_path: Path, host_wire: ServeWire) -> None:
    setting, wires = await finished(tmp_path, host_wire)
    spoil(setting, AnswerRow, "model_digest", 2)
    assert outcomes(setting.table()) == {"answered": 4, "pending": 2}
    assert set(setting.table()["model_digest"].drop_nulls()) == {"model-digest"}
    summary = report(setting.folder, Silent())
    (warning,) = [each for each in summary.warnings if each.key == "misfiled"]
    assert "answers of omni: 2 with the digest intruder instead of the digest model-digest" in warning.text
    assert warning.text.split(".")[0] in setting.folder.report.read_text(encoding="utf-8")
    assert not summary.complete
    assert "answers of omni: 2 with the digest intruder" in await doctor(setting)
    asked = await rerun(setting, wires)
    assert asked["model"] == 2
    assert outcomes(setting.table()) == {"answered": 6}
    assert "intruder" not in await doctor(setting)


async def test_answers_without_a_digest_are_open(tmp_path: Path, host_wire: ServeWire) -> None:
    setting, wires = await finished(tmp_path, host_wire)
    spoil(setting, AnswerRow, "model_digest", 6, found="")
    assert outcomes(setting.table()) == {"pending": 6}
    assert "answers of omni: 6 with no digest" in await doctor(setting)
    assert (await rerun(setting, wires))["model"] == 6


async def test_transcripts_of_another_scorer_are_made_again(tmp_path: Path, host_wire: ServeWire) -> None:
    setting, wires = await finished(tmp_path, host_wire)
    spoil(setting, TranscriptRow, "asr_digest", 2, "scorer-digest")
    assert outcomes(setting.table()) == {"answered": 4, "pending": 2}
    assert "transcripts of the ASR scorer: 2 with the digest intruder" in await doctor(setting)
    assert await rerun(setting, wires) == {"model": 0, "scorer": 2, "second": 0, "judge": 0}


async def test_transcripts_of_another_second_scorer_are_made_again(tmp_path: Path, host_wire: ServeWire) -> None:
    setting, wires = await finished(tmp_path, host_wire)
    spoil(setting, TranscriptRow, "asr_digest", 1, "second-digest")
    assert setting.table()["second_transcript"].drop_nulls().len() == 2
    assert "transcripts of the second scorer: 1 with the digest intruder" in await doctor(setting)
    assert await rerun(setting, wires) == {"model": 0, "scorer": 0, "second": 1, "judge": 0}


async def test_verdicts_of_another_judge_are_made_again(tmp_path: Path, host_wire: ServeWire) -> None:
    setting, wires = await finished(tmp_path, host_wire)
    spoil(setting, VerdictRow, "judge_digest", 1)
    # The text answer and the transcript of an item are equal, so they share the verdict.
    assert outcomes(setting.table()) == {"answered": 4, "pending": 2}
    assert "verdicts of the judge: 1 with the digest intruder" in await doctor(setting)
    assert await rerun(setting, wires) == {"model": 0, "scorer": 0, "second": 0, "judge": 1}


async def test_a_run_without_such_rows_has_no_warning(tmp_path: Path, host_wire: ServeWire) -> None:
    setting, wires = await finished(tmp_path, host_wire)
    assert [each.key for each in report(setting.folder, Silent()).warnings if each.key == "misfiled"] == []
    assert await doctor(setting) == ""
    assert await rerun(setting, wires) == dict.fromkeys(wires, 0)
