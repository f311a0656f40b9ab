"""Ctrl-C ends a run cleanly, and the same command resumes it."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.helpers.running import Orchestrator, Setting, orchestrate
from tests.helpers.served_doubles import ServeWire, Wire, plain


async def test_ctrl_c_ends_cleanly_and_the_run_resumes(tmp_path: Path, host_wire: ServeWire) -> None:
    model = Wire(plain, delay_s=0.05, max_concurrent=1)
    address = await host_wire(model)
    services = {"tts": {"service": "echo", "role": "tts"}, "asr": {"service": "echo", "role": "scorer"}}
    setting = Setting(tmp_path, {"omni": [address]}, tables={"fleet": {"services": services}})
    config = setting.write()
    run = await Orchestrator.start("run", "--config", config, folder=tmp_path)
    await model.until_asked(3)
    children = run.children()
    assert len(children) == 2
    run.process.send_signal(signal.SIGINT)
    ended = await run.end()
    assert ended.code == 130, ended.err
    assert "interrupted" in ended.err
    assert "Traceback" not in ended.err
    assert not any(child.is_running() for child in children)
    asked = len(model.asked)
    again = await orchestrate("run", "--config", config, folder=tmp_path)
    assert again.code == 0, again.err
    # The model takes one call at a time, so at least two were answered before the third.
    assert len(model.asked) <= asked + 18 - 2
    assert len({request.request_id for request in model.asked}) == 18
