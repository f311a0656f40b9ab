"""A Triton server as a child process on free ports."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from tests.services.triton_server.triton_env import EXAMPLE, ROOT, NoTritonError, triton_python

MODELS = Path(__file__).parent / "models"
REPOSITORIES = (MODELS, EXAMPLE / "models")
CHECKPOINT = ROOT / "services" / "omnigap_services" / "asr" / "checkpoint"

PATIENCE_S = 60.0
_START_S = 240.0
_PR_SET_PDEATHSIG = 1


@dataclass
class Triton:
    """A running server. Its models report events as files in the folder `events`."""

    url: str
    events: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def start(
        cls, folder: Path, models: Sequence[str], grpc_port: int = 0, repositories: Sequence[Path] = REPOSITORIES
    ) -> Triton:
        """Starts a server with these models and waits until it is ready.

        Raises:
            NoTritonError: it cannot be installed or does not start.
        """
        python = triton_python()
        events = folder / "events"
        events.mkdir(exist_ok=True)
        grpc_port, http_port = grpc_port or _free_port(), _free_port()
        command = [str(python), str(EXAMPLE / "serve.py"), *map(str, repositories)]
        command += ["--grpc-port", str(grpc_port), "--http-port", str(http_port), "--"]
        command += ["--model-control-mode=explicit", *(f"--load-model={name}" for name in models)]
        environment = {**os.environ, "OMNIGAP_TEST_EVENTS": str(events), "WHISPER_MODEL": str(CHECKPOINT)}
        log = folder / "triton.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**environment, "OMP_NUM_THREADS": "2"},
                start_new_session=True,
                preexec_fn=_die_with_the_tests,
            )
        server = cls(f"127.0.0.1:{grpc_port}", events, process)
        server._await_ready(log)
        return server

    def saw(self, event: str) -> bool:
        """Waits for an event of a model; False after `PATIENCE_S`."""
        end = time.monotonic() + PATIENCE_S
        while not (self.events / event).exists():
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def client(self) -> InferenceServerClient:
        return InferenceServerClient(self.url)

    def crash(self) -> str:
        """The crash message of a server that ended by a signal; empty if it runs or was stopped."""
        log = (self.events.parent / "triton.log").read_text(encoding="utf-8", errors="replace")
        if "Signal (" not in log:
            return ""
        self.process.wait(PATIENCE_S)
        return log[log.index("Signal (") :].splitlines()[0]

    def stop(self) -> int:
        """Stops it; returns its exit status."""
        self.process.terminate()
        status = self.process.wait(2 * PATIENCE_S)
        self.kill()
        return status

    def kill(self) -> None:
        """Kills the server and the processes of its models."""
        # Also after the server has ended: the processes of its models outlive a crash, and stay in its group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)

    def _await_ready(self, log: Path) -> None:
        end = time.monotonic() + _START_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                self.kill()
                raise NoTritonError(
                    f"it ended with {self.process.returncode}: {log.read_text('utf-8', 'replace')[-2000:]}"
                )
            with self.client() as client:
                try:
                    if client.is_server_ready(client_timeout=5):
                        return
                except InferenceServerException:
                    pass
            time.sleep(0.2)
        self.kill()
        raise NoTritonError(f"not ready after {_START_S:g} s: {_tail(log)}")


def _die_with_the_tests() -> None:
    """SIGTERM at the end of the tests; after SIGKILL it would leave the processes of its models."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2_000:]
