"""What a fault of the Triton server or of the way to it means in the contract's reasons."""

from __future__ import annotations

import grpc
from tritonclient.utils import InferenceServerException

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.failures import OUT_OF_MEMORY

_HEAD, _TAIL = 150, 450
"""Characters of a server's error that are passed on: of a Python model's traceback, the end says what was wrong."""

# Read in Triton's sources and seen on a running server; the first that fits is taken. Errors within a stream have
# a text and no status.
_TEXTS = (
    (Reason.OUT_OF_MEMORY, OUT_OF_MEMORY),
    (Reason.RATE_LIMITED, ("exceeds maximum queue size",)),
    (Reason.DEADLINE_EXCEEDED, ("request timeout expired",)),
    (Reason.UPSTREAM_UNAVAILABLE, ("request for unknown model", "stub process", "server is stopping", "not ready")),
)

_STATUSES = {
    "UNAVAILABLE": Reason.UPSTREAM_UNAVAILABLE,
    "NOT_FOUND": Reason.UPSTREAM_UNAVAILABLE,
    "CANCELLED": Reason.UPSTREAM_UNAVAILABLE,
    "INVALID_ARGUMENT": Reason.BAD_REQUEST,
    "UNIMPLEMENTED": Reason.BAD_REQUEST,
    "UNAUTHENTICATED": Reason.BAD_REQUEST,
    "PERMISSION_DENIED": Reason.BAD_REQUEST,
    "DEADLINE_EXCEEDED": Reason.DEADLINE_EXCEEDED,
    "RESOURCE_EXHAUSTED": Reason.TOO_LARGE,
}

_ADVICE = {
    "UNAVAILABLE": "start it there, or set url, and ssl where it wants TLS",
    "NOT_FOUND": "load the model, or set model and model_version; then start this service again",
    "UNIMPLEMENTED": "was the model replaced? Start this service again",
}

PASSING = frozenset({Reason.UPSTREAM_UNAVAILABLE, Reason.RATE_LIMITED})
"""What another try may find gone."""


def fault_of(error: InferenceServerException | grpc.RpcError, where: str) -> ContractError:
    """The contract's error for what the client raised, or found in a stream."""
    status, said = _status_and_text(error)
    reason = _by_text(said) or _STATUSES.get(status, Reason.MODEL_ERROR)
    advice = f": {_ADVICE[status]}" if status in _ADVICE else ""
    told = f"the Triton server at {where} answered {status or 'in its stream'} ({_cut(said)}){advice}"
    return ContractError(reason, told)


def silent(where: str, timeout_s: float) -> ContractError:
    """Nothing came for too long."""
    text = f"the Triton server at {where} was silent for longer than timeout_s = {timeout_s:g}: raise it"
    return ContractError(Reason.DEADLINE_EXCEEDED, f"{text}, or lower concurrency")


def is_unknown_model(error: InferenceServerException) -> bool:
    """True where the server is there and has no such model or version."""
    return _status_and_text(error)[0] == "NOT_FOUND"


def _status_and_text(error: InferenceServerException | grpc.RpcError) -> tuple[str, str]:
    """Name of the gRPC status, empty for an error within a stream, and the server's words on one line."""
    if isinstance(error, InferenceServerException):
        status, said = str(error.status() or ""), str(error.message() or "")
    elif isinstance(error, grpc.aio.AioRpcError):
        status, said = str(error.code()), error.details() or ""
    else:
        status, said = "", str(error)
    return status.removeprefix("StatusCode."), " ".join(said.split())


def _cut(said: str) -> str:
    return said if len(said) <= _HEAD + _TAIL else f"{said[:_HEAD]} ... {said[-_TAIL:]}"


def _by_text(said: str) -> Reason | None:
    small = said.lower()
    return next((reason for reason, marks in _TEXTS if any(mark in small for mark in marks)), None)
