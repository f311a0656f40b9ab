"""A judge behind the shipped openai service, started by the embedded fleet, in front of a chat server."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tests.helpers.chat_server import MODEL, ChatServer, choice, completion, sending
from tests.helpers.running import Setting, item, orchestrate, outcomes
from tests.helpers.served_doubles import ServeWire, Wire, plain

ITEMS = [item(name, answer_type="open", metric="judge", answers=[]) for name in ("france", "peru")]


async def test_open_answers_are_judged_by_a_chat_model(tmp_path: Path, host_wire: ServeWire) -> None:
    server = ChatServer()
    try:
        server.then(*(sending(completion(choice("4"))) for _ in range(12)))
        services = {
            "critic": {
                "service": "openai",
                "role": "judge",
                "options": {"base_url": server.url, "model": MODEL},
            }
        }
        tables = {"run": {"conditions": ["t2t"]}, "judge": {}, "fleet": {"services": services}}
        setting = Setting(tmp_path, {"omni": [await host_wire(Wire(plain))]}, items=ITEMS, tables=tables)
        config = setting.write()
        found = await orchestrate("doctor", "--config", config, folder=tmp_path)
        assert "2 items" in found.out and "helpful" in found.out and "graded" in found.out
        done = await orchestrate("run", "--config", config, folder=tmp_path)
        assert done.code == 0, done.err
    finally:
        server.close()
    table = pl.read_parquet(setting.folder.results)
    assert outcomes(table) == {"answered": 2}
    assert table["judge_rating"].to_list() == [4, 4]
    asked = [request.body for request in server.asked if "capital of" in str(request.body)]
    assert len(asked) == 2
    assert all(body["temperature"] == 0 for body in asked)
