"""Test doubles: models whose answers a test sets, behind real servers on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import grpc
import numpy as np
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from omnigap.channel import SERVER_OPTIONS
from omnigap.convert import modality_to_proto
from omnigap.errors import ContractError
from omnigap.media import AudioClip, encode_pcm16
from omnigap.media.audio import PCM, Samples
from omnigap.rpc_errors import to_status
from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1 import model_service_pb2_grpc as pb_grpc
from omnigap.vocabulary import CONDITIONS, Modality
from omnigap_services.adapter import NATIVE, Adapter, Card, Request, Turn

PATIENCE_S = 60.0
"""Timeout for events that must occur; only a failing test waits this long."""

RATE = 16_000
CARD = Card(name="double", conditions=dict.fromkeys(CONDITIONS, NATIVE), output_sample_rate_hz=RATE)
WARM_UP = Request(parts=("warm-up",), output=Modality.TEXT)


def sound(seed: str) -> Samples:
    """A fifth of a second of noise, different for every seed."""
    numbers = np.frombuffer(hashlib.sha256(seed.encode()).digest(), np.uint32)
    noise: Samples = (np.random.default_rng(numbers).random(RATE // 5, np.float32) - 0.5) / 2
    return noise


def identity(request: Request) -> str:
    """Output modality and hash of the content of a request, as one word."""
    content = hashlib.sha256()
    for part in request.parts:
        if isinstance(part, str):
            content.update(part.encode())
        else:
            content.update(part.samples.tobytes() if isinstance(part, AudioClip) else part.tobytes())
    content.update(repr((request.system_prompt, request.voice, request.words_per_minute, request.decoding)).encode())
    return f"{request.output}-{content.hexdigest()[:12]}"


def reply(turn: Turn) -> None:
    """Answers with the identity of the request, and as speech if it is requested."""
    say(turn, identity(turn.request))


def say(turn: Turn, text: str) -> None:
    """Writes a text, and adds audio if speech is requested; the audio differs between requests."""
    turn.write(text)
    if turn.request.output is Modality.SPEECH:
        turn.speak(spoken(text, turn.request), RATE)


def spoken(text: str, request: Request) -> Samples:
    """The audio of `say`."""
    return sound(f"{text} {identity(request)}")


class Double(Adapter):
    """Calls the `answer` of the test for every turn, and records the requests."""

    def __init__(self, answer: Callable[[Turn], None] = reply, **card: object) -> None:
        super().__init__({})
        self.card = replace(CARD, **card)  # type: ignore[arg-type]
        self.answer = answer
        self.asked: list[Request] = []
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def load(self) -> Card:
        return self.card

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            if turn.request == WARM_UP:
                continue
            self.asked.append(turn.request)
            self._loop.call_soon_threadsafe(self._changed.set)
            self.answer(turn)

    def warm_up(self) -> Request:
        return WARM_UP

    async def until_asked(self, count: int) -> None:
        """Waits until this number of requests has arrived in total."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.asked) < count:
                await self._changed.wait()
                self._changed.clear()


Respond = Callable[[pb.GenerateRequest], Iterator[pb.GenerateResponse]]


STABLE_PORTS = range(20_000, 32_000)
"""Ports of servers that restart on the same port; Linux gives clients ports from 32768."""


@dataclass
class Wire(pb_grpc.ModelServiceServicer):
    """A service in plain gRPC, without the server of the project: it records every message, and may break the contract.

    Attributes:
        respond: yields the responses of a request, or raises the ContractError that it ends with.
        delay_s: simulated work before an answer; other calls are served meanwhile.
        host: IP address to listen at.
        port: 0: a free one, which is kept.
    """

    respond: Respond
    digest: str = "wire"
    name: str = "wire"
    delay_s: float = 0.0
    max_concurrent: int = 4
    outdated: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    asked: list[pb.GenerateRequest] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    serving: bool = True
    host: str = "127.0.0.1"
    port: int = 0

    def __post_init__(self) -> None:
        self._changed = asyncio.Event()
        self._health = health.aio.HealthServicer()
        self._server: grpc.aio.Server | None = None

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    async def start(self) -> None:
        """Starts to serve; after a stop it uses the same port again."""
        self._server = grpc.aio.server(options=SERVER_OPTIONS)
        pb_grpc.add_ModelServiceServicer_to_server(self, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self.port = self._bind()
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()

    def _bind(self) -> int:
        assert self._server is not None
        if self.port:
            return self._server.add_insecure_port(self.address)
        # Below the range that clients get their ports from: between a stop and the next start, a client of another test
        # may otherwise have taken the port.
        for port in random.sample(STABLE_PORTS, 100):
            with contextlib.suppress(RuntimeError):
                return self._server.add_insecure_port(f"{self.host}:{port}")
        raise RuntimeError(f"no free port in {STABLE_PORTS}")

    async def stop(self) -> None:
        """Stops without a drain: running calls are aborted, as if the process died."""
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    async def loading(self) -> None:
        """Health says NOT_SERVING from now on, as before a model is loaded."""
        await self._health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)

    async def until_asked(self, count: int) -> None:
        """Waits until this number of requests has arrived in total."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.asked) < count:
                await self._changed.wait()
                self._changed.clear()

    async def Describe(self, request: pb.DescribeRequest, context: object) -> pb.DescribeResponse:  # noqa: N802
        able = [
            pb.Capability(
                input=modality_to_proto(c.input), output=modality_to_proto(c.output), support=pb.SUPPORT_NATIVE
            )
            for c in CONDITIONS
        ]
        return pb.DescribeResponse(
            name=self.name,
            digest=self.digest,
            conditions=able,
            max_concurrent=self.max_concurrent,
            outdated=self.outdated,
            settings=self.settings,
        )

    async def Generate(  # noqa: N802
        self, request: pb.GenerateRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.GenerateResponse]:
        self.asked.append(request)
        self._changed.set()
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.delay_s)
            for response in self.respond(request):
                yield response
        except ContractError as error:
            status = to_status(error)
            await context.abort(status.code, status.details, status.trailing_metadata)
        finally:
            self.in_flight -= 1


def wire_identity(request: pb.GenerateRequest) -> str:
    """Output modality and hash of a message without its id, as one word; the hash covers the expected digest too."""
    content = pb.GenerateRequest.FromString(request.SerializeToString())
    content.ClearField("request_id")
    digest = hashlib.sha256(content.SerializeToString(deterministic=True)).hexdigest()
    return f"{pb.Modality.Name(request.output)}-{digest[:12]}"


def text(words: str) -> pb.GenerateResponse:
    return pb.GenerateResponse(delta=pb.Delta(text=words))


def audio(seed: str) -> pb.GenerateResponse:
    data = encode_pcm16(sound(seed))
    return pb.GenerateResponse(
        delta=pb.Delta(audio=pb.Audio(data=data, mime_type=PCM, sample_rate_hz=RATE, channels=1))
    )


def complete(digest: str = "wire") -> pb.GenerateResponse:
    return pb.GenerateResponse(complete=pb.Complete(finish_reason=pb.FINISH_REASON_STOP, digest=digest))


def plain(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
    """A complete answer by the contract: the identity of the request, and audio if speech is requested."""
    words = wire_identity(request)
    yield text(words)
    if request.output == pb.MODALITY_SPEECH:
        yield audio(words)
    yield complete(request.expected_digest)


Serve = Callable[[Adapter], Awaitable[str]]
ServeWire = Callable[[Wire], Awaitable[str]]
