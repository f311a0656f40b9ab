"""The request that a service must answer before it says SERVING."""

from __future__ import annotations

import numpy as np
from PIL import Image

from omnigap.media import AudioClip
from omnigap.vocabulary import CONDITIONS, Modality, Support
from omnigap_services.adapter import Card, InputPart, Request


def default_warm_up(card: Card) -> Request:
    """The smallest request in the last of the card's conditions: speech out where it speaks, an image where it sees.

    Raises:
        ValueError: for a card that supports no condition.
    """
    able = [c for c in CONDITIONS if c in card.conditions and card.conditions[c].support is not Support.UNSUPPORTED]
    if not able:
        raise ValueError(f"the card of {card.name} supports no condition: list at least one in its conditions")
    condition = able[-1]
    return Request(parts=(_carrier(condition.input, card),), output=condition.output)


def _carrier(modality: Modality, card: Card) -> InputPart:
    if modality is Modality.TEXT:
        return "Hello."
    if modality is Modality.IMAGE:
        return Image.new("RGB", (64, 64), "white")
    time = np.arange(card.input_sample_rate_hz // 2) / card.input_sample_rate_hz
    tone = 0.1 * np.sin(2 * np.pi * 440 * time)
    return AudioClip(tone.astype(np.float32), card.input_sample_rate_hz)
