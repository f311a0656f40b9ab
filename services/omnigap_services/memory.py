"""How memory that ran out is told from other errors, here and in the words of servers; no framework is imported."""

from __future__ import annotations

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
