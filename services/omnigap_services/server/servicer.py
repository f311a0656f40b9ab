"""The gRPC servicers: ModelService, which sends every error with its reason, and health."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2, health_pb2_grpc

from omnigap.errors import ContractError, quoted, shown
from omnigap.limits import MAX_OUTDATED_CHARS
from omnigap.rpc_errors import to_status
from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1 import model_service_pb2_grpc as pb_grpc
from omnigap.vocabulary import Reason
from omnigap_services.failures import failure_of, shortened
from omnigap_services.server.scheduler import Scheduler

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Servicer(pb_grpc.ModelServiceServicer):
    """ModelService. It answers NOT_READY until `open` is called.

    Attributes:
        restart_reason: why the service is ending to be started again; empty if it is not.
    """

    def __init__(self, outdated: Callable[[], str] | None = None) -> None:
        """
        Args:
            outdated: as that of `Server`.
        """
        self.restart_reason = ""
        self._outdated = outdated
        self._scheduler: Scheduler | None = None
        self._description = pb.DescribeResponse()

    def open(self, scheduler: Scheduler, description: pb.DescribeResponse) -> None:
        """Answers calls from now on."""
        self._scheduler, self._description = scheduler, description

    async def Describe(self, request: pb.DescribeRequest, context: Any) -> pb.DescribeResponse:  # noqa: N802
        if self._scheduler is None:
            await _abort(context, _not_ready())
        why = self.restart_reason
        if not why and self._outdated is not None:
            # In a thread: it looks at files, and a file system may hang.
            why = await asyncio.to_thread(self._outdated)
        # Unprintable characters of a path are escaped, which lengthens them.
        self._description.outdated = shown(why, MAX_OUTDATED_CHARS)[:MAX_OUTDATED_CHARS]
        return self._description

    async def Generate(self, request: pb.GenerateRequest | None, context: Any) -> AsyncIterator[bytes]:  # noqa: N802
        scheduler = self._scheduler
        if scheduler is None:
            await _abort(context, _not_ready())
        if request is None:
            text = "the bytes of the request are not a GenerateRequest: send one as proto/omnigap/v1 defines it"
            await _abort(context, ContractError(Reason.BAD_REQUEST, text))
        try:
            log = scheduler.admit(request, context.time_remaining())
        except Exception as error:
            await _abort(context, failure_of(error))
        try:
            async for event in log.follow():
                yield event
        except ContractError as error:
            await _abort(context, error)
        finally:
            # gRPC cancels this coroutine when the caller goes away or its deadline passes, so this line runs then too.
            scheduler.leave(log)


def model_service_handler(name: str, servicer: Servicer) -> grpc.GenericRpcHandler[Any, Any]:
    """The handler of ModelService, under its full name. Unlike the generated one it takes events that are bytes."""
    return grpc.method_handlers_generic_handler(
        name,
        {
            "Describe": grpc.unary_unary_rpc_method_handler(
                servicer.Describe, pb.DescribeRequest.FromString, pb.DescribeResponse.SerializeToString
            ),
            "Generate": grpc.unary_stream_rpc_method_handler(servicer.Generate, _request_or_none),
        },
    )


def _request_or_none(data: bytes) -> pb.GenerateRequest | None:
    """The request; None if the bytes are none: gRPC would answer an exception without ErrorInfo."""
    try:
        return pb.GenerateRequest.FromString(data)
    except DecodeError:
        return None


def _not_ready() -> ContractError:
    return ContractError(Reason.NOT_READY, "the service is still loading: wait until its health says SERVING")


async def _abort(context: Any, error: ContractError) -> NoReturn:
    status = to_status(shortened(error))
    await context.abort(status.code, status.details, status.trailing_metadata)
    raise AssertionError("abort raises")


class HealthServicer(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """grpc.health.v1, with one status for the empty name and the given services; NOT_SERVING at first.

    It replaces the asyncio servicer of grpcio-health-checking, which forgets all watchers of a service when one of
    them leaves.
    """

    def __init__(self, *services: str) -> None:
        self._services = {"", *services}
        self._serving = False
        self._changed = asyncio.Condition()

    async def set_serving(self, serving: bool) -> None:
        """Changes the status and notifies all watchers."""
        async with self._changed:
            self._serving = serving
            self._changed.notify_all()

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.service not in self._services:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"unknown service {quoted(request.service)}")
        return self._response()

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        if request.service not in self._services:
            # The health protocol keeps this stream open: the service might be registered later.
            yield health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVICE_UNKNOWN)
            await asyncio.Event().wait()
        while True:
            sent = self._serving
            yield self._response()
            async with self._changed:
                # Compared with what was sent: the status may have changed while the response was on its way.
                while self._serving is sent:
                    await self._changed.wait()

    def _response(self) -> Any:
        return health_pb2.HealthCheckResponse(status=_SERVING if self._serving else _NOT_SERVING)
