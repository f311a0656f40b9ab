"""Errors over a real channel: reason and message round-trip, and errors without ErrorInfo get a reason."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from omnigap.errors import ContractError
from omnigap.rpc_errors import STATUS_OF_REASON, from_rpc_error, to_status
from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1 import model_service_pb2_grpc as pb_grpc
from omnigap.vocabulary import ERROR_DOMAIN, Reason


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


class Raw(grpc.RpcError):  # type: ignore[misc]
    """An RPC error with any status, message and metadata, as a broken service or proxy causes it."""

    def __init__(self, code: object, details: object, trailing: object) -> None:
        self.parts = code, details, trailing

    def code(self) -> object:
        return self.parts[0]

    def details(self) -> object:
        return self.parts[1]

    def trailing_metadata(self) -> object:
        return self.parts[2]


KEY = "grpc-status-details-bin"


def details_of(type_url: str, value: bytes) -> bytes:
    detail = any_pb2.Any(type_url=f"type.googleapis.com/{type_url}", value=value)
    return status_pb2.Status(details=[detail]).SerializeToString()  # type: ignore[no-any-return]


BUSY = details_of(
    "google.rpc.ErrorInfo", error_details_pb2.ErrorInfo(reason="BUSY", domain=ERROR_DOMAIN).SerializeToString()
)
INTERNAL = grpc.StatusCode.INTERNAL


@pytest.mark.parametrize(
    ("code", "details", "trailing", "reason"),
    [
        (INTERNAL, "x", ((KEY, b"\xff\xff"),), Reason.MODEL_ERROR),
        (INTERNAL, "x", ((KEY, details_of("google.rpc.ErrorInfo", b"\xff\xff")),), Reason.MODEL_ERROR),
        (INTERNAL, "x", ((KEY, details_of("google.rpc.Help", b"\xff\xff")),), Reason.MODEL_ERROR),
        (INTERNAL, "x", ((KEY, b"\xff"), (KEY, BUSY), (KEY, b"")), Reason.BUSY),
        (INTERNAL, "x", ((KEY, BUSY), (KEY, b"\xff")), Reason.BUSY),
        (INTERNAL, "x", ((KEY, "text"), ("x", "y")), Reason.MODEL_ERROR),
        (INTERNAL, None, None, Reason.MODEL_ERROR),
        (INTERNAL, b"\xff bytes", (), Reason.MODEL_ERROR),
        (None, "x", (), Reason.MODEL_ERROR),
        (4711, "x", (), Reason.MODEL_ERROR),
    ],
)
def test_malformed_errors_have_a_reason(code: object, details: object, trailing: object, reason: Reason) -> None:
    found = from_rpc_error(Raw(code, details, trailing))
    assert found.reason is reason
    assert found.message


def test_messages_are_cut_and_escaped() -> None:
    found = from_rpc_error(Raw(INTERNAL, "\x1b[2J\u202e\0one\ntwo " + "x" * 5_000_000, ()))
    assert found.message.startswith("\\x1b[2J\\u202e\\x00one two xxx")
    assert len(found.message) < 1_100
    assert found.message.isprintable()


@pytest.mark.parametrize("message", ["x" * 1_000_000, "한" * 100_000, "lone \ud800 surrogate", "\0\x1b\r\n" * 10_000])
def test_any_message_reaches_the_caller_with_its_reason(stub: pb_grpc.ModelServiceStub, message: str) -> None:
    """A status over 8 KiB would be dropped by gRPC at random, and with it the reason."""
    status = to_status(ContractError(Reason.BUSY, message))
    assert len(status.details.encode()) < 4_000
    if message.isprintable():
        error = received(stub, "BUSY", message)
        assert error.reason is Reason.BUSY
        assert error.message[:100] == message[:100]
