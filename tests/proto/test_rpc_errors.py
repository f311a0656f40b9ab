"""Errors over a real channel: reason and message round-trip, and errors without ErrorInfo get a reason."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from omnigap.errors import ContractError
from omnigap.rpc_errors import STATUS_OF_REASON, from_rpc_error, to_status
from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1 import model_service_pb2_grpc as pb_grpc
from omnigap.vocabulary import Reason


class RefusingServicer(pb_grpc.ModelServiceServicer):
    """Aborts with the reason named by the request id; a gRPC status name gives that status without ErrorInfo."""

    def Generate(self, request: pb.GenerateRequest, context: grpc.ServicerContext) -> Iterator[pb.GenerateResponse]:  # noqa: N802
        if request.request_id in Reason.__members__:
            context.abort_with_status(to_status(ContractError(Reason[request.request_id], request.system_prompt)))
        context.abort(grpc.StatusCode[request.request_id], request.system_prompt)
        yield pb.GenerateResponse()


@pytest.fixture(scope="module")
def stub() -> Iterator[pb_grpc.ModelServiceStub]:
    server = grpc.server(ThreadPoolExecutor(2))
    pb_grpc.add_ModelServiceServicer_to_server(RefusingServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield pb_grpc.ModelServiceStub(channel)
    server.stop(0)


def received(stub: pb_grpc.ModelServiceStub, name: str, message: str) -> ContractError:
    with pytest.raises(grpc.RpcError) as caught:
        list(stub.Generate(pb.GenerateRequest(request_id=name, system_prompt=message), timeout=10))
    return from_rpc_error(caught.value)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_round_trips_with_its_message(stub: pb_grpc.ModelServiceStub, reason: Reason) -> None:
    error = received(stub, reason.name, "max_queue = 64 ist voll, 기다리세요")
    assert (error.reason, error.message) == (reason, "max_queue = 64 ist voll, 기다리세요")


def test_every_reason_has_a_status() -> None:
    assert set(STATUS_OF_REASON) == set(Reason)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("UNAVAILABLE", Reason.TRANSPORT),
        ("DEADLINE_EXCEEDED", Reason.DEADLINE_EXCEEDED),
        ("RESOURCE_EXHAUSTED", Reason.TOO_LARGE),
        ("INVALID_ARGUMENT", Reason.BAD_REQUEST),
        ("INTERNAL", Reason.MODEL_ERROR),
        ("PERMISSION_DENIED", Reason.PERMISSION_DENIED),
        ("UNAUTHENTICATED", Reason.UNAUTHENTICATED),
    ],
)
def test_status_without_error_info_maps_to_a_reason(
    stub: pb_grpc.ModelServiceStub, status: str, reason: Reason
) -> None:
    error = received(stub, status, "a proxy said so")
    assert (error.reason, error.message) == (reason, "a proxy said so")


def test_missing_server_is_a_transport_error() -> None:
    with grpc.insecure_channel("127.0.0.1:1") as channel, pytest.raises(grpc.RpcError) as caught:
        pb_grpc.ModelServiceStub(channel).Describe(pb.DescribeRequest(), timeout=10)
    assert from_rpc_error(caught.value).reason is Reason.TRANSPORT
