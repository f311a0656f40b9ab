"""One service as a child process: started, awaited until it serves, watched, and ended with its whole process group."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Callable
from pathlib import Path

from omnigap_orchestrator.fleet.fleet import FleetError

LOG_LINES = 30
STOP_TIMEOUT_S = 15.0


class Child:
    """`omnigap-serve SERVICE` on a free port of the loopback address. A child that dies comes back on the same port."""

    def __init__(
        self, name: str, service: str, options_file: Path, log_file: Path, on_note: Callable[[str], None]
    ) -> None:
        self.name = name
        self._service = service
        self._options_file = options_file
        self._log_file = log_file
        self._note = on_note
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._process: Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._port = 0
        self._restarts_left = 3

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def start(self, timeout_s: float) -> None:
        """Starts the child and waits until it serves.

        Raises:
            FleetError: with the end of its log, where it dies or takes too long.
        """
        process = await self._spawn()
        try:
            async with asyncio.timeout(timeout_s):
                self._port = await self._serving_port(process)
        except TimeoutError:
            await self.stop()
            raise FleetError(f"{self.name} did not serve within {timeout_s:g} s{self._log_tail()}") from None
        self._watcher = asyncio.create_task(self._watch(process))

    async def stop(self) -> None:
        """Asks the child to drain; ends its process group where it does not."""
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._signal(process, signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            self._signal(process, signal.SIGKILL)
            await process.wait()

    async def _spawn(self) -> Process:
        command = [sys.executable, "-m", "omnigap_services.serve", self._service, "--host", "127.0.0.1"]
        command += ["--port", str(self._port), "--config", str(self._options_file), "--exit-with-parent"]
        environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
        # Its own process group: Ctrl-C in the terminal then reaches the orchestrator alone, which drains in order.
        process = await asyncio.create_subprocess_exec(
            *command, stdout=PIPE, stderr=PIPE, env=environment, process_group=0
        )
        self._process = process
        self._reader = asyncio.create_task(self._read_log(process))
        return process

    async def _serving_port(self, process: Process) -> int:
        """The port in the child's one line of JSON on stdout."""
        assert process.stdout is not None
        while line := await process.stdout.readline():
            with contextlib.suppress(json.JSONDecodeError, KeyError, TypeError):
                event = json.loads(line)
                if event["event"] == "serving":
                    return int(event["port"])
        await process.wait()
        await self._reader
        raise FleetError(f"{self.name} ended with exit code {process.returncode} before it served{self._log_tail()}")

    async def _read_log(self, process: Process) -> None:
        assert process.stderr is not None
        with self._log_file.open("ab") as file:
            while line := await process.stderr.readline():
                file.write(line)
                file.flush()
                self._log.append(line.decode(errors="replace").rstrip())

    async def _watch(self, process: Process) -> None:
        """Starts the child again when it dies; its cells wait meanwhile."""
        while True:
            code = await process.wait()
            await self._reader
            self._note(f"{self.name} died with exit code {code}{self._log_tail()}")
            if self._restarts_left == 0:
                self._note(f"{self.name} died too often and stays down; its whole log: {self._log_file}")
                return
            self._restarts_left -= 1
            process = await self._spawn()
            try:
                await self._serving_port(process)
            except FleetError:
                continue
            self._note(f"{self.name} was started again")

    def _log_tail(self) -> str:
        return "".join(f"\n    {line}" for line in ["", *self._log]) if self._log else "; it left no log"

    @staticmethod
    def _signal(process: Process, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
