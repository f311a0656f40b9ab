"""Seeds: one request's noise depends on its own seed alone, and leaves the global generators as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

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
