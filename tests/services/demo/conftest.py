"""The demo model with its three stages, and pictures of questions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from tests.services.conftest import Serve, Served


@pytest.fixture(scope="session")
def demo(serve: Serve, espeak: Served) -> Served:
    """The demo model with its default options, and TTS."""
    return serve("demo", {"tts": espeak.address})


@pytest.fixture(scope="session")
def draw() -> Callable[[str], Image.Image]:
    """Draws lines of text in black on white."""
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 26)

    def picture(text: str) -> Image.Image:
        lines = text.splitlines()
        image = Image.new("RGB", (768, 60 + 40 * len(lines)), "white")
        for number, line in enumerate(lines):
            ImageDraw.Draw(image).text((30, 30 + 40 * number), line, font=font, fill="black")
        return image

    return picture
