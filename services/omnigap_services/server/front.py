"""The gRPC face: calls in, events out, and every error with its reason."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NoReturn

from omnigap.errors import ContractError
from omnigap.rpc_errors import to_status
from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1 import model_service_pb2_grpc as pb_grpc
from omnigap.vocabulary import Reason
from omnigap_services.failures import failure_of, shortened
from omnigap_services.server.desk import Desk


class Front(pb_grpc.ModelServiceServicer):
    """ModelService; answers NOT_READY until `open`."""

    def __init__(self) -> None:
        self._desk: Desk | None = None
        self._description = pb.DescribeResponse()

    def open(self, desk: Desk, description: pb.DescribeResponse) -> None:
        """From now on calls are answered."""
        self._desk, self._description = desk, description

    async def Describe(self, request: pb.DescribeRequest, context: Any) -> pb.DescribeResponse:  # noqa: N802
        if self._desk is None:
            await _abort(context, _not_ready())
        return self._description

    async def Generate(self, request: pb.GenerateRequest, context: Any) -> AsyncIterator[pb.GenerateResponse]:  # noqa: N802
        desk = self._desk
        if desk is None:
            await _abort(context, _not_ready())
        try:
            answer = desk.open(request, context.time_remaining())
        except Exception as error:
            await _abort(context, failure_of(error))
        try:
            async for event in answer.follow():
                yield event
        except ContractError as error:
            await _abort(context, error)
        finally:
            desk.leave(answer)


def _not_ready() -> ContractError:
    return ContractError(Reason.NOT_READY, "the service is still loading: wait until its health says SERVING")


async def _abort(context: Any, error: ContractError) -> NoReturn:
    status = to_status(shortened(error))
    await context.abort(status.code, status.details, status.trailing_metadata)
    raise AssertionError("abort raises")
