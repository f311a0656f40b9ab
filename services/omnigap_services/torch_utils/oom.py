"""Memory that runs out: the batch is halved and tried again; one item that does not fit alone ends OUT_OF_MEMORY."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import TypeVar

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.failures import is_out_of_memory

ItemT = TypeVar("ItemT")


def split_on_oom(
    items: Sequence[ItemT],
    work: Callable[[Sequence[ItemT]], None],
    fail: Callable[[ItemT, ContractError], None],
    largest: str = "max_batch_size",
) -> None:
    """Runs `work` on all items; where memory runs out, on each half, down to single items.

    Args:
        work: may be called again with items that it has begun; it must not answer one twice.
        fail: takes an item that does not fit alone, and the error it ends with.
        largest: the option that makes batches smaller, for the message.

    Raises:
        BaseException: any other error of `work`, as it came.
    """
    if not items:
        return
    try:
        work(items)
    except BaseException as error:
        if not is_out_of_memory(error):
            raise
        said = " ".join(str(error).split())[:300]
    else:
        return
    # Outside of the except block: the traceback holds the tensors of the failed pass.
    free_memory()
    if len(items) == 1:
        text = f"memory ran out on this request alone: send a shorter or smaller one, or lower {largest} ({said})"
        fail(items[0], ContractError(Reason.OUT_OF_MEMORY, text))
        return
    middle = len(items) // 2
    for half in (items[:middle], items[middle:]):
        split_on_oom(half, work, fail, largest)


def free_memory() -> None:
    """Gives cached GPU memory back, so that the next try finds it."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
