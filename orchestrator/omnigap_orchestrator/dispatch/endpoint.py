"""One replica of a service: its channel, its health, and one Generate call from request to gathered answer."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from types import TracebackType

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from omnigap import convert
from omnigap.errors import ContractError
from omnigap.limits import CHANNEL_OPTIONS
from omnigap.media.audio import PCM
from omnigap.rpc_errors import from_rpc_error
from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1.model_service_pb2_grpc import ModelServiceStub
from omnigap.vocabulary import Reason
from omnigap_orchestrator.dispatch.answer import Answer

# A service that comes back is noticed within seconds; gRPC's own back-off grows to two minutes.
_OPTIONS = (
    *CHANNEL_OPTIONS,
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)


class Endpoint:
    """A replica at one address. Calls may run side by side; retries and choice of replica belong to `Pool`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        self._stub = ModelServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._health = health_pb2_grpc.HealthStub(self._channel)

    async def __aenter__(self) -> Endpoint:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._channel.close(None)

    async def serving(self, timeout_s: float = 5.0) -> bool:
        """True if the health service says SERVING in time."""
        try:
            status = await self._health.Check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
        except grpc.RpcError:
            return False
        return bool(status.status == health_pb2.HealthCheckResponse.SERVING)

    async def describe(self, timeout_s: float = 10.0) -> pb.DescribeResponse:
        """What the service says of itself.

        Raises:
            ContractError: where it cannot be reached or does not speak the contract.
        """
        try:
            card: pb.DescribeResponse = await self._stub.Describe(pb.DescribeRequest(), timeout=timeout_s)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        return card

    async def generate(self, request: pb.GenerateRequest, timeout_s: float) -> Answer:
        """Sends one question and gathers the whole answer.

        Raises:
            ContractError: the server's reason; INCOMPLETE_STREAM where the stream ended without `complete`;
                BAD_MEDIA where the audio changes its format on the way.
        """
        sent = time.perf_counter()
        gathered = _Gathered()
        try:
            stream: AsyncIterator[pb.GenerateResponse] = self._stub.Generate(request, timeout=timeout_s)
            async for response in stream:
                gathered.add(response)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        return gathered.answer(time.perf_counter() - sent, self.address)


class _Gathered:
    """The pieces of one stream, in order."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._pcm: list[bytes] = []
        self._rate = 0
        self._complete: pb.Complete | None = None

    def add(self, response: pb.GenerateResponse) -> None:
        event = response.WhichOneof("event")
        if self._complete is not None:
            raise ContractError(
                Reason.MODEL_ERROR, "the stream went on after `complete`: the service breaks the contract"
            )
        if event == "complete":
            self._complete = response.complete
        elif event == "delta":
            self._add_delta(response.delta)

    def _add_delta(self, delta: pb.Delta) -> None:
        content = delta.WhichOneof("content")
        if content == "text":
            self._text.append(delta.text)
        elif content == "reasoning":
            self._reasoning.append(delta.reasoning)
        elif content == "audio":
            self._add_audio(delta.audio)

    def _add_audio(self, audio: pb.Audio) -> None:
        mime = audio.mime_type.split(";")[0].strip()
        if mime != PCM or audio.channels not in (0, 1) or not audio.sample_rate_hz:
            found = f"{audio.mime_type!r} with {audio.channels} channels at {audio.sample_rate_hz} Hz"
            raise ContractError(
                Reason.BAD_MEDIA, f"answers travel as mono {PCM} with their rate; the service sent {found}"
            )
        if self._rate not in (0, audio.sample_rate_hz):
            rates = f"{self._rate} to {audio.sample_rate_hz} Hz"
            raise ContractError(Reason.BAD_MEDIA, f"the answer's sample rate changed within one stream, {rates}")
        self._rate = audio.sample_rate_hz
        self._pcm.append(audio.data)

    def answer(self, latency_s: float, address: str) -> Answer:
        done = self._complete
        if done is None:
            text = f"{address} ended the stream without `complete`: the answer is not whole"
            raise ContractError(Reason.INCOMPLETE_STREAM, text)
        pcm = b"".join(self._pcm)
        if len(pcm) % 2:
            raise ContractError(
                Reason.BAD_MEDIA, f"{address} sent {len(pcm)} bytes of 16-bit audio: half a sample is missing"
            )
        try:
            finish = convert.finish_from_proto(done.finish_reason)
        except ValueError as error:
            raise ContractError(Reason.MODEL_ERROR, f"{address} gave no finish reason: {error}") from error
        return Answer(
            own_text="".join(self._text),
            reasoning="".join(self._reasoning),
            pcm=pcm,
            sample_rate=self._rate,
            finish_reason=finish,
            usage=done.usage,
            timings=done.timings,
            digest=done.digest,
            diagnostics=dict(done.diagnostics),
            detected_language=done.detected_language,
            latency_s=latency_s,
            endpoint=address,
        )
