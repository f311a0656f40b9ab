"""Draws a text: one style, the styles that a configuration's lists make, and the drawing itself."""

from __future__ import annotations

import itertools
import math
import unicodedata
from dataclasses import dataclass

from PIL import Image, ImageDraw

from omnigap.media import encode_png
from omnigap.media.image import ImageLimits
from omnigap_orchestrator.carriers.errors import CarrierError
from omnigap_orchestrator.carriers.fonts import check_drawable, load_font
from omnigap_orchestrator.carriers.wrap import wrap
from omnigap_orchestrator.config.sections import ImageConfig


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


LAYOUT_VERSION = 1
"""Part of every carrier's key: raise it when the same text and style begin to give other pixels."""

MAX_CHARACTERS = 20_000
"""Beyond this a text is refused before it is measured; services take no more text either."""

_CHOICE_GAP = 0.35
"""Room above a choice, in lines."""


def render_text(text: str, style: ImageStyle, limits: ImageLimits | None = None) -> bytes:
    """A PNG of a text, `style.width` pixels wide and as high as its lines need.

    Args:
        text: lines are wrapped; a line feed ends one, as between choices.
        limits: how many pixels an image may have.

    Raises:
        CarrierError: for a text without anything to draw, a character that the font lacks, and an image over the limit.
    """
    return encode_png(draw_text(text, style, limits or ImageLimits()))


def draw_text(text: str, style: ImageStyle, limits: ImageLimits) -> Image.Image:
    """The same as pixels, RGB."""
    text = unicodedata.normalize("NFC", text).strip()
    if not text:
        raise CarrierError("the text is empty: there is nothing to draw")
    if len(text) > MAX_CHARACTERS:
        raise CarrierError(f"the text has {len(text)} characters, over the limit of {MAX_CHARACTERS}: shorten it")
    check_drawable(text, style.font)
    font = load_font(style.font, style.size)
    room = style.width - 2 * style.margin
    if room < style.size:
        raise CarrierError(
            f"[carriers.image] width {style.width} less twice the margin {style.margin} leaves no room for letters of "
            f"{style.size} pixels: make width larger"
        )
    lines = wrap(text, room, font.getlength)
    ascent, descent = font.getmetrics()
    pitch = (ascent + descent) * style.line_spacing
    tops: list[float] = []
    top = float(style.margin)
    for index, line in enumerate(lines):
        top += pitch * _CHOICE_GAP if line.opens_choice and index else 0.0
        tops.append(top)
        top += pitch
    height = math.ceil(tops[-1] + ascent + descent + style.margin)
    if style.width * height > limits.max_pixels:
        raise CarrierError(
            f"the text needs {len(lines)} lines, an image of {style.width} x {height}, over the limit of "
            f"{limits.max_pixels} pixels: make [carriers.image] size smaller, or shorten the text"
        )
    image = Image.new("RGB", (style.width, height), style.background)
    draw = ImageDraw.Draw(image)
    for line, y in zip(lines, tops, strict=True):
        draw.text((style.margin + round(line.indent), round(y)), line.text, fill=style.colour, font=font)
    return image
