"""Seeds, per-token callbacks and cancellation for torch models that generate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from omnigap.errors import OmnigapError

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
        # Beam search has several rows per request, and lays those of one request next to each other.
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
