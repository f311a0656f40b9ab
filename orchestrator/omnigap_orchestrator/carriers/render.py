"""Breaks a text into lines that fit a width, by measured width and not by counted letters."""

from __future__ import annotations

import functools
import importlib.util
import math
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from fontTools.ttLib import TTFont, TTLibError  # type: ignore[import-untyped]
from PIL import Image, ImageDraw, ImageFont

from omnigap.digest import digest_of, sha256_hex
from omnigap.media import encode_png
from omnigap.media.image import ImageLimits
from omnigap_orchestrator.carriers.carrier_set import ImageStyle
from omnigap_orchestrator.carriers.media_store import CarrierError

_CHOICE = re.compile(r"[A-H]\. ")
_TAB = "    "


@dataclass(frozen=True, slots=True)
class Line:
    """One line to draw.

    Attributes:
        indent: in pixels, from the left margin.
        opens_choice: a choice begins here, so a little room belongs above it.
    """

    text: str
    indent: float = 0.0
    opens_choice: bool = False


def wrap(text: str, width: float, measure: Callable[[str], float]) -> list[Line]:
    """Lines of at most `width` pixels; a line feed ends one, and the further lines of a choice (`A. ...`) are indented.

    Args:
        measure: width of a text in pixels.
    """
    lines: list[Line] = []
    for paragraph in text.expandtabs(len(_TAB)).split("\n"):
        marker = match.group() if (match := _CHOICE.match(paragraph)) else ""
        indent = measure(marker) if marker else 0.0
        if indent > width / 2:
            marker, indent = "", 0.0
        pieces = list(_fill(paragraph.removeprefix(marker).split(), width - indent, measure)) or [""]
        lines.append(Line(marker + pieces[0], opens_choice=bool(marker)))
        lines += [Line(piece, indent) for piece in pieces[1:]]
    return lines


def _fill(words: list[str], width: float, measure: Callable[[str], float]) -> Iterator[str]:
    """As many words a line as fit; a word wider than the line is cut between its letters."""
    line = ""
    for word in words:
        longer = f"{line} {word}" if line else word
        if measure(longer) <= width:
            line = longer
            continue
        if line:
            yield line
        line = word
        while measure(line) > width and len(line) > 1:
            cut = _longest_start(line, width, measure)
            yield line[:cut]
            line = line[cut:]
    if line:
        yield line


def _longest_start(word: str, width: float, measure: Callable[[str], float]) -> int:
    """How many letters of a word fit, at least one."""
    low, high = 1, len(word)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if measure(word[:middle]) <= width else (low, middle - 1)
    return low


# Draws a text: its style, the fonts of this machine that have its letters, and the drawing itself.

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


def image_carrier_key(text: str, style: ImageStyle) -> str:
    """Digest over the text, the style and the font's file (read once), and the layout's version.

    Raises:
        CarrierError: where the font does not exist.
    """
    look = asdict(style) | {"font": font_digest(style.font)}
    return digest_of({"carrier": "image", "text": text, "style": look, "layout": LAYOUT_VERSION})
