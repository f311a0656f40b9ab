"""The test double of these tests: an adapter whose answers a test sets, behind the real server and a real socket."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

import grpc
import grpc.aio
import numpy as np

from omnigap.errors import ContractError
from omnigap.media import pcm16_to_float
from omnigap.media.audio import Samples
from omnigap.rpc_errors import from_rpc_error
from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1.model_service_pb2_grpc import ModelServiceStub
from omnigap.vocabulary import CONDITIONS, Modality
from omnigap_services.adapter import NATIVE, Adapter, Card, Request, Turn
from omnigap_services.server import Server

PATIENCE_S = 30.0

CARD = Card(name="double", conditions=dict.fromkeys(CONDITIONS, NATIVE), output_sample_rate_hz=16_000)


def reply(turn: Turn) -> None:
    """Answers with the texts of the request, and 0.1 s of constant samples if speech is requested."""
    turn.write(" ".join(turn.request.texts) or "no text")
    if turn.request.output is Modality.SPEECH:
        turn.speak(np.full(1_600, 0.25, np.float32), 16_000)


class Double(Adapter):
    """A model that calls the test's `answer` for every turn, and records its batches."""

    def __init__(self, answer: Callable[[Turn], None] = reply, **card: object) -> None:
        super().__init__({})
        self.card = replace(CARD, **card)  # type: ignore[arg-type]
        self.answer = answer
        self.batches: list[list[Request]] = []
        self.closed = threading.Event()

    def load(self) -> Card:
        return self.card

    def generate(self, batch: Sequence[Turn]) -> None:
        requests = [turn.request for turn in batch]
        if WARM_UP in requests:
            return
        self.batches.append(requests)
        for turn in batch:
            self.answer(turn)

    def warm_up(self) -> Request:
        return WARM_UP

    def close(self) -> None:
        self.closed.set()


WARM_UP = Request(parts=("warm-up",), output=Modality.TEXT)


class Gate:
    """An answer that waits in the worker's thread until the test opens the gate or the turn is cancelled."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.open = threading.Event()
        self.saw_cancel = threading.Event()

    def __call__(self, turn: Turn) -> None:
        self.entered.release()
        while not self.open.wait(0.005):
            if turn.cancelled:
                self.saw_cancel.set()
                return
        reply(turn)


async def entered(gate: Gate) -> None:
    """Waits until one more turn has reached the worker."""
    assert await asyncio.to_thread(gate.entered.acquire, timeout=PATIENCE_S)


@dataclass
class Received:
    """Everything that one call returned."""

    text: str = ""
    reasoning: str = ""
    chunks: list[pb.Audio] = field(default_factory=list)
    complete: pb.Complete | None = None

    @property
    def samples(self) -> Samples:
        return np.concatenate([pcm16_to_float(chunk.data) for chunk in self.chunks])


def asking(
    *parts: str | pb.Audio | pb.Image, output: pb.Modality.ValueType = pb.MODALITY_TEXT, **fields: object
) -> pb.GenerateRequest:
    """A request of these parts."""
    return pb.GenerateRequest(parts=[_part(part) for part in parts], output=output, **fields)  # type: ignore[arg-type]


def _part(part: str | pb.Audio | pb.Image) -> pb.InputPart:
    if isinstance(part, str):
        return pb.InputPart(text=part)
    return pb.InputPart(audio=part) if isinstance(part, pb.Audio) else pb.InputPart(image=part)


async def collect(call: grpc.aio.UnaryStreamCall[pb.GenerateRequest, pb.GenerateResponse]) -> Received:
    """Collects all responses of a call; raises the ContractError that it ended with."""
    received = Received()
    try:
        async for response in call:
            assert received.complete is None, "a response came after `complete`"
            if response.HasField("complete"):
                received.complete = response.complete
            elif response.delta.HasField("audio"):
                received.chunks.append(response.delta.audio)
            else:
                received.text += response.delta.text
                received.reasoning += response.delta.reasoning
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from None
    return received


class Caller:
    """A client of one server."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.stub = ModelServiceStub(channel)

    def call(self, request: pb.GenerateRequest, timeout: float | None = PATIENCE_S) -> grpc.aio.UnaryStreamCall:
        return self.stub.Generate(request, timeout=timeout)

    async def ask(self, *parts: str | pb.Audio | pb.Image, **fields: object) -> Received:
        received = await collect(self.call(asking(*parts, **fields)))
        assert received.complete is not None, "the stream ended without `complete` and without an error"
        return received

    async def refusal(self, *parts: str | pb.Audio | pb.Image, **fields: object) -> ContractError:
        """The error that a request gets; fails if it is answered."""
        return await refusal_of(self.call(asking(*parts, **fields)))

    async def describe(self) -> pb.DescribeResponse:
        return await self.stub.Describe(pb.DescribeRequest(), timeout=PATIENCE_S)


async def refusal_of(call: grpc.aio.UnaryStreamCall[pb.GenerateRequest, pb.GenerateResponse]) -> ContractError:
    try:
        received = await collect(call)
    except ContractError as error:
        return error
    raise AssertionError(f"answered instead of refused: {str(received)[:2_000]}")


@dataclass
class Running:
    """A server and a client of it."""

    server: Server
    caller: Caller

    def metric(self, name: str, **labels: str) -> float:
        """The current value of a metric."""
        return self.server.metrics.registry.get_sample_value(f"omnigap_{name}", labels) or 0.0

    async def until(self, **gauges: float) -> None:
        """Waits until the gauges have these values, which shows that a sent call has arrived."""
        async with asyncio.timeout(PATIENCE_S):
            while any(self.metric(name) != value for name, value in gauges.items()):
                await asyncio.sleep(0.002)


Start = Callable[..., Awaitable[Running]]
