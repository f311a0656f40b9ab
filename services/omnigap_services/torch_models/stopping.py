"""Ends generation between two tokens: for rows whose caller is gone, and with a look at every token as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from omnigap.errors import OmnigapError

OnStep = Callable[[torch.Tensor], None]
"""Takes the ids so far, shape (rows, tokens), the prompt included; called after every token."""


class StopWhenGone:
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


class GoneError(OmnigapError):
    """Nobody waits any more for what the model computes."""


class Watch:
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
            raise GoneError
