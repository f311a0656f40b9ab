"""Out-of-memory handling: halve the batch and retry; one item that does not fit ends with OUT_OF_MEMORY."""

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
    option: str = "max_batch_size",
) -> None:
    """Runs `work` on all items; where memory runs out, on each half, down to single items.

    Args:
        work: may be called again with items that it has started; it must not answer one twice.
        fail: called with an item that does not fit on its own, and the error that it ends with.
        option: the option that makes a pass smaller, named in the error.

    Raises:
        BaseException: any other error of `work`, unchanged.
    """
    if not items:
        return
    try:
        work(items)
    except BaseException as error:
        if not is_out_of_memory(error):
            raise
        detail = " ".join(str(error).split())[:300]
    else:
        return
    # Outside of the except block: the traceback holds the tensors of the failed pass, and they could not be freed.
    free_memory()
    if len(items) == 1:
        text = f"this request does not fit into memory on its own: send a shorter one, or lower {option} ({detail})"
        fail(items[0], ContractError(Reason.OUT_OF_MEMORY, text))
        return
    middle = len(items) // 2
    for half in (items[:middle], items[middle:]):
        split_on_oom(half, work, fail, option)


def free_memory() -> None:
    """Returns cached GPU memory to the device, so that the next attempt can allocate it."""
    import torch

    # Collect first: empty_cache only returns blocks that no tensor uses.
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
