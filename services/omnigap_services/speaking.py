"""What all services that speak by a model share: a rate as a factor of the voice's own, and sound that nobody hears."""

from __future__ import annotations

import numpy as np

from omnigap.errors import ContractError
from omnigap.media.audio import Samples
from omnigap.vocabulary import Reason

# Half a step of 16-bit audio: all of it would travel as zeros.
_SILENCE_PEAK = 0.5 / 32_768


def is_silent(samples: Samples) -> bool:
    """Whether there is nothing to hear in samples of shape (n,)."""
    return not len(samples) or float(np.abs(samples).max()) < _SILENCE_PEAK


def speed_of(words_per_minute: float, own: float, speeds: tuple[float, float]) -> float:
    """The factor on the voice's own rate that gives the rate asked for.

    Args:
        own: words per minute at factor 1.
        speeds: the smallest and the largest factor.

    Raises:
        ContractError: BAD_REQUEST for a rate outside of what these come to.
    """
    low, high = speeds
    if not low <= words_per_minute / own <= high:
        span = f"{own * low:g} to {own * high:g}"
        raise ContractError(Reason.BAD_REQUEST, f"words_per_minute is {words_per_minute:g}: the voice speaks {span}")
    return words_per_minute / own
