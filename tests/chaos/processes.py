"""Child processes of the suite: commands of the orchestrator with a time limit, and services on known ports."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

COMMAND = ("-m", "omnigap_orchestrator.cli.main")
START_S = 60.0
ROOT = Path(__file__).parents[2]
PYTHON_PATH = [str(ROOT)]
"""Folders that child processes import from first; `tests` is one of their packages."""
_POLL_S = 0.05
_ERROR = re.compile(r"[A-Za-z_.]+(Error|Exception|Exit|Group|Interrupt|Unavailable)\b")


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        hung: it was killed at the time limit.
        peak_mb: the largest resident memory that was seen, in megabytes.
    """

    code: int
    out: str
    err: str
    hung: bool = False
    peak_mb: float = 0.0

    @property
    def traceback(self) -> str:
        """The last line of a Python traceback; empty if there is none."""
        if "Traceback (most recent call last)" not in self.err:
            return ""
        # The lines of an exception group are behind bars, and end with a rule.
        lines = [line.strip(" |+-") for line in self.err.splitlines()]
        return next((line for line in reversed(lines) if _ERROR.match(line)), "traceback")

    @property
    def last_line(self) -> str:
        lines = [line.strip() for line in self.err.splitlines() if line.strip()]
        return lines[-1] if lines else ""


async def start(*arguments: str | Path, folder: Path) -> asyncio.subprocess.Process:
    """Starts a command of the orchestrator."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *COMMAND,
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.DEVNULL,
        cwd=folder,
        env=_environment(COLUMNS="250", NO_COLOR="1"),
        limit=2**24,
    )


def _environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join([*PYTHON_PATH, *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, **more, "PYTHONPATH": path}


async def finish(process: asyncio.subprocess.Process, limit_s: float) -> Ended:
    """Waits for the end of a command; kills it with its children at the limit."""
    watching = asyncio.create_task(_peak_mb(process.pid))
    reading = asyncio.ensure_future(process.communicate())
    hung = False
    try:
        out, err = await asyncio.wait_for(asyncio.shield(reading), limit_s)
    except TimeoutError:
        hung = True
        kill_tree(process.pid)
        out, err = await reading
    finally:
        if not reading.done():
            kill_tree(process.pid)
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"), hung, await watching)


async def orchestrate(*arguments: str | Path, folder: Path, limit_s: float) -> Ended:
    """Runs a command of the orchestrator to its end, or to the limit."""
    return await finish(await start(*arguments, folder=folder), limit_s)


async def _peak_mb(pid: int) -> float:
    peak = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        while process.status() != psutil.STATUS_ZOMBIE:
            peak = max(peak, process.memory_info().rss)
            await asyncio.sleep(_POLL_S)
    return peak / 1e6


def kill_tree(pid: int) -> None:
    """kill -9 of a process and of everything below it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in [*process.children(recursive=True), process]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()


@dataclass
class FaultServer:
    """A running `fault_server`, with the ports of its services by name."""

    process: asyncio.subprocess.Process
    ports: dict[str, int]
    log: Path

    def address(self, name: str) -> str:
        return f"127.0.0.1:{self.ports[name]}"

    def calm(self) -> None:
        """Makes all its services honest."""
        self.process.send_signal(signal.SIGUSR1)

    def requests(self) -> list[dict[str, object]]:
        """Every request so far, in order."""
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines]

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


async def start_fault_server(
    names: Sequence[str], log: Path, delay_s: float = 0.0, ports: Sequence[int] = ()
) -> FaultServer:
    process, found = await _announced(
        "-m", "tests.chaos.fault_server", "--log", str(log), "--delay", str(delay_s),
        *(part for port in ports for part in ("--port", str(port))), *names,
    )  # fmt: skip
    return FaultServer(process, dict(found["ports"]), log)  # type: ignore[call-overload]


@asynccontextmanager
async def fault_server(names: Sequence[str], log: Path, delay_s: float = 0.0) -> AsyncIterator[FaultServer]:
    """A fault server within the block."""
    server = await start_fault_server(names, log, delay_s)
    try:
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            await server.kill()


@dataclass
class Service:
    """A service of this project in its own process."""

    name: str
    address: str
    process: asyncio.subprocess.Process

    @property
    def statistics(self) -> psutil.Process:
        return psutil.Process(self.process.pid)


@asynccontextmanager
async def served(name: str, folder: Path, options: str = "") -> AsyncIterator[Service]:
    """`omnigap-serve NAME` within the block.

    Args:
        options: the content of its TOML file.
    """
    config = folder / f"{name.replace(':', '.')}.toml"
    config.write_text(options, encoding="utf-8")
    process, found = await _announced(
        "-m", "omnigap_services.serve", name, "--config", str(config), "--drain-seconds", "0", "--exit-with-parent",
        "--log-level", "error",
    )  # fmt: skip
    try:
        yield Service(name, f"127.0.0.1:{found['port']}", process)
    finally:
        kill_tree(process.pid)
        await process.wait()


async def _announced(*command: str) -> tuple[asyncio.subprocess.Process, dict[str, object]]:
    """Starts a child process; returns it with the line of JSON that it prints when it serves."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env=_environment()
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), START_S)
        return process, json.loads(line)
    except (TimeoutError, ValueError) as error:
        kill_tree(process.pid)
        raise RuntimeError(f"{' '.join(command)} did not start") from error
