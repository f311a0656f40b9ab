"""Converts `ContractError` to a gRPC status with google.rpc.ErrorInfo, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from omnigap.errors import ContractError
from omnigap.vocabulary import ERROR_DOMAIN, Reason

STATUS_OF_REASON = {
    Reason.BUSY: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.DRAINING: grpc.StatusCode.UNAVAILABLE,
    Reason.NOT_READY: grpc.StatusCode.UNAVAILABLE,
    Reason.TOO_LARGE: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.BAD_MEDIA: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.BAD_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.UNSUPPORTED_CONDITION: grpc.StatusCode.UNIMPLEMENTED,
    Reason.DIGEST_MISMATCH: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.REQUEST_ID_REUSED: grpc.StatusCode.ALREADY_EXISTS,
    Reason.OUT_OF_MEMORY: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.RATE_LIMITED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.QUOTA_EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Reason.PERMISSION_DENIED: grpc.StatusCode.PERMISSION_DENIED,
    Reason.UPSTREAM_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Reason.DEADLINE_EXCEEDED: grpc.StatusCode.DEADLINE_EXCEEDED,
    Reason.CANCELLED: grpc.StatusCode.CANCELLED,
    Reason.MODEL_ERROR: grpc.StatusCode.INTERNAL,
    Reason.TRANSPORT: grpc.StatusCode.UNAVAILABLE,
    Reason.INCOMPLETE_STREAM: grpc.StatusCode.INTERNAL,
}

# Reason of a status that came without ErrorInfo: from a proxy, a dead process or gRPC itself.
_REASON_OF_STATUS = {
    grpc.StatusCode.DEADLINE_EXCEEDED: Reason.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED: Reason.CANCELLED,
    grpc.StatusCode.UNAUTHENTICATED: Reason.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED: Reason.PERMISSION_DENIED,
    grpc.StatusCode.UNAVAILABLE: Reason.TRANSPORT,
    # gRPC raises this for a message over the size limit. A server that is BUSY sends ErrorInfo instead.
    grpc.StatusCode.RESOURCE_EXHAUSTED: Reason.TOO_LARGE,
    grpc.StatusCode.INVALID_ARGUMENT: Reason.BAD_REQUEST,
    grpc.StatusCode.UNIMPLEMENTED: Reason.UNSUPPORTED_CONDITION,
}


def to_status(error: ContractError) -> Any:
    """Returns the status for `context.abort_with_status`, with ErrorInfo in its details."""
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason=error.reason.value, domain=ERROR_DOMAIN))
    code, _ = STATUS_OF_REASON[error.reason].value
    return rpc_status.to_status(status_pb2.Status(code=code, message=error.message, details=[detail]))


def from_rpc_error(error: grpc.RpcError) -> ContractError:
    """Returns the contract's error; without ErrorInfo its reason follows from the status code."""
    code = error.code()
    message = error.details() or code.name
    for info in error_infos(error):
        if info.domain == ERROR_DOMAIN and info.reason in Reason.__members__:
            return ContractError(Reason(info.reason), message)
    return ContractError(_REASON_OF_STATUS.get(code, Reason.MODEL_ERROR), message)


def error_infos(error: grpc.RpcError) -> list[error_details_pb2.ErrorInfo]:
    """Returns every google.rpc.ErrorInfo in the details of an RPC error; empty if the details cannot be parsed."""
    metadata = dict(cast("Iterable[tuple[str, bytes]]", error.trailing_metadata() or ()))
    try:
        details = status_pb2.Status.FromString(metadata.get("grpc-status-details-bin", b"")).details
    except DecodeError:
        return []
    found = []
    for detail in details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            found.append(info)
    return found
