"""Time-outs and services that hang or refuse: cells stay pending with their reason, and the command ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_services.adapter import Turn
from tests.helpers.running import Setting, item, orchestrate, outcomes
from tests.helpers.served_doubles import PATIENCE_S, Double, Serve, ServeWire, Wire, plain, say

MANY = [item(f"place{number}") for number in range(12)]


def quick(*conditions: str, **more: object) -> dict[str, dict[str, Any]]:
    return {"run": {"conditions": list(conditions), "request_timeout_s": 0.3, **more}}


def refusing(reason: Reason, message: str) -> Wire:
    def refuse(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        raise ContractError(reason, message)
        yield

    return Wire(refuse)


async def test_a_time_out_leaves_its_cell_pending_and_goes_last_in_the_next_command(
    tmp_path: Path, host_wire: ServeWire
) -> None:
    class SlowForOne(Wire):
        async def Generate(self, request: pb.GenerateRequest, context: Any) -> Any:  # noqa: N802
            if "place0?" in request.parts[0].text and is_slow:
                await asyncio.sleep(3600)
            async for response in super().Generate(request, context):
                yield response

    is_slow = True
    wire = SlowForOne(plain, max_concurrent=1)
    setting = Setting(tmp_path, {"omni": [await host_wire(wire)]}, items=MANY, tables=quick("t2t"))
    summary = await setting.drive()
    table = setting.table()
    assert outcomes(table) == {"answered": 11, "pending": 1}
    (row,) = table.filter(item_id="place0").to_dicts()
    assert row["error_reason"] == "DEADLINE_EXCEEDED"
    assert "request_timeout_s" in row["error_message"]
    assert not summary["complete"]
    assert "1 pending of 12 cells" in summary["incomplete"] and "1 timed out" in summary["incomplete"]
    assert "request_timeout_s" in summary["incomplete"]
    is_slow = False
    wire.asked.clear()
    assert (await setting.drive())["complete"]
    assert outcomes(setting.table()) == {"answered": 12}
    assert [request.parts[0].text for request in wire.asked] == ["What is the capital of place0?"]


async def test_cells_that_timed_out_come_after_the_others(tmp_path: Path, host_wire: ServeWire) -> None:
    wire = Wire(plain, max_concurrent=1, delay_s=3600)
    setting = Setting(tmp_path, {"omni": [await host_wire(wire)]}, items=MANY, tables=quick("t2t"))
    table = await setting.execute()
    assert outcomes(table) == {"pending": 12}
    late = set(table.filter(error_reason="DEADLINE_EXCEEDED")["item_id"])
    assert 0 < len(late) < 12
    wire.delay_s = 0
    wire.asked.clear()
    assert outcomes(await setting.execute()) == {"answered": 12}
    last = [request.parts[0].text for request in wire.asked][-len(late) :]
    assert {text.split()[-1].rstrip("?") for text in last} == late


@pytest.mark.parametrize("hung", ["model", "scorer", "tts", "judge"])
async def test_a_command_ends_if_a_service_hangs(tmp_path: Path, host: Serve, host_wire: ServeWire, hung: str) -> None:
    places = {name: await host(Double(lambda turn: say(turn, "Paris"))) for name in ("model", "scorer", "tts", "judge")}
    places[hung] = await host_wire(Wire(plain, delay_s=3600))
    items = [item(f"place{number}", answer_type="open") for number in range(6)]
    tables = quick("t2t", "s2t", "t2s")
    if hung == "judge":
        tables["judge"] = {"endpoints": [places["judge"]]}
    setting = Setting(
        tmp_path, {"omni": [places["model"]]}, [places["scorer"]], [places["tts"]], items=items, tables=tables
    )
    async with asyncio.timeout(PATIENCE_S):
        table = await setting.execute(stages=("generate", "transcribe", "judge", "score"))
    assert outcomes(table)["pending"] >= 6
    assert "failed" not in outcomes(table)
    notes = [note for note in setting.notes if "did not answer" in note and "in a row" in note]
    assert len(notes) == 1, setting.notes


@pytest.mark.parametrize("reason", [Reason.BUSY, Reason.RATE_LIMITED, Reason.UPSTREAM_UNAVAILABLE])
async def test_a_command_ends_if_a_service_refuses_every_call(
    tmp_path: Path, host_wire: ServeWire, reason: Reason
) -> None:
    setting = Setting(
        tmp_path, {"omni": [await host_wire(refusing(reason, "come back later"))]}, items=MANY, tables=quick("t2t")
    )
    async with asyncio.timeout(PATIENCE_S):
        table = await setting.execute()
    assert outcomes(table) == {"pending": 12}
    (note,) = [note for note in setting.notes if "refused every call" in note]
    assert note.startswith("omni: ") and reason in note and "come back later" in note


async def test_no_credit_ends_the_command_at_the_first_call_with_exit_code_3(
    tmp_path: Path, host_wire: ServeWire
) -> None:
    wire = refusing(Reason.QUOTA_EXHAUSTED, "add credit at example.com")
    wire.max_concurrent = 1
    setting = Setting(tmp_path, {"omni": [await host_wire(wire)]}, items=MANY, tables=quick("t2t"))
    ended = await orchestrate("run", "-c", setting.write(), "-q", folder=tmp_path)
    assert ended.code == 3, ended.err
    assert "add credit at example.com" in ended.err
    assert "12 pending of 12 cells" in ended.out
    assert len(wire.asked) == 1


async def test_a_hung_model_ends_the_command_with_exit_code_3(tmp_path: Path, host_wire: ServeWire) -> None:
    wire = Wire(plain, delay_s=3600)
    setting = Setting(tmp_path, {"omni": [await host_wire(wire)]}, items=MANY, tables=quick("t2t"))
    ended = await orchestrate("run", "-c", setting.write(), "-q", folder=tmp_path)
    assert ended.code == 3, ended.err
    assert "omni: did not answer" in ended.err
    assert "timed out" in ended.out and "request_timeout_s" in ended.out


async def test_one_scorer_time_out_leaves_its_answer_pending(tmp_path: Path, host: Serve) -> None:
    def transcribe(turn: Turn) -> None:
        if slow:
            slow.pop()
            turn.fail(ContractError(Reason.DEADLINE_EXCEEDED, "the engine was silent"))
        else:
            say(turn, "Paris")

    slow = [True, True]
    model = Double(lambda turn: say(turn, "Paris"))
    setting = Setting(
        tmp_path,
        {"omni": [await host(model)]},
        [await host(Double(transcribe, max_concurrent=1))],
        items=[item("peru")],
        tables=quick("t2s", request_timeout_s=30),
    )
    table = await setting.execute()
    assert outcomes(table) == {"pending": 1}
    assert table["error_message"].to_list() == ["the engine was silent"]
    assert outcomes(await setting.execute()) == {"answered": 1}
    assert len(model.asked) == 1


async def test_absent_services_are_waited_for_together(tmp_path: Path, host_wire: ServeWire) -> None:
    models = {f"gone{number}": [f"127.0.0.1:{number}"] for number in range(1, 9)}
    models["omni"] = [await host_wire(Wire(plain))]
    setting = Setting(tmp_path, models, items=[item("peru")], tables=quick("t2t", patience_s=1.5))
    loop = asyncio.get_running_loop()
    started = loop.time()
    table = await setting.execute()
    # One after the other, they would take eight times the patience.
    assert loop.time() - started < 8 * 1.5
    assert outcomes(table.filter(pl.col("model") == "omni")) == {"answered": 1}
    away = [note.split()[1] for note in setting.notes if "is unavailable" in note]
    assert away == [name for name in models if name != "omni"]
