"""Client of the Generate contract: health, Describe and Generate of one service at one address."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from omnigap import convert
from omnigap.channel import channel_options, proxy_for
from omnigap.errors import ContractError, no_audio
from omnigap.media.audio import PCM
from omnigap.rpc_errors import from_rpc_error
from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1.model_service_pb2_grpc import ModelServiceStub
from omnigap.vocabulary import FinishReason, Reason

OnDelta = Callable[[pb.Delta], None]

SERVING = "SERVING"


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished answer.

    Attributes:
        own_text: all text deltas, joined.
        pcm: signed 16-bit little-endian mono audio; empty for an answer without audio, or with empty audio.
        sample_rate: sample rate of `pcm` in Hz; 0 without audio, the rate of an empty one otherwise.
        latency_s: seconds from sending the request to the last byte, by the caller's clock.
    """

    own_text: str
    reasoning: str
    pcm: bytes
    sample_rate: int
    finish_reason: FinishReason
    usage: pb.Usage
    timings: pb.Timings
    digest: str
    diagnostics: Mapping[str, float]
    detected_language: str
    latency_s: float
    endpoint: str

    @property
    def audio_seconds(self) -> float:
        return len(self.pcm) / 2 / self.sample_rate if self.sample_rate else 0.0

    def check_output(self, output: pb.Modality.ValueType) -> Answer:
        """Returns this answer if it has what was requested; a text answer may be empty, as a transcript often is.

        Raises:
            ContractError: MODEL_ERROR for audio in a text answer, and for a speech answer without any audio (not even
                empty audio) that is not a refusal.
        """
        if output == pb.MODALITY_TEXT and self.sample_rate:
            raise ContractError(Reason.MODEL_ERROR, f"{self.endpoint} sent audio in a text answer")
        # A model that refuses to answer has nothing to say, so its text or its finish reason is the answer.
        refused = self.finish_reason is FinishReason.REFUSED
        if output == pb.MODALITY_SPEECH and not self.sample_rate and not refused:
            raise no_audio(self.own_text)
        return self


