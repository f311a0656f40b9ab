"""Finds fonts, and tells which characters of a text a font can't draw."""

from __future__ import annotations

import functools
import importlib.util
import os
import unicodedata
from pathlib import Path

from fontTools.ttLib import TTFont, TTLibError  # type: ignore[import-untyped]
from PIL import ImageFont

from omnigap.digest import sha256_hex
from omnigap_orchestrator.carriers.errors import CarrierError

KEY = "[carriers.image] font"

FONTS = {
    "DejaVu Sans": "DejaVuSans.ttf",
    "DejaVu Sans Bold": "DejaVuSans-Bold.ttf",
    "DejaVu Sans Mono": "DejaVuSansMono.ttf",
    "DejaVu Sans Mono Bold": "DejaVuSansMono-Bold.ttf",
    "DejaVu Serif": "DejaVuSerif.ttf",
    "DejaVu Serif Bold": "DejaVuSerif-Bold.ttf",
}
"""Fonts that are always there, since matplotlib's wheel carries them."""

MACHINE_FONTS = {
    "NanumGothic": ("NanumGothic.ttf",),
    "NanumMyeongjo": ("NanumMyeongjo.ttf",),
    "NanumBarunGothic": ("NanumBarunGothic.ttf",),
    "Noto Sans CJK": ("NotoSansCJK-Regular.ttc", "NotoSansCJKkr-Regular.otf", "NotoSansKR-Regular.ttf"),
    "Noto Serif CJK": ("NotoSerifCJK-Regular.ttc", "NotoSerifCJKkr-Regular.otf", "NotoSerifKR-Regular.ttf"),
    "Malgun Gothic": ("malgun.ttf",),
    "Apple SD Gothic Neo": ("AppleSDGothicNeo.ttc",),
}
"""Fonts that this machine, or the image of the container, may have, with the names that their files go by."""

FONT_FOLDERS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path.home() / ".local" / "share" / "fonts",
    Path.home() / ".fonts",
    Path("/Library/Fonts"),
    Path("/System/Library/Fonts"),
    Path("C:/Windows/Fonts"),
)

# Scripts that run from the right or whose letters change shape with their neighbours: drawn letter by letter they
# would come out wrong without an error. First and last code point of the blocks.
_SHAPED_BLOCKS = (
    (0x0590, 0x08FF),
    (0x0900, 0x0DFF),
    (0x0F00, 0x109F),
    (0x1780, 0x18AF),
    (0xFB1D, 0xFDFF),
    (0xFE70, 0xFEFE),
)


def font_path(font: str) -> Path:
    """The file of a font, by its name in `FONTS` or `MACHINE_FONTS`, or by its path.

    Raises:
        CarrierError: for a name that is not known and no file.
    """
    if font in FONTS:
        folder = _wheel_fonts()
        if folder is None:
            raise CarrierError(f"{KEY}: {font!r} comes with matplotlib, which is not installed: pip install matplotlib")
        return folder / FONTS[font]
    if font in MACHINE_FONTS:
        found = machine_fonts(FONT_FOLDERS).get(font)
        if found is None:
            looked = ", ".join(str(folder) for folder in FONT_FOLDERS if folder.is_dir()) or "any folder of fonts"
            raise CarrierError(f"{KEY}: {font!r} is not in {looked}: install it, or give the path of a font's file")
        return found
    path = Path(font)
    if not path.is_file():
        known = ", ".join((*FONTS, *machine_fonts(FONT_FOLDERS)))
        raise CarrierError(f"{KEY}: {font!r} is no file and no known font: one of {known}, or a file's path")
    return path


@functools.cache
def _wheel_fonts() -> Path | None:
    """Where matplotlib's wheel keeps its fonts. It is found, not imported, which would cost most of a second."""
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"


@functools.lru_cache(maxsize=8)
def machine_fonts(folders: tuple[Path, ...]) -> dict[str, Path]:
    """Those of `MACHINE_FONTS` that lie somewhere in these folders, by name."""
    names = {name for files in MACHINE_FONTS.values() for name in files}
    there: dict[str, Path] = {}
    for folder in folders:
        for root, _, files in os.walk(folder):
            for name in names.intersection(files):
                there.setdefault(name, Path(root) / name)
    found = {font: next((there[n] for n in files if n in there), None) for font, files in MACHINE_FONTS.items()}
    return {font: path for font, path in found.items() if path is not None}


def font_with(text: str) -> str | None:
    """The first font of this machine that has every visible character of a text; None where there is none."""
    needed = {ord(character) for character in text if not character.isspace()}
    return next((font for font in (*FONTS, *machine_fonts(FONT_FOLDERS)) if needed <= _glyphs(font)), None)


def load_font(font: str, size: int) -> ImageFont.FreeTypeFont:
    """A font at a size in pixels.

    Raises:
        CarrierError: for a font that is not there or can't be opened.
    """
    return _load(font_path(font), size)


@functools.lru_cache(maxsize=64)
def _load(path: Path, size: int) -> ImageFont.FreeTypeFont:
    try:
        # The basic layout needs no library of the system, so the same text gives the same pixels everywhere.
        return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
    except (OSError, ValueError) as error:
        raise CarrierError(f"{KEY}: {path} can't be opened as a font: {error}") from error


def font_digest(font: str) -> str:
    """SHA-256 of a font's file: a font that changed draws another carrier.

    Raises:
        CarrierError: for a font that is not there.
    """
    return _digest(font_path(font))


@functools.lru_cache(maxsize=64)
def _digest(path: Path) -> str:
    return sha256_hex(path.read_bytes())


def check_drawable(text: str, font: str) -> None:
    """Sees that the font has every visible character of a text, and that drawing them one by one is right.

    Raises:
        CarrierError: naming the first character that is not.
    """
    glyphs = _glyphs(font)
    for character in text:
        if character.isspace():
            continue
        name = f"{character!r} (U+{ord(character):04X} {unicodedata.name(character, 'unnamed')})"
        if any(first <= ord(character) <= last for first, last in _SHAPED_BLOCKS):
            raise CarrierError(
                f"the text holds {name}, of a script that is not drawn letter by letter from the left: "
                "give the item its own image, carriers.image"
            )
        if ord(character) not in glyphs:
            raise CarrierError(f"the font {font!r} lacks {name}: {_who_has(text)}")


def _who_has(text: str) -> str:
    """What to write into the configuration, by what this machine has."""
    font = font_with(text)
    if font is not None:
        return f'set {KEY} = "{font}" (or --font "{font}"), which has it'
    hangul = any("HANGUL" in unicodedata.name(character, "") for character in text)
    install = ", install one (fonts-nanum or fonts-noto-cjk in Debian)," if hangul else ""
    return f"no known font of this machine has it{install} or set {KEY} (or --font) to the file of a font that has it"


def _glyphs(font: str) -> frozenset[int]:
    """The code points that a font has glyphs for."""
    return _glyphs_in(font_path(font))


@functools.lru_cache(maxsize=64)
def _glyphs_in(path: Path) -> frozenset[int]:
    try:
        with TTFont(path, fontNumber=0, lazy=True) as file:
            return frozenset(file.getBestCmap() or ())
    except (TTLibError, OSError) as error:
        raise CarrierError(f"{KEY}: {path} can't be opened as a font: {error}") from error
