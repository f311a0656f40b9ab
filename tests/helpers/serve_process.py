"""A service in its own process, and a client for it."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import grpc
import numpy as np
from PIL import Image

from omnigap.channel import channel_options
from omnigap.convert import modality_to_proto
from omnigap.media import AudioClip, encode_pcm16, encode_png, pcm16_to_float
from omnigap.media.audio import PCM
from omnigap.rpc_errors import from_rpc_error
from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1.model_service_pb2_grpc import ModelServiceStub
from omnigap.vocabulary import Modality

Part = str | AudioClip | Image.Image


@dataclass(frozen=True)
class Reply:
    """The collected responses of one call."""

    text: str
    reasoning: str
    audio: AudioClip | None
    complete: pb.Complete


@dataclass
class Served:
    """A running service. `ask` raises the ContractError that the service sent."""

    address: str
    process: subprocess.Popen[str]
    channel: grpc.Channel = field(init=False)
    stub: ModelServiceStub = field(init=False)

    def __post_init__(self) -> None:
        self.channel = grpc.insecure_channel(self.address, options=channel_options(self.address))
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
