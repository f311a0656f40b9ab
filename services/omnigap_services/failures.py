"""How memory that ran out is told from other errors, here and in the words of servers; no framework is imported."""

from __future__ import annotations

import logging
import traceback

from omnigap.digest import sha256_hex
from omnigap.errors import ContractError
from omnigap.vocabulary import Reason

OUT_OF_MEMORY = (
    *("out of memory", "outofmemory", "cublas_status_alloc_failed"),
    *("failed to allocate", "cannot allocate memory", "can't allocate memory"),
)
"""What CUDA, cuBLAS, CTranslate2, the CPU's allocators and the kernel say, in lower case."""

# Those of torch and jax are told by their name.
_CLASSES = frozenset({"MemoryError", "OutOfMemoryError"})


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or in the process."""
    if _CLASSES.intersection(kind.__name__ for kind in type(error).__mro__):
        return True
    return isinstance(error, RuntimeError | OSError) and any(text in str(error).lower() for text in OUT_OF_MEMORY)


# What an adapter's exception means to the caller: the contract's reason, found without importing any framework. What
# nobody foresaw is logged with its traceback, under an id that its callers are told too.

_log = logging.getLogger(__name__)

_NOTE = "fault"

# Calls, from the innermost outwards, by which two faults are told apart.
_PLACES = 3

# Status messages travel in HTTP/2 headers, percent-encoded and limited to 8 kB in all.
_MAX_MESSAGE_BYTES = 1_200


def failure_of(error: BaseException) -> ContractError:
    """The contract's error for what a service raised; its own errors pass as they are.

    Any other is logged, once however many requests it ends, and the id in its message finds it in the log: the same
    one for the same fault at the same place, so that equal failures read alike.
    """
    if isinstance(error, ContractError):
        return error
    fault = _fault_id(error)
    if not any(note.startswith(_NOTE) for note in getattr(error, "__notes__", ())):
        error.add_note(f"{_NOTE} {fault}")
        _log.error("%s %s: an unexpected %s", _NOTE, fault, type(error).__name__, exc_info=error)
    # The id before the error's own words, which may be too long to travel whole.
    text = f"{type(error).__name__} ({_NOTE} {fault} in the service's log): {error}"
    if is_out_of_memory(error):
        advice = "the service ran out of memory: send fewer calls at once, a shorter input, or lower its max_batch_size"
        return ContractError(Reason.OUT_OF_MEMORY, f"{advice} ({text})")
    return ContractError(Reason.MODEL_ERROR, text)


def _fault_id(error: BaseException) -> str:
    """Eight hex digits of where an exception was raised, and of its class."""
    places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    return sha256_hex("\n".join([type(error).__name__, *places[-_PLACES:]]).encode())[:8]


def shortened(error: ContractError) -> ContractError:
    """The same error with a message that fits the headers it travels in."""
    encoded = error.message.encode("utf-8", "replace")
    if len(encoded) <= _MAX_MESSAGE_BYTES:
        return error
    return ContractError(error.reason, encoded[:_MAX_MESSAGE_BYTES].decode("utf-8", "ignore") + " ...")