class GenerateClient:
    """A service at one address, over one channel.

    Calls may run concurrently; retries are left to the caller. A client belongs to the event loop it was created on.

    Attributes:
        proxy: HTTP proxy that calls go through; empty for direct calls.
        channel, stub: for raw calls whose gRPC errors the caller handles itself.
    """

    def __init__(self, address: str, proxy: str = "") -> None:
        """
        Args:
            proxy: `http://HOST:PORT`; ignored for loopback addresses.
        """
        self.address = address
        self.proxy = proxy_for(address, proxy)
        self.channel = grpc.aio.insecure_channel(address, options=channel_options(address, proxy))
        self.stub = ModelServiceStub(self.channel)  # type: ignore[no-untyped-call]
        self._health = health_pb2_grpc.HealthStub(self.channel)

    async def __aenter__(self) -> GenerateClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the channel and cancels the calls on it."""
        await self.channel.close(None)

    async def health(self, service: str = "", timeout_s: float = 5.0) -> str:
        """Returns the status name of grpc.health.v1 (such as `SERVING`), or the gRPC status of a failed check."""
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            response = await self._health.Check(request, timeout=timeout_s)
        except grpc.RpcError as error:
            return f"gRPC status {error.code().name}"
        try:
            return str(health_pb2.HealthCheckResponse.ServingStatus.Name(response.status))
        except ValueError:
            return f"status {response.status}, which grpc.health.v1 does not define"

    async def serving(self, timeout_s: float = 5.0) -> bool:
        """Whether the health service reports SERVING within the timeout."""
        return await self.health(timeout_s=timeout_s) == SERVING

    async def describe(self, timeout_s: float = 10.0, *, wait_for_ready: bool = False) -> pb.DescribeResponse:
        """Returns the service's own description.

        Args:
            wait_for_ready: wait up to `timeout_s` for a server to listen at the address.

        Raises:
            ContractError: the service cannot be reached or does not implement the contract.
        """
        request = pb.DescribeRequest()
        try:
            card: pb.DescribeResponse = await self.stub.Describe(
                request, timeout=timeout_s, wait_for_ready=wait_for_ready
            )
        except grpc.RpcError as error:
            raise self._error(error) from error
        return card

    def call(
        self, request: pb.GenerateRequest, timeout_s: float
    ) -> grpc.aio.UnaryStreamCall[pb.GenerateRequest, pb.GenerateResponse]:
        """Starts a Generate call, for a caller that reads the stream itself."""
        call: grpc.aio.UnaryStreamCall[pb.GenerateRequest, pb.GenerateResponse] = self.stub.Generate(
            request, timeout=timeout_s
        )
        return call

    async def generate(
        self, request: pb.GenerateRequest, timeout_s: float, on_delta: OnDelta = lambda _: None
    ) -> Answer:
        """Sends one request and returns the complete answer. Cancelling the coroutine cancels the call.

        Args:
            on_delta: called with each delta, after it has been checked.

        Raises:
            ContractError: with the server's reason; INCOMPLETE_STREAM if the stream ended without `complete`;
                MODEL_ERROR or BAD_MEDIA, without waiting for the rest, if the stream violates the contract;
                MODEL_ERROR if the answer is not in the requested modality (`Answer.check_output`).
        """
        sent = time.perf_counter()
        collector = StreamCollector(self.address)
        call = self.call(request, timeout_s)
        try:
            async for response in call:
                collector.add(response)
                if collector.fault is not None:
                    raise collector.fault
                if response.HasField("delta"):
                    on_delta(response.delta)
        except grpc.RpcError as error:
            raise self._error(error) from error
        finally:
            # Without this the server would keep generating after an error or a cancelled coroutine.
            call.cancel()
        return collector.answer(time.perf_counter() - sent).check_output(request.output)

    def _error(self, error: grpc.RpcError) -> ContractError:
        """Converts a gRPC error; a transport error names the proxy, since the proxy may be its cause."""
        found = from_rpc_error(error)
        if self.proxy and found.reason in (Reason.TRANSPORT, Reason.DEADLINE_EXCEEDED):
            text = f"{found.message} ({self.address} is called through the proxy {self.proxy})"
            return ContractError(found.reason, text)
        return found


class StreamCollector:
    """Collects the events of one response stream, in order.

    A stream that violates the contract is collected as well, so that `conform` can inspect it; `answer` raises for it.

    Attributes:
        chunks: every piece of audio.
        completes: every `complete`; a valid stream has one.
        late: number of events after the first `complete`.
        fault: the first violation of the contract; None if there is none so far.
    """

    def __init__(self, source: str = "the service") -> None:
        """
        Args:
            source: name of the sender in error messages, such as its address.
        """
        self.chunks: list[pb.Audio] = []
        self.completes: list[pb.Complete] = []
        self.late = 0
        self.fault: ContractError | None = None
        self._source = source
        self._texts: list[str] = []
        self._reasoning: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._texts)

    @property
    def reasoning(self) -> str:
        return "".join(self._reasoning)

    @property
    def pcm(self) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks)

    def add(self, response: pb.GenerateResponse) -> None:
        """Adds and checks one event; a violation is recorded in `fault` and does not raise."""
        if self.completes:
            self.late += 1
            self._violation(
                Reason.MODEL_ERROR, "the stream continued after `complete`: the service breaks the contract"
            )
        if response.HasField("complete"):
            self.completes.append(response.complete)
            return
        self._texts.append(response.delta.text)
        self._reasoning.append(response.delta.reasoning)
        if response.delta.HasField("audio"):
            self._check_audio(response.delta.audio)
            self.chunks.append(response.delta.audio)

    def _check_audio(self, audio: pb.Audio) -> None:
        mime = audio.mime_type.split(";")[0].strip()
        if mime != PCM or audio.channels not in (0, 1) or not audio.sample_rate_hz:
            found = f"{audio.mime_type!r} with {audio.channels} channels at {audio.sample_rate_hz} Hz"
            text = f"answer audio must be mono {PCM} with a sample rate; the service sent {found}"
            self._violation(Reason.BAD_MEDIA, text)
        elif self.chunks and self.chunks[0].sample_rate_hz != audio.sample_rate_hz:
            rates = f"{self.chunks[0].sample_rate_hz} to {audio.sample_rate_hz} Hz"
            self._violation(Reason.BAD_MEDIA, f"the sample rate changed within one stream, from {rates}")
        elif len(audio.data) % 2:
            text = f"{self._source} sent {len(audio.data)} bytes of 16-bit audio: half a sample is missing"
            self._violation(Reason.BAD_MEDIA, text)

    def _violation(self, reason: Reason, message: str) -> None:
        # Only the first violation is kept: later ones are usually its consequences.
        self.fault = self.fault or ContractError(reason, message)

    def answer(self, latency_s: float = 0.0) -> Answer:
        """Returns the complete answer.

        Raises:
            ContractError: `fault`; INCOMPLETE_STREAM without `complete`; MODEL_ERROR without a finish reason.
        """
        if self.fault is not None:
            raise self.fault
        if not self.completes:
            text = f"{self._source} ended the stream without `complete`: the answer is cut off"
            raise ContractError(Reason.INCOMPLETE_STREAM, text)
        done = self.completes[0]
        try:
            finish = convert.finish_from_proto(done.finish_reason)
        except ValueError as error:
            raise ContractError(Reason.MODEL_ERROR, f"{self._source} gave no finish reason: {error}") from error
        return Answer(
            own_text=self.text,
            reasoning=self.reasoning,
            pcm=self.pcm,
            sample_rate=self.chunks[0].sample_rate_hz if self.chunks else 0,
            finish_reason=finish,
            usage=done.usage,
            timings=done.timings,
            digest=done.digest,
            diagnostics=dict(done.diagnostics),
            detected_language=done.detected_language,
            latency_s=latency_s,
            endpoint=self._source,
        )
