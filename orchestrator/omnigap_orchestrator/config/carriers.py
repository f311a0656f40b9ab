"""`[carriers]`: how a question's text becomes an image and speech."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from PIL import ImageColor
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from omnigap_orchestrator.config.fields import FOLDER, Text, as_list, resolve, without_repeats
from omnigap_orchestrator.validation import StrictModel

FONT_FILE_SUFFIXES = (".ttf", ".otf", ".ttc")


def _font(name: str, info: ValidationInfo) -> str:
    """A font's name, or the path of its file as seen from the configuration file's folder."""
    if not name.lower().endswith(FONT_FILE_SUFFIXES):
        return name
    path = resolve(Path(name), info)
    if FOLDER in (info.context or {}) and not path.is_file():
        raise ValueError(f"{name!r} is no file (looked at {path}): write the path of a TrueType or OpenType font")
    return str(path)


def _colour(text: str) -> str:
    try:
        ImageColor.getrgb(text)
    except ValueError:
        raise ValueError(f"{text!r} is no colour: write a name like 'black' or a code like '#1a1a1a'") from None
    return text


Size = Annotated[int, Field(ge=6, le=400)]
Width = Annotated[int, Field(ge=64, le=8_192)]
Colour = Annotated[str, AfterValidator(_colour)]


class ImageConfig(StrictModel):
    """How text is drawn. Each of font, size, colour, background and width may be a list: replicates cycle through all
    combinations, fonts changing fastest.

    Attributes:
        font: `DejaVu Sans`, `DejaVu Serif`, `DejaVu Sans Mono` (each also with ` Bold`), or a font file.
        size: of the letters, in pixels.
        width: of the image, in pixels; its height follows the text.
        margin: on all four sides, in pixels.
        line_spacing: from one line to the next, in multiples of the font's own line height.
    """

    font: Annotated[
        tuple[Annotated[str, Field(min_length=1), AfterValidator(_font)], ...],
        BeforeValidator(as_list),
        Field(strict=False, min_length=1),
        AfterValidator(without_repeats),
    ] = ("DejaVu Sans",)
    size: Annotated[tuple[Size, ...], BeforeValidator(as_list), Field(strict=False, min_length=1)] = (28,)
    colour: Annotated[tuple[Colour, ...], BeforeValidator(as_list), Field(strict=False, min_length=1)] = ("#1a1a1a",)
    background: Annotated[tuple[Colour, ...], BeforeValidator(as_list), Field(strict=False, min_length=1)] = ("white",)
    width: Annotated[tuple[Width, ...], BeforeValidator(as_list), Field(strict=False, min_length=1)] = (768,)
    margin: int = Field(default=36, ge=0, le=2_000)
    line_spacing: float = Field(default=1.25, ge=0.8, le=4)

    @model_validator(mode="after")
    def _can_be_seen(self) -> Self:
        for colour in self.colour:
            for background in self.background:
                if ImageColor.getrgb(colour)[:3] == ImageColor.getrgb(background)[:3]:
                    raise ValueError(f"colour {colour!r} on background {background!r} can't be seen: change one")
        for width in self.width:
            if width - 2 * self.margin < 2 * max(self.size):
                raise ValueError(
                    f"width {width} less twice the margin {self.margin} leaves no room for letters of {max(self.size)} "
                    "pixels: make the width larger, or the margin or the size smaller"
                )
        return self


class SpeechConfig(StrictModel):
    """How text is read aloud. Replicates cycle through every voice at every rate, voices changing fastest.

    Attributes:
        voices: names that the TTS service knows; empty: its default voice.
        words_per_minute: None: the service's own rate.
    """

    voices: Annotated[
        tuple[Text, ...], BeforeValidator(as_list), Field(strict=False), AfterValidator(without_repeats)
    ] = ()
    words_per_minute: Annotated[
        tuple[Annotated[float, Field(ge=40, le=600)], ...], BeforeValidator(as_list), Field(strict=False)
    ] = ()


class CarriersConfig(StrictModel):
    """What the rendered carriers look and sound like."""

    image: ImageConfig = ImageConfig()
    speech: SpeechConfig = SpeechConfig()
