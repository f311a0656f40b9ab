"""SIGTERM and SIGHUP end a run as Ctrl-C does: services stopped, journal closed, and the same command resumes it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from omnigap_orchestrator.journal import AnswerRow, Journal
from tests.helpers.running import COMMAND, Orchestrator, Setting, orchestrate, until
from tests.helpers.served_doubles import ServeWire, Wire, plain

SERVICES = {"tts": {"service": "echo", "role": "tts"}, "asr": {"service": "echo", "role": "scorer"}}


async def slow_run(root: Path, host_wire: ServeWire) -> tuple[Wire, Path, Setting]:
    model = Wire(plain, delay_s=0.05, max_concurrent=1)
    address = await host_wire(model)
    setting = Setting(root, {"omni": [address]}, tables={"fleet": {"services": SERVICES}})
    return model, setting.write(), setting


def journal_is_closed(setting: Setting) -> bool:
    """The last connection that is closed in order removes the log."""
    return not setting.folder.journal.with_name("journal.sqlite-wal").exists()


@pytest.fixture(autouse=True)
def signals_have_an_effect() -> Iterator[None]:
    """Children inherit what is ignored: under nohup, SIGHUP would be."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGHUP, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
async def test_a_signal_ends_a_run_cleanly_and_it_resumes(
    number: signal.Signals, code: int, tmp_path: Path, host_wire: ServeWire
) -> None:
    model, config, setting = await slow_run(tmp_path, host_wire)
    run = await Orchestrator.start("run", "--config", config, folder=tmp_path)
    await model.until_asked(3)
    children = run.children()
    assert len(children) == 2
    run.process.send_signal(number)
    ended = await run.end()
    assert ended.code == code, ended.err
    assert "interrupted" in ended.err
    assert "Traceback" not in ended.err
    assert not any(child.is_running() for child in children)
    assert journal_is_closed(setting)
    asked = len(model.asked)
    again = await orchestrate("run", "--config", config, folder=tmp_path)
    assert again.code == 0, again.err
    assert len(model.asked) <= asked + 18 - 2


async def test_sigterm_works_where_sigint_is_ignored_and_an_ignored_sighup_stays_ignored(
    tmp_path: Path, host_wire: ServeWire
) -> None:
    """As for a command that a script starts in the background with nohup."""
    model, config, setting = await slow_run(tmp_path, host_wire)
    ignoring = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "
        "signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    run = await Orchestrator.start("run", "--config", config, folder=tmp_path, python=("-c", ignoring, *COMMAND))
    await model.until_asked(3)
    children = run.children()
    run.process.send_signal(signal.SIGHUP)
    run.process.send_signal(signal.SIGINT)
    await model.until_asked(5)
    run.process.send_signal(signal.SIGTERM)
    ended = await run.end()
    assert ended.code == 143, ended.err
    assert "Traceback" not in ended.err
    assert not any(child.is_running() for child in children)
    assert journal_is_closed(setting)


async def test_a_closed_terminal_does_not_stop_the_cleanup(tmp_path: Path, host_wire: ServeWire) -> None:
    model, config, setting = await slow_run(tmp_path, host_wire)
    master, slave = pty.openpty()
    command = [sys.executable, *COMMAND, "run", "--config", str(config)]
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, cwd=tmp_path, start_new_session=True, env=os.environ
    )
    os.close(slave)
    await model.until_asked(3)
    os.close(master)
    process.send_signal(signal.SIGHUP)
    await until(lambda: process.poll() is not None, "the end of the command")
    assert process.returncode == 129
    assert journal_is_closed(setting)
    with closing(Journal(setting.folder.journal)) as journal:
        assert journal.all(AnswerRow)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a namespace of processes")
async def test_sigterm_ends_process_1_of_a_container(tmp_path: Path, host_wire: ServeWire) -> None:
    """The kernel drops a signal without a handler that is sent to process 1, as `docker stop` does."""
    if subprocess.run(["unshare", "--pid", "--fork", "true"], capture_output=True).returncode:
        pytest.skip("no namespace can be made here")
    model, config, setting = await slow_run(tmp_path, host_wire)
    command = ["unshare", "--pid", "--fork", sys.executable, *COMMAND, "run", "--config", str(config)]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    await model.until_asked(3)
    (first,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(first), signal.SIGTERM)
    await until(lambda: process.poll() is not None, "the end of the command")
    assert process.stderr is not None
    assert b"interrupted" in process.stderr.read()
    assert process.returncode == 143
    assert journal_is_closed(setting)
