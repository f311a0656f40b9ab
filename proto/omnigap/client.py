"""Client of the Generate contract: health, Describe and Generate of one service at one address."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2

from omnigap.answer import UNREADABLE, Answer, StreamCollector
from omnigap.card import check_card
from omnigap.channel import channel_options, host_and_port, proxy_for
from omnigap.errors import ContractError, shown
from omnigap.limits import MAX_ERROR_CHARS
from omnigap.rpc_errors import from_rpc_error, status_of
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason

_Message = TypeVar("_Message")
_Call = grpc.aio.UnaryStreamCall[pb.GenerateRequest, pb.GenerateResponse]

OnDelta = Callable[[pb.Delta], None]

SERVING = "SERVING"
UNREADABLE_CARD = pb.DescribeResponse()
"""Takes the place of bytes that are no DescribeResponse; recognised by identity."""
_UNREADABLE_HEALTH = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.UNKNOWN)
_SERVICE = f"/{pb.DESCRIPTOR.services_by_name['ModelService'].full_name}"
_HEALTH = f"/{health_pb2.DESCRIPTOR.services_by_name['Health'].full_name}"


def _health_failure(error: ContractError) -> str:
    # Not in `health`: a variable there would make a cycle of error, traceback and call, and the call would keep its
    # connection, with its back-off, until the next garbage collection.
    cause = error.__cause__
    return f"gRPC status {status_of(cause).name}" if isinstance(cause, grpc.RpcError) else error.message


def _reader(parse: Callable[[bytes], _Message], unreadable: _Message) -> Callable[[bytes], _Message]:
    """A deserialiser that returns `unreadable` for bytes that are no such message."""

    # gRPC prints the traceback of a deserialiser that raises, and passes None on.
    def read(data: bytes) -> _Message:
        try:
            return parse(data)
        except DecodeError:
            return unreadable

    return read


class GenerateClient:
    """A service at one address, over one channel.

    Calls may run concurrently; retries are left to the caller. A client belongs to the event loop it was created on.

    Whatever a service sends, the methods return something that follows the contract, or raise ContractError.

    Attributes:
        address: as given, followed by the IP address if one was given.
        proxy: HTTP proxy that calls go through; empty for direct calls.
        channel: for raw calls whose gRPC errors the caller handles itself.
        notes: values that `describe` lowered to their bound, as messages.
    """

    def __init__(self, address: str, proxy: str = "", *, ip: str = "", spread: bool = False) -> None:
        """
        Args:
            proxy: `http://HOST:PORT`; ignored for loopback addresses.
            ip: address of the host in `address` to connect to, for a name with several addresses.
            spread: distribute the calls over all addresses of the host, and leave out those that do not answer.
        """
        self.address = f"{address} ({ip})" if ip else address
        self.proxy = proxy_for(address, proxy)
        options = channel_options(address, proxy)
        place = host_and_port(address) if ip else None
        if place is not None:
            # A gateway that serves several names at one address chooses by this header.
            options = (*options, ("grpc.default_authority", ":".join(place)))
        if spread:
            options = (*options, ("grpc.lb_policy_name", "round_robin"))
        target = address if place is None else f"[{ip}]:{place[1]}" if ":" in ip else f"{ip}:{place[1]}"
        self.channel = grpc.aio.insecure_channel(target, options=options)
        self.notes: list[str] = []
        self._generate = self.channel.unary_stream(
            f"{_SERVICE}/Generate",
            pb.GenerateRequest.SerializeToString,
            _reader(pb.GenerateResponse.FromString, UNREADABLE),
        )
        self._describe = self.channel.unary_unary(
            f"{_SERVICE}/Describe",
            pb.DescribeRequest.SerializeToString,
            _reader(pb.DescribeResponse.FromString, UNREADABLE_CARD),
        )
        self._check = self.channel.unary_unary(
            f"{_HEALTH}/Check",
            health_pb2.HealthCheckRequest.SerializeToString,
            _reader(health_pb2.HealthCheckResponse.FromString, _UNREADABLE_HEALTH),
        )

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
            with _Errors(self):
                response = await self._check(request, timeout=timeout_s)
        except ContractError as error:
            return _health_failure(error)
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
            ContractError: the service cannot be reached or does not implement the contract; MODEL_ERROR with the field
                that violates it.
        """
        with _Errors(self):
            card = await self.call_describe(timeout_s, wait_for_ready=wait_for_ready)
        if card is UNREADABLE_CARD:
            text = f"{self.address} answered Describe with bytes that are no DescribeResponse"
            raise ContractError(Reason.MODEL_ERROR, text)
        self.notes = check_card(card, self.address)
        return card

    def call_describe(
        self, timeout_s: float, *, wait_for_ready: bool = False
    ) -> grpc.aio.UnaryUnaryCall[pb.DescribeRequest, pb.DescribeResponse]:
        """Starts a Describe call, for a caller that checks the card itself; `UNREADABLE_CARD` replaces other bytes."""
        request = pb.DescribeRequest()
        return self._describe(request, timeout=timeout_s, wait_for_ready=wait_for_ready)

    def call(self, request: pb.GenerateRequest, timeout_s: float) -> _Call:
        """Starts a Generate call, for a caller that reads the stream itself; `UNREADABLE` replaces other bytes."""
        return self._generate(request, timeout=timeout_s)

    async def generate(
        self, request: pb.GenerateRequest, timeout_s: float, on_delta: OnDelta = lambda _: None
    ) -> Answer:
        """Sends one request and returns the complete answer. Cancelling the coroutine cancels the call.

        Args:
            on_delta: called with each delta, after it has been checked.

        Raises:
            ContractError: with the server's reason; INCOMPLETE_STREAM if the stream ended without `complete`;
                MODEL_ERROR or TOO_LARGE, without waiting for the rest, if the stream violates the contract or exceeds
                a bound of `omnigap.limits`; MODEL_ERROR or DIGEST_MISMATCH if the answer is not what was requested
                (`Answer.check_request`).
        """
        sent = time.perf_counter()
        collector = StreamCollector(self.address)
        errors = _Errors(self)
        call = None
        try:
            with errors:
                call = self.call(request, timeout_s)
            while True:
                with errors:
                    response = await call.read()
                # gRPC's mark of the end of the stream is not a message.
                if not isinstance(response, pb.GenerateResponse):
                    break
                collector.add(response)
                if collector.fault is not None:
                    raise collector.fault
                if response.HasField("delta"):
                    on_delta(response.delta)
        finally:
            # Without this the server would keep generating after an error or a cancelled coroutine.
            if call is not None:
                call.cancel()
        return collector.answer(time.perf_counter() - sent).check_request(request)

    def error_of(self, error: grpc.RpcError) -> ContractError:
        """Converts a gRPC error; a transport error names the proxy, since the proxy may be its cause."""
        found = from_rpc_error(error)
        if self.proxy and found.reason in (Reason.TRANSPORT, Reason.DEADLINE_EXCEEDED):
            text = f"{found.message} ({self.address} is called through the proxy {self.proxy})"
            return ContractError(found.reason, text)
        return found


class _Errors:
    """A context whose exceptions all become ContractError: gRPC raises more than RpcError."""

    def __init__(self, client: GenerateClient) -> None:
        self._client = client

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return
        if isinstance(error, grpc.RpcError):
            raise self._client.error_of(error) from error
        address = self._client.address
        if isinstance(error, asyncio.CancelledError):
            task = asyncio.current_task()
            if task is None or not task.cancelling():
                # The channel was closed, or the peer reset the stream. Passed on, it would end the caller's task
                # as if the task itself had been cancelled: without a trace.
                raise ContractError(Reason.CANCELLED, f"the call of {address} was cancelled") from error
        elif isinstance(error, Exception):
            text = f"the call of {address} failed: {type(error).__name__}: {shown(str(error), MAX_ERROR_CHARS)}"
            raise ContractError(Reason.MODEL_ERROR, text) from error
