"""The contract's error for an exception that a service raised, recognised without importing any framework."""

from __future__ import annotations

import logging
import traceback

from omnigap.digest import sha256_hex
from omnigap.errors import ContractError, shown
from omnigap.vocabulary import Reason

_log = logging.getLogger(__name__)

_NOTE = "fault"

# Innermost stack frames that identify a fault.
_FRAMES = 3

# Status messages are sent in HTTP/2 headers, percent-encoded (a byte may become three) and limited to 8 kB in all.
_MAX_MESSAGE_BYTES = 1_200

OUT_OF_MEMORY = (
    *("out of memory", "outofmemory", "cublas_status_alloc_failed"),
    *("failed to allocate", "cannot allocate memory", "can't allocate memory"),
)
"""Phrases of CUDA, cuBLAS, CTranslate2, CPU allocators and the kernel, in lower case."""

# Matched by name: torch and jax have their own classes, and importing them here would load a framework.
_CLASSES = frozenset({"MemoryError", "OutOfMemoryError"})


def failure_of(error: BaseException) -> ContractError:
    """The contract's error for an exception; a ContractError is returned unchanged.

    Any other is logged with its traceback under a fault id, which the message names too. The id depends on where the
    exception was raised, so that repeated failures have the same message.
    """
    if isinstance(error, ContractError):
        return error
    fault = _fault_id(error)
    # The note marks an exception as logged: one that ends a whole batch gets here once per request.
    if not any(note.startswith(_NOTE) for note in getattr(error, "__notes__", ())):
        error.add_note(f"{_NOTE} {fault}")
        _log.error("%s %s: an unexpected %s", _NOTE, fault, type(error).__name__, exc_info=error)
    # The id comes before the exception's own text, which `shortened` may cut.
    text = f"{type(error).__name__} ({_NOTE} {fault} in the service's log): {error}"
    if is_out_of_memory(error):
        advice = "the service ran out of memory: send fewer calls at once, a shorter input, or lower its max_batch_size"
        return ContractError(Reason.OUT_OF_MEMORY, f"{advice} ({text})")
    return ContractError(Reason.MODEL_ERROR, text)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on a GPU or in the process."""
    if _CLASSES.intersection(kind.__name__ for kind in type(error).__mro__):
        return True
    return isinstance(error, RuntimeError | OSError) and any(text in str(error).lower() for text in OUT_OF_MEMORY)


def _fault_id(error: BaseException) -> str:
    """Eight hex digits that identify an exception's class and the place where it was raised."""
    places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    return sha256_hex("\n".join([type(error).__name__, *places[-_FRAMES:]]).encode())[:8]


def shortened(error: ContractError) -> ContractError:
    """The error with a message that fits into the response headers, and without characters that steer a terminal."""
    message = shown(error.message, _MAX_MESSAGE_BYTES)
    encoded = message.encode("utf-8", "replace")
    if len(encoded) <= _MAX_MESSAGE_BYTES:
        return error if message == error.message else ContractError(error.reason, message)
    return ContractError(error.reason, encoded[:_MAX_MESSAGE_BYTES].decode("utf-8", "ignore") + " ...")
