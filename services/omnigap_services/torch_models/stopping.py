"""Ends generation between two tokens: for rows whose caller is gone, and with a look at every token as it comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

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
