"""Fonts: the choice of one that has the letters of the items, and whether the chosen ones can draw every item."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from omnigap_orchestrator.carriers import CarrierError, ImageStyle, image_styles, render_text
from omnigap_orchestrator.carriers.render import check_drawable, font_with, load_font
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.items import Item
from omnigap_orchestrator.preflight.findings import Finding
from omnigap_orchestrator.preflight.scope import WHOLE, Scope

FONT = "font"
LETTERS = "letters"


def resolve_fonts(config: Config, items: Sequence[Item], scope: Scope = WHOLE) -> tuple[Config, list[Finding]]:
    """The configuration with a font of this machine, where it names none and the default lacks letters of the items.

    A font that was named stays; `check_letters` reports what it lacks.

    Returns:
        the configuration, and a warning that names the font where one was chosen and `scope` makes carriers.
    """
    image = config.carriers.image
    drawn = scope.drawn(config, items)
    if "font" in image.model_fields_set or not drawn:
        return config, []
    found = font_with(_letters(drawn))
    if found is None or found in image.font:
        return config, []
    text = f"the items have letters that {image.font[0]} lacks: drawn in {found}; [carriers.image] font chooses another"
    image = image.model_copy(update={"font": (found,)})
    resolved = config.model_copy(update={"carriers": config.carriers.model_copy(update={"image": image})})
    return resolved, [Finding.warning(FONT, text)] if scope.makes_carriers else []


def check_fonts(config: Config, items: Sequence[Item], scope: Scope) -> list[Finding]:
    """Whether every font of the configuration is there and can be opened, where questions are drawn."""
    if not scope.drawn(config, items):
        return []
    return [_opened(style) for style in image_styles(config.carriers.image)]


def _opened(style: ImageStyle) -> Finding:
    try:
        load_font(style.font, style.size)
    except CarrierError as error:
        return Finding.failed(FONT, str(error))
    return Finding.ok(FONT, f"{Path(style.font).name} at {style.size} pixels")


def check_letters(config: Config, items: Sequence[Item], scope: Scope) -> list[Finding]:
    """Whether every font that is there has every letter of the items, and every style has room for the longest one."""
    drawn = scope.drawn(config, items)
    if not drawn:
        return []
    letters, longest = _letters(drawn), max((item.typed for item in drawn), key=len)
    found = [_drawable(letters, longest, style) for style in image_styles(config.carriers.image)]
    return [Finding.failed(LETTERS, why) for why in dict.fromkeys(found) if why]


def _drawable(letters: str, longest: str, style: ImageStyle) -> str:
    """Why a style cannot draw the items; empty where it can, and where its font is not there."""
    try:
        load_font(style.font, style.size)
    except CarrierError:
        return ""
    try:
        check_drawable(letters, style.font)
        # A real question: one made of all letters could be over a limit that no question comes near.
        render_text(longest, style)
    except CarrierError as error:
        return str(error)
    return ""


def _letters(items: Iterable[Item]) -> str:
    """Every character of the questions, composed as the drawing composes them, each once."""
    return "".join(sorted({sign for item in items for sign in unicodedata.normalize("NFC", item.typed)}))
