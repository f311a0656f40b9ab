"""Services as real processes on free ports, and a caller that asks them over the wire."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import numpy as np
import pytest
from PIL import Image

from omnigap.convert import modality_to_proto
from omnigap.limits import CHANNEL_OPTIONS
from omnigap.media import AudioClip, encode_pcm16, encode_png, pcm16_to_float
from omnigap.media.audio import PCM
from omnigap.rpc_errors import from_rpc_error
from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1.model_service_pb2_grpc import ModelServiceStub
from omnigap.vocabulary import Modality

Part = str | AudioClip | Image.Image


@dataclass(frozen=True)
class Reply:
    """What came back from one call."""

    text: str
    reasoning: str
    audio: AudioClip | None
    complete: pb.Complete


@dataclass
class Served:
    """A running service. `ask` raises ContractError for the error that the service sent."""

    address: str
    process: subprocess.Popen[str]
    channel: grpc.Channel = field(init=False)
    stub: ModelServiceStub = field(init=False)

    def __post_init__(self) -> None:
        self.channel = grpc.insecure_channel(self.address, options=CHANNEL_OPTIONS)
        self.stub = ModelServiceStub(self.channel)

    def describe(self) -> pb.DescribeResponse:
        return self.stub.Describe(pb.DescribeRequest(), timeout=30)

    def ask(self, *parts: Part, output: Modality = Modality.TEXT, **fields: object) -> Reply:
        request = pb.GenerateRequest(
            request_id=uuid.uuid4().hex,
            parts=[_wire(part) for part in parts],
            output=modality_to_proto(output),
            **fields,  # type: ignore[arg-type]
        )
        text, reasoning, pieces, rate, complete = "", "", [], 0, None
        try:
            for response in self.stub.Generate(request, timeout=120):
                if response.HasField("complete"):
                    complete = response.complete
                    continue
                text += response.delta.text
                reasoning += response.delta.reasoning
                if response.delta.HasField("audio"):
                    rate = response.delta.audio.sample_rate_hz
                    pieces.append(pcm16_to_float(response.delta.audio.data))
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        assert complete is not None, "the stream ended without `complete`"
        return Reply(text, reasoning, AudioClip(np.concatenate(pieces), rate) if pieces else None, complete)

    def stop(self) -> None:
        self.channel.close()
        self.process.terminate()
        self.process.wait(timeout=30)


def _wire(part: Part) -> pb.InputPart:
    if isinstance(part, str):
        return pb.InputPart(text=part)
    if isinstance(part, AudioClip):
        data = encode_pcm16(part.samples)
        return pb.InputPart(
            audio=pb.Audio(data=data, mime_type=PCM, sample_rate_hz=part.sample_rate, channels=1),
        )
    return pb.InputPart(image=pb.Image(data=encode_png(part), mime_type="image/png"))


Serve = Callable[..., Served]


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


@pytest.fixture(scope="session")
def espeak(serve: Serve) -> Served:
    """The TTS service."""
    return serve("espeak")


@pytest.fixture(scope="session")
def say(espeak: Served) -> Callable[..., AudioClip]:
    """A text as espeak speaks it, 16 kHz."""

    def speak(text: str, voice: str = "en-us") -> AudioClip:
        audio = espeak.ask(text, output=Modality.SPEECH, voice=pb.VoiceSettings(name=voice)).audio
        assert audio is not None
        return audio

    return speak
