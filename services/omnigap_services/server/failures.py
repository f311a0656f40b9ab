"""What an adapter's exception means to the caller: the contract's reason, found without importing any framework."""

from __future__ import annotations

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason

# torch.cuda.OutOfMemoryError, jax and CTranslate2 are told by name or text: no framework may be imported for it.
_MEMORY_CLASSES = {"MemoryError", "OutOfMemoryError"}
_MEMORY_TEXTS = ("out of memory", "cublas_status_alloc_failed", "failed to allocate", "cannot allocate memory")

# Status messages travel in HTTP/2 headers, percent-encoded and limited to 8 kB in all.
_MAX_MESSAGE_BYTES = 1_200


def failure_of(error: BaseException) -> ContractError:
    """The contract's error for what `generate` raised; its own errors pass as they are."""
    if isinstance(error, ContractError):
        return error
    text = f"{type(error).__name__}: {error}"
    if _is_out_of_memory(error):
        advice = "the service ran out of memory: send fewer calls at once, a shorter input, or lower its max_batch_size"
        return ContractError(Reason.OUT_OF_MEMORY, f"{advice} ({text})")
    return ContractError(Reason.MODEL_ERROR, text)


def shortened(error: ContractError) -> ContractError:
    """The same error with a message that fits the headers it travels in."""
    encoded = error.message.encode("utf-8", "replace")
    if len(encoded) <= _MAX_MESSAGE_BYTES:
        return error
    return ContractError(error.reason, encoded[:_MAX_MESSAGE_BYTES].decode("utf-8", "ignore") + " ...")


def _is_out_of_memory(error: BaseException) -> bool:
    if _MEMORY_CLASSES.intersection(kind.__name__ for kind in type(error).__mro__):
        return True
    return isinstance(error, RuntimeError | OSError) and any(text in str(error).lower() for text in _MEMORY_TEXTS)
