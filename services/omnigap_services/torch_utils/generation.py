"""Seeds: one request's noise depends on its own seed alone, and leaves the global generators as they were."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from omnigap.errors import OmnigapError

DEFAULT_SEED = 0


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Within it torch (all devices) and NumPy draw from `seed`; None is `DEFAULT_SEED`."""
    number = (DEFAULT_SEED if seed is None else seed) % 2**63
    before = np.random.get_state()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(number)
        np.random.seed(number % 2**32)
        try:
            yield
        finally:
            np.random.set_state(before)


# Ends generation between two tokens: for rows whose caller is gone, and with a look at every token as it comes.

OnStep = Callable[[torch.Tensor], None]
"""Takes the ids so far, shape (rows, tokens), the prompt included; called after every token."""


class StopRows:
    """A stopping criterion for `generate`: ends each row whose `gone` turns true; the others of the batch go on."""

    def __init__(self, gone: Sequence[Callable[[], bool]], on_step: OnStep | None = None) -> None:
        self._gone = gone
        self._on_step = on_step

    def __call__(self, input_ids: torch.LongTensor, scores: Any, **kwargs: Any) -> torch.BoolTensor:
        """Which rows are to stop, shape (rows,)."""
        if self._on_step is not None:
            self._on_step(input_ids)
        stop = [gone() for gone in self._gone]
        # With several sequences a request (beams), rows outnumber requests: each request's follow one another.
        repeats = input_ids.shape[0] // max(1, len(stop))
        return torch.tensor(stop, device=input_ids.device).repeat_interleave(repeats)


class GenerationCancelledError(OmnigapError):
    """Nobody waits any more for what the model computes."""


class CancellationHook:
    """Stops a model that takes no stopping criteria: before each pass of any of its parts it asks whether to go on."""

    def __init__(self, model: Any) -> None:
        from transformers import PreTrainedModel

        self._gone: Callable[[], bool] | None = None
        for module in model.modules():
            if isinstance(module, PreTrainedModel):
                module.register_forward_pre_hook(self._look)

    @contextmanager
    def over(self, gone: Callable[[], bool]) -> Iterator[None]:
        """Within it the model raises GoneError once `gone` is true."""
        self._gone = gone
        try:
            yield
        finally:
            self._gone = None

    def _look(self, module: Any, arguments: Any) -> None:
        if self._gone is not None and self._gone():
            raise GenerationCancelledError
