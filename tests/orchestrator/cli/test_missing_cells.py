"""Below an incomplete run, the terminal and --json show the error of its missing cells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from tests.helpers.running import Setting, item, orchestrate, outcomes
from tests.helpers.served_doubles import ServeWire, Wire, complete, plain, text

ITEMS = [item(name) for name in "abcdef"]


def failing(reason: Reason, message: str, *names: str) -> Wire:
    """Fails for the questions about these places."""

    def respond(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        if any(f"of {name}?" in request.parts[0].text for name in names):
            raise ContractError(reason, message)
        yield from plain(request)

    return Wire(respond, digest="-".join(names))


def study(root: Path, models: dict[str, str], **run: object) -> Setting:
    tables = {"run": {"conditions": ["t2t"], "max_retries": 0, **run}}
    return Setting(root, {name: [place] for name, place in models.items()}, items=ITEMS, tables=tables)


async def test_the_commonest_reason_is_printed_with_its_count_and_message(tmp_path: Path, host_wire: ServeWire) -> None:
    model = await host_wire(failing(Reason.MODEL_ERROR, "out of\nluck", "a", "b"))
    config = study(tmp_path, {"omni": model}).write()
    ended = await orchestrate("run", "-c", config, folder=tmp_path)
    assert ended.code == 3
    assert "\n2 of 6 cells failed: 2 x MODEL_ERROR: " in ended.out and "luck" in ended.out
    ended = await orchestrate("report", "--run-dir", tmp_path / "runs/test", "--json", folder=tmp_path)
    (missing,) = json.loads(ended.out)["missing"]
    assert {key: missing[key] for key in ("model", "kind", "outcome", "cells", "planned")} == {
        "model": "omni",
        "kind": "cells",
        "outcome": "failed",
        "cells": 2,
        "planned": 6,
    }
    (reason,) = missing["reasons"]
    assert (reason["reason"], reason["cells"]) == ("MODEL_ERROR", 2)


async def test_cells_left_pending_by_an_error_are_counted_per_model(tmp_path: Path, host_wire: ServeWire) -> None:
    changed = "TTS service at espeak:50061: it has another digest"
    one = await host_wire(failing(Reason.UPSTREAM_UNAVAILABLE, changed, "a"))
    two = await host_wire(failing(Reason.MODEL_ERROR, "broken", "a", "b", "c"))
    config = study(tmp_path, {"one": one, "two": two}, patience_s=5).write()
    ended = await orchestrate("run", "-c", config, folder=tmp_path)
    assert ended.code == 3
    assert f"1 of 6 cells of one are pending after an error: 1 x UPSTREAM_UNAVAILABLE: {changed}" in ended.out
    assert "3 of 6 cells of two failed: 3 x MODEL_ERROR: broken" in ended.out


async def test_a_complete_run_names_no_errors(tmp_path: Path, host_wire: ServeWire) -> None:
    config = study(tmp_path, {"omni": await host_wire(Wire(plain))}).write()
    ended = await orchestrate("run", "-c", config, folder=tmp_path)
    assert ended.code == 0 and "failed" not in ended.out


async def test_failed_control_cells_have_their_reason_too(tmp_path: Path, host_wire: ServeWire) -> None:
    def respond(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        if "___" in request.parts[0].text:
            raise ContractError(Reason.MODEL_ERROR, "nothing to answer")
        yield from plain(request)

    setting = study(tmp_path, {"omni": await host_wire(Wire(respond))}, controls=["blank"])
    ended = await orchestrate("run", "-c", setting.write(), folder=tmp_path)
    assert ended.code == 3
    assert "6 of 6 control cells failed: 6 x MODEL_ERROR: nothing to answer" in ended.out


async def test_a_model_that_comes_back_with_another_digest_is_named_and_asked_again(
    tmp_path: Path, host_wire: ServeWire
) -> None:
    def respond(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        # Its part changed after two answers: it ends, and is started again with a new digest.
        if len(model.asked) > 2 and model.digest == "old":
            model.digest = "new"
        if request.expected_digest != model.digest:
            raise ContractError(Reason.DIGEST_MISMATCH, f"this service has digest {model.digest}")
        yield text("Paris")
        yield complete(model.digest)

    model = Wire(respond, digest="old", max_concurrent=1)
    setting = study(tmp_path, {"omni": await host_wire(model)})
    config = setting.write()
    ended = await orchestrate("run", "-c", config, folder=tmp_path)
    assert ended.code == 3
    assert "changed since the plan was made" in ended.err and "stay pending" in ended.err
    assert outcomes(setting.table()) == {"answered": 2, "pending": 4}
    ended = await orchestrate("run", "-c", config, folder=tmp_path)
    assert ended.code == 0
    assert "model omni (old… -> new…)" in ended.err and "2 of 6 cells are generated again" in ended.err
    assert set(setting.table()["model_digest"]) == {"new"}


async def test_a_service_that_calls_itself_outdated_is_noted_once(tmp_path: Path, host_wire: ServeWire) -> None:
    model = Wire(plain, outdated="its options file changed")
    setting = study(tmp_path, {"omni": await host_wire(model)})
    ended = await orchestrate("run", "-c", setting.write(), folder=tmp_path)
    assert ended.code == 0
    assert ended.err.count("its options file changed") == 1 and model.address in ended.err
    ended = await orchestrate("doctor", "-c", setting.write(), folder=tmp_path)
    assert ended.code == 0, ended.out
    assert "warning" in ended.out and "its options file changed" in ended.out
