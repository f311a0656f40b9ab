"""The embedded fleet: services as child processes on free ports of this machine, stopped when the run ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio import StreamReader
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any

import tomli_w

from omnigap.terminal import visible
from omnigap_orchestrator.config.services import START_TIMEOUT_S, FleetKind
from omnigap_orchestrator.config.services import ServiceRole as Role
from omnigap_orchestrator.fleet.fleet import Endpoints, Fleet, FleetError, ServiceSpec, references

LOG_LINES = 30
# A child may take DRAIN_S to finish its calls; it is killed after STOP_TIMEOUT_S, which leaves it time to exit.
DRAIN_S, STOP_TIMEOUT_S = 10.0, 15.0
# Seconds to read the rest of the pipes of a dead child: a process that it started may keep them open indefinitely.
LOG_DRAIN_S = 2.0
RESTART_STATUS = 75
"""Exit status of `omnigap-serve` when the service asks for a restart, as after a change of a service that it calls."""
MAX_FAILED_STARTS = 3
"""Consecutive starts that may fail before a service stays down; a start that reached serving resets the count."""


class Child:
    """One `omnigap-serve SERVICE` process on a free loopback port; restarted on the same port when it dies."""

    def __init__(
        self,
        name: str,
        service: str,
        options_file: Path,
        log_file: Path,
        on_note: Callable[[str], None],
        *,
        tiny: bool = False,
    ) -> None:
        self.name = name
        self._arguments = [service, *["--tiny"] * tiny]
        self._options_file = options_file
        self._log_file = log_file
        self._note = on_note
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._process: Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._port = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def start(self, timeout_s: float) -> None:
        """Starts the child and waits until it serves.

        Raises:
            FleetError: it died or took too long; the message has the end of its log.
        """
        try:
            async with asyncio.timeout(timeout_s):
                process = await self._spawn()
                self._port = await self._serving_port(process)
        except TimeoutError:
            await self.stop()
            raise FleetError(f"{self.name} did not serve within {timeout_s:g} s{self._log_tail()}") from None
        self._watcher = asyncio.create_task(self._watch(process))

    async def stop(self) -> None:
        """Lets the child finish its calls, and kills its process group if it takes too long."""
        # The watcher first: it would restart the child that is being stopped.
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        if self._process is None:
            return
        if self._process.returncode is None:
            self._signal(self._process, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await _process_ended(self._process)
        await self._clean_up(self._process)

    async def _spawn(self) -> Process:
        # -P: without it `-m` puts the working directory first on the path, where a user's grpc.py would be imported.
        command = [sys.executable, "-P", "-m", "omnigap_services.serve", *self._arguments]
        # Port 0 at first: the child chooses a free one. A restart takes the same port, which is in the endpoints.
        command += ["--host", "127.0.0.1", "--port", str(self._port), "--config", str(self._options_file)]
        command += ["--exit-with-parent", "--parent-pid", str(os.getpid()), "--drain-seconds", str(DRAIN_S)]
        environment = child_environment(os.environ)
        # A separate process group: Ctrl-C in the terminal then reaches only the orchestrator, which stops the child
        # when its calls are done. `--exit-with-parent` ends the child if the orchestrator is killed.
        process = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=environment, process_group=0
        )
        self._process = process
        self._readers = [asyncio.create_task(self._read_log(process))]
        return process

    async def _serving_port(self, process: Process) -> int:
        """Waits until the child serves; returns its port. Raises FleetError if it ends before that."""
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._readers.append(asyncio.create_task(_read_output(process, port)))
        ended = asyncio.create_task(_process_ended(process))
        either: set[asyncio.Future[Any]] = {port, ended}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
        # The port goes first: a child that served and then died is left to the watcher, which restarts it.
        if port.done():
            return port.result()
        await self._clean_up(process)
        raise FleetError(f"{self.name} ended with exit code {process.returncode} before it served{self._log_tail()}")

    async def _read_log(self, process: Process) -> None:
        assert process.stderr is not None
        async for line in _lines(process.stderr):
            text = visible(line.decode(errors="replace").rstrip())
            self._log.append(text)
            # A full disk loses log lines, but the pipe is still read: a full pipe would block the service.
            with contextlib.suppress(OSError), self._log_file.open("ab") as file:
                file.write(f"{text}\n".encode())

    async def _watch(self, process: Process) -> None:
        """Restarts the child when it dies; the pool retries its calls meanwhile."""
        failed_starts = 0
        while True:
            await _process_ended(process)
            await self._clean_up(process)
            code = process.returncode
            ended = (
                f"ended with exit code {code}, to be started again"
                if code == RESTART_STATUS
                else f"died with exit code {code}"
            )
            self._note(f"{self.name} {ended}{self._log_tail()}")
            if failed_starts == MAX_FAILED_STARTS:
                self._note(
                    f"{self.name} died {MAX_FAILED_STARTS} times before it served and stays down; log: {self._log_file}"
                )
                return
            process = await self._spawn()
            try:
                await self._serving_port(process)
            except FleetError:
                failed_starts += 1
                continue
            failed_starts = 0
            self._note(f"{self.name} was restarted")

    async def _clean_up(self, process: Process) -> None:
        """Kills the rest of a child's process group and reads the rest of its log."""
        # The group, not the process: a child may have left processes that hold its port or GPU memory.
        self._signal(process, signal.SIGKILL)
        await _process_ended(process)
        _, stuck = await asyncio.wait(self._readers, timeout=LOG_DRAIN_S)
        for reader in stuck:
            reader.cancel()

    def _log_tail(self) -> str:
        return "".join(f"\n    {line}" for line in ["", *self._log]) if self._log else "; it left no log"

    @staticmethod
    def _signal(process: Process, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def child_environment(parent: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: nothing is imported from the working directory, and one thread is used."""
    # Options, the port file and the choice of random weights are of one service, and the fleet has several.
    of_one = ("OMNIGAP_SERVE_OPTIONS", "OMNIGAP_SERVE_TINY", "OMNIGAP_PORT_FILE")
    environment = {**{name: value for name, value in parent.items() if name not in of_one}, "PYTHONSAFEPATH": "1"}
    # Several children on one machine would otherwise each take all cores.
    environment.setdefault("OMP_NUM_THREADS", "1")
    if "PYTHONPATH" in environment:
        # An empty entry, as in "$PYTHONPATH:/x" without a value, is the working directory.
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, environment["PYTHONPATH"].split(os.pathsep)))
    return environment


async def _process_ended(process: Process) -> None:
    """Returns when the process has ended."""
    # Not `Process.wait`: it also waits until the pipes are closed, which a grandchild may keep open.
    while process.returncode is None:
        await asyncio.sleep(0.05)


async def _lines(stream: StreamReader) -> AsyncIterator[bytes]:
    """The lines of a pipe until its end; lines over the limit of the stream reader are skipped."""
    while True:
        try:
            line = await stream.readline()
        except ValueError:
            continue
        if not line:
            return
        yield line


async def _read_output(process: Process, port: asyncio.Future[int]) -> None:
    """Sets `port` from the line of JSON that the child prints when it serves, and reads until the end.

    Reading on keeps the pipe from filling up with what libraries print, which would block the child.
    """
    assert process.stdout is not None
    async for line in _lines(process.stdout):
        with contextlib.suppress(json.JSONDecodeError, KeyError, TypeError):
            event = json.loads(line)
            if event["event"] == "serving" and not port.done():
                port.set_result(int(event["port"]))


class EmbeddedFleet(Fleet):
    """Starts services after those that they refer to; independent ones start concurrently."""

    kind = FleetKind.EMBEDDED

    def __init__(
        self,
        services: Sequence[ServiceSpec],
        folder: Path,
        on_note: Callable[[str], None],
        start_timeout_s: float = START_TIMEOUT_S,
        setup: str = "",
    ) -> None:
        self._services = tuple(services)
        self._setup = setup
        self._folder = folder
        self._note = on_note
        self._start_timeout_s = start_timeout_s
        self._all: list[Child] = []
        self._children: dict[str, list[Child]] = {}

    @property
    def description(self) -> str:
        return f"embedded fleet: {', '.join(spec.name for spec in self._services)} as child processes"

    async def __aenter__(self) -> Endpoints:
        waiting = list(self._services)
        try:
            while waiting:
                ready = [spec for spec in waiting if references(spec) <= self._children.keys()]
                if not ready:
                    unknown = sorted(set().union(*map(references, waiting)) - self._children.keys())
                    names = ", ".join(spec.name for spec in waiting)
                    raise FleetError(
                        f"{names} refer to {', '.join(unknown)}: there is no such service, or they refer to each other"
                    )
                async with asyncio.TaskGroup() as group:
                    for spec in ready:
                        group.create_task(self._start(spec))
                waiting = [spec for spec in waiting if spec not in ready]
        except BaseException:
            # Also on cancellation (Ctrl-C): no child may outlive a start that did not finish.
            await self._stop()
            raise
        return self._endpoints()

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _start(self, spec: ServiceSpec) -> None:
        options = {key: self._resolved(value) for key, value in spec.options.items()}
        options_file = self._folder / f"{spec.name}.toml"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            options_file.write_text(tomli_w.dumps(options), encoding="utf-8")
        except OSError as error:
            raise FleetError(f"{options_file} can't be written ({error.strerror}): choose another --run-dir") from error
        names = [spec.name, *(f"{spec.name}-{number}" for number in range(2, spec.replicas + 1))]
        children = [
            Child(n, spec.service, options_file, self._folder / f"{n}.log", self._note, tiny=spec.tiny) for n in names
        ]
        self._all += children
        async with asyncio.TaskGroup() as group:
            for child in children:
                group.create_task(self._started(child))
        self._children[spec.name] = children

    async def _started(self, child: Child) -> None:
        try:
            await child.start(self._start_timeout_s)
        except FleetError as error:
            if not self._setup:
                raise
            raise FleetError(f"{error}\n  If files are missing, fetch them first: {self._setup}") from error

    async def _stop(self) -> None:
        # In reverse order: a service stops before those that it calls.
        for child in reversed(self._all):
            await child.stop()

    def _resolved(self, value: object) -> object:
        return self._children[value[1:]][0].address if isinstance(value, str) and value.startswith("@") else value

    def _endpoints(self) -> Endpoints:
        def addresses(role: Role) -> dict[str, tuple[str, ...]]:
            names = [spec.name for spec in self._services if spec.role is role]
            return {name: tuple(child.address for child in self._children[name]) for name in names}

        return Endpoints(
            models=addresses(Role.MODEL),
            scorer=tuple(chain.from_iterable(addresses(Role.SCORER).values())),
            tts=tuple(chain.from_iterable(addresses(Role.TTS).values())),
            ocr=tuple(chain.from_iterable(addresses(Role.OCR).values())),
            judge=tuple(chain.from_iterable(addresses(Role.JUDGE).values())),
        )
