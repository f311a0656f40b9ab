"""Services as real processes on free ports, or in this process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality
from omnigap_services.loop_thread import LoopThread
from tests.helpers.in_process import Host, hosting
from tests.helpers.serve_command import Launch, launching
from tests.helpers.serve_process import Serve, Served


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts `omnigap-serve NAME` with options and waits until it serves; all are stopped at the end."""
    started: list[Served] = []

    def start(name: str, options: Mapping[str, object] | None = None) -> Served:
        folder = tmp_path_factory.mktemp(name)
        config = folder / "options.toml"
        config.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in (options or {}).items()))
        log = folder / "stderr.log"
        program = Path(sys.executable).with_name("omnigap-serve")
        command = [str(program), name, "--config", str(config), "--exit-with-parent"]
        with log.open("w") as stderr:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, cwd=Path(folder))
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"{name} did not start:\n{log.read_text()}"
        ready = json.loads(line)
        served = Served(f"{ready['host']}:{ready['port']}", process)
        started.append(served)
        return served

    yield start
    for served in started:
        served.stop()


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Starts `omnigap-serve` in the test's folder."""
    with launching(tmp_path) as start:
        yield start


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub's client, which does not use the network."""
    path = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return path


@pytest.fixture(scope="session")
def server_loop() -> Iterator[LoopThread]:
    """The loop of all servers in this process."""
    loop = LoopThread("servers")
    yield loop
    loop.close()


@pytest.fixture(scope="session")
def hosted(server_loop: LoopThread) -> Iterator[Host]:
    """Serves an adapter in this process until the session's end."""
    with hosting(server_loop) as host:
        yield host


@pytest.fixture
def host_adapter(server_loop: LoopThread) -> Iterator[Host]:
    """Serves an adapter in this process until the test's end."""
    with hosting(server_loop) as host:
        yield host


@pytest.fixture(scope="session")
def espeak(serve: Serve) -> Served:
    """The TTS service."""
    return serve("espeak")


@pytest.fixture(scope="session")
def say(espeak: Served) -> Callable[..., AudioClip]:
    """Speaks a text with espeak, at 16 kHz."""

    def speak(text: str, voice: str = "en-us") -> AudioClip:
        audio = espeak.ask(text, output=Modality.SPEECH, voice=pb.VoiceSettings(name=voice)).audio
        assert audio is not None
        return audio

    return speak
