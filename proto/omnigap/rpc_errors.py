"""Converts `ContractError` to a gRPC status with google.rpc.ErrorInfo, and back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any, cast
from urllib.parse import quote_from_bytes

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from omnigap.errors import ContractError, shown
from omnigap.limits import MAX_ERROR_CHARS
from omnigap.vocabulary import ERROR_DOMAIN, Reason

_DETAILS_KEY = "grpc-status-details-bin"

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


_MAX_STATUS_BYTES = 6_000
"""Bytes of a status on the wire. gRPC drops calls at random whose trailing metadata take more than 8 KiB."""


def to_status(error: ContractError) -> Any:
    """Returns the status for `context.abort_with_status`, with ErrorInfo in its details; a long message is cut."""
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason=error.reason.value, domain=ERROR_DOMAIN))
    code, _ = STATUS_OF_REASON[error.reason].value
    return rpc_status.to_status(status_pb2.Status(code=code, message=_fitting(error.message), details=[detail]))


def _fitting(message: str) -> str:
    """The message, cut to what a status can hold; lone surrogates, which UTF-8 has no code for, become `?`."""
    data = message.encode("utf-8", "replace")
    # A status holds it twice: percent-encoded, up to three bytes a byte, and in base64.
    if len(quote_from_bytes(data)) + len(data) * 4 / 3 <= _MAX_STATUS_BYTES:
        return data.decode()
    return data[: _MAX_STATUS_BYTES // 5].decode("utf-8", "ignore") + "…"


def from_rpc_error(error: grpc.RpcError) -> ContractError:
    """Returns the contract's error; without ErrorInfo its reason follows from the status code.

    Never raises: status, message and details come from the service, and may be anything. The message is cut after
    `MAX_ERROR_CHARS`.
    """
    code = status_of(error)
    message = shown(message_of(error) or code.name, MAX_ERROR_CHARS)
    for info in error_infos(error):
        if info.domain == ERROR_DOMAIN and info.reason in Reason.__members__:
            return ContractError(Reason(info.reason), message)
    return ContractError(_REASON_OF_STATUS.get(code, Reason.MODEL_ERROR), message)


def status_of(error: grpc.RpcError) -> grpc.StatusCode:
    """The status of an RPC error; UNKNOWN for one that gRPC does not define."""
    code = error.code()
    return code if isinstance(code, grpc.StatusCode) else grpc.StatusCode.UNKNOWN


def message_of(error: grpc.RpcError) -> str:
    """The message of an RPC error; empty without one."""
    details = error.details()
    return details.decode("utf-8", "replace") if isinstance(details, bytes) else str(details or "")


def error_infos(error: grpc.RpcError) -> list[error_details_pb2.ErrorInfo]:
    """Returns every google.rpc.ErrorInfo in the details of an RPC error; what cannot be parsed is left out."""
    found = []
    # A key may occur more than once, and a proxy may add its own.
    for key, value in cast("Iterable[tuple[str, bytes | str]]", error.trailing_metadata() or ()):
        if key != _DETAILS_KEY or not isinstance(value, bytes):
            continue
        try:
            details = status_pb2.Status.FromString(value).details
        except DecodeError:
            continue
        for detail in details:
            info = error_details_pb2.ErrorInfo()
            with contextlib.suppress(DecodeError):
                # False for details of another type; an error for bytes that only claim to be of this one.
                if detail.Unpack(info):
                    found.append(info)
    return found
