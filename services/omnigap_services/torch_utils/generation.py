"""Generation on a shared device: seeds per request, stopping between tokens, smaller batches when memory runs out."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch

from omnigap.errors import ContractError, OmnigapError
from omnigap.vocabulary import Reason
from omnigap_services.failures import is_out_of_memory

DEFAULT_SEED = 0

OnStep = Callable[[torch.Tensor], None]
"""Called after every token with all ids so far, shape (rows, tokens), prompt included."""


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Seeds torch (all devices) and NumPy inside the block, and restores their global state after it.

    Args:
        seed: None means `DEFAULT_SEED`, so that requests without a seed also repeat.
    """
    # Request seeds are 64-bit, torch takes them up to 2**63 - 1 and NumPy's legacy generator up to 2**32 - 1.
    number = (DEFAULT_SEED if seed is None else seed) % 2**63
    before = np.random.get_state()
    # fork_rng restores the generators of the CPU and of the listed devices only, so every CUDA device is listed.
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(number)
        np.random.seed(number % 2**32)
        try:
            yield
        finally:
            np.random.set_state(before)


class StopRows:
    """Stopping criterion for `generate` that ends single rows while the other rows of the batch continue.

    Args:
        should_stop: one predicate per request, in the order of the rows; polled after every token.
        on_step: see `OnStep`.
    """

    def __init__(self, should_stop: Sequence[Callable[[], bool]], on_step: OnStep | None = None) -> None:
        self._should_stop = should_stop
        self._on_step = on_step

    def __call__(self, input_ids: torch.LongTensor, scores: Any, **kwargs: Any) -> torch.BoolTensor:
        """Rows that end now, shape (rows,)."""
        # The callback runs first: it may decide from the newest token that a row is complete.
        if self._on_step is not None:
            self._on_step(input_ids)
        stop = [should_stop() for should_stop in self._should_stop]
        # Beam search has several rows per request, and places those of one request next to each other.
        repeats = input_ids.shape[0] // max(1, len(stop))
        return torch.tensor(stop, device=input_ids.device).repeat_interleave(repeats)


class GenerationCancelledError(OmnigapError):
    """The caller of a running generation is gone."""


class CancellationHook:
    """Stops a model whose `generate` takes no stopping criteria, by raising before a forward pass.

    The hook sits on every pretrained submodule, because Bark, CSM or Dia run several models one after another.
    """

    def __init__(self, model: Any) -> None:
        from transformers import PreTrainedModel

        self._is_cancelled: Callable[[], bool] | None = None
        for module in model.modules():
            if isinstance(module, PreTrainedModel):
                module.register_forward_pre_hook(self._check)

    @contextmanager
    def stop_when(self, is_cancelled: Callable[[], bool]) -> Iterator[None]:
        """Inside the block a forward pass raises GenerationCancelledError once `is_cancelled` returns True."""
        self._is_cancelled = is_cancelled
        try:
            yield
        finally:
            self._is_cancelled = None

    def _check(self, module: Any, arguments: Any) -> None:
        if self._is_cancelled is not None and self._is_cancelled():
            raise GenerationCancelledError


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
