"""How a text is drawn: one style, and the styles that a configuration's lists make."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from omnigap_orchestrator.config.carriers import ImageConfig


@dataclass(frozen=True, slots=True)
class ImageStyle:
    """One way of drawing. Lengths are in pixels.

    Attributes:
        font: a name that `fonts.FONTS` knows, or the path of a TrueType or OpenType file.
        line_spacing: from one line to the next, in multiples of the font's line height.
    """

    font: str = "DejaVu Sans"
    size: int = 28
    colour: str = "#1a1a1a"
    background: str = "white"
    width: int = 768
    margin: int = 36
    line_spacing: float = 1.25


def image_styles(config: ImageConfig) -> tuple[ImageStyle, ...]:
    """All combinations of the configuration's lists, fonts changing fastest, for replicates to cycle through.

    A list of one stands for itself, so a configuration without lists gives one style.
    """
    combined = itertools.product(config.width, config.background, config.colour, config.size, config.font)
    return tuple(
        ImageStyle(font, size, colour, background, width, config.margin, config.line_spacing)
        for width, background, colour, size, font in combined
        if colour != background
    )
