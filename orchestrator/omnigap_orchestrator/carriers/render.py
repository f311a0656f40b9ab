"""Renders a text as an image: finds fonts, wraps lines by measured width, and draws."""

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
from omnigap.files import read_regular
from omnigap.media import encode_png
from omnigap.media.image import ImageLimits
from omnigap_orchestrator.carriers.carrier_set import ImageStyle
from omnigap_orchestrator.carriers.media_store import CarrierError

LAYOUT_VERSION = 1
"""Part of every image key; increase it if the same text and style give different pixels."""

MAX_CHARACTERS = 20_000
"""Longer texts are refused before they are measured; services do not accept more text either."""

_CHOICE_GAP = 0.35
"""Extra space above a choice, in lines."""


def image_carrier_key(text: str, style: ImageStyle) -> str:
    """Key of an image carrier: a digest of the text, the style with the font file, and the layout version.

    Raises:
        CarrierError: the font does not exist.
    """
    look = asdict(style) | {"font": font_digest(style.font)}
    return digest_of({"carrier": "image", "text": text, "style": look, "layout": LAYOUT_VERSION})


def render_text(text: str, style: ImageStyle, limits: ImageLimits | None = None) -> bytes:
    """Renders a text as PNG, `style.width` pixels wide and as high as its lines need.

    Args:
        text: lines are wrapped; line feeds, as between choices, are kept.
        limits: limit of the number of pixels.

    Raises:
        CarrierError: the text is empty, the font lacks a character, or the image would exceed the limit.
    """
    return encode_png(draw_text(text, style, limits or ImageLimits()))


def draw_text(text: str, style: ImageStyle, limits: ImageLimits) -> Image.Image:
    """Like `render_text`, as an RGB image."""
    # NFC: a decomposed letter would be drawn as a base letter and a separate accent.
    text = unicodedata.normalize("NFC", text).strip()
    if not text:
        raise CarrierError("the text is empty: there is nothing to draw")
    if len(text) > MAX_CHARACTERS:
        raise CarrierError(f"the text has {len(text)} characters, over the limit of {MAX_CHARACTERS}: shorten it")
    check_drawable(text, style.font)
    font = load_font(style.font, style.size)
    line_width = style.width - 2 * style.margin
    if line_width < style.size:
        raise CarrierError(
            f"[carriers.image] width {style.width} less twice the margin {style.margin} leaves no space for letters of "
            f"{style.size} pixels: make width larger"
        )
    lines = wrap(text, line_width, font.getlength)
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


_CHOICE = re.compile(r"[A-H]\. ")
_TAB = "    "


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text.

    Attributes:
        indent: in pixels, from the left margin.
        opens_choice: whether a choice begins here, which gets extra space above it.
    """

    text: str
    indent: float = 0.0
    opens_choice: bool = False


def wrap(text: str, width: float, measure: Callable[[str], float]) -> list[Line]:
    """Wraps a text to lines of at most `width` pixels; the continuation lines of a choice (`A. ...`) are indented.

    Args:
        measure: returns the width of a text in pixels.
    """
    lines: list[Line] = []
    for paragraph in text.expandtabs(len(_TAB)).split("\n"):
        marker = match.group() if (match := _CHOICE.match(paragraph)) else ""
        indent = measure(marker) if marker else 0.0
        # With a very large font an indent would leave no space for text.
        if indent > width / 2:
            marker, indent = "", 0.0
        pieces = list(_fill(paragraph.removeprefix(marker).split(), width - indent, measure)) or [""]
        lines.append(Line(marker + pieces[0], opens_choice=bool(marker)))
        lines += [Line(piece, indent) for piece in pieces[1:]]
    return lines


def _fill(words: list[str], width: float, measure: Callable[[str], float]) -> Iterator[str]:
    """Yields lines with as many words as fit; a word wider than the line is cut between letters."""
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
    """Number of letters of a word that fit, at least one, by binary search."""
    low, high = 1, len(word)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if measure(word[:middle]) <= width else (low, middle - 1)
    return low


KEY = "[carriers.image] font"

FONTS = {
    "DejaVu Sans": "DejaVuSans.ttf",
    "DejaVu Sans Bold": "DejaVuSans-Bold.ttf",
    "DejaVu Sans Mono": "DejaVuSansMono.ttf",
    "DejaVu Sans Mono Bold": "DejaVuSansMono-Bold.ttf",
    "DejaVu Serif": "DejaVuSerif.ttf",
    "DejaVu Serif Bold": "DejaVuSerif-Bold.ttf",
}
"""Fonts that are always available, since they are part of matplotlib's wheel."""

SYSTEM_FONTS = {
    "NanumGothic": ("NanumGothic.ttf",),
    "NanumMyeongjo": ("NanumMyeongjo.ttf",),
    "NanumBarunGothic": ("NanumBarunGothic.ttf",),
    "Noto Sans CJK": ("NotoSansCJK-Regular.ttc", "NotoSansCJKkr-Regular.otf", "NotoSansKR-Regular.ttf"),
    "Noto Serif CJK": ("NotoSerifCJK-Regular.ttc", "NotoSerifCJKkr-Regular.otf", "NotoSerifKR-Regular.ttf"),
    "Malgun Gothic": ("malgun.ttf",),
    "Apple SD Gothic Neo": ("AppleSDGothicNeo.ttc",),
}
"""Fonts that may be installed on the system, with their possible file names."""

FONT_FOLDERS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path.home() / ".local" / "share" / "fonts",
    Path.home() / ".fonts",
    Path("/Library/Fonts"),
    Path("/System/Library/Fonts"),
    Path("C:/Windows/Fonts"),
)


def font_path(font: str) -> Path:
    """The file of a font.

    Args:
        font: a name in `FONTS` or `SYSTEM_FONTS`, or a path.

    Raises:
        CarrierError: the font is unknown or not installed.
    """
    if font in FONTS:
        folder = _wheel_fonts()
        if folder is None:
            raise CarrierError(f"{KEY}: {font!r} comes with matplotlib, which is not installed: pip install matplotlib")
        return folder / FONTS[font]
    if font in SYSTEM_FONTS:
        found = system_fonts(FONT_FOLDERS).get(font)
        if found is None:
            looked = ", ".join(str(folder) for folder in FONT_FOLDERS if folder.is_dir()) or "any font folder"
            raise CarrierError(f"{KEY}: {font!r} is not in {looked}: install it, or give the path of a font file")
        return found
    path = Path(font)
    if not path.is_file():
        known = ", ".join((*FONTS, *system_fonts(FONT_FOLDERS)))
        raise CarrierError(
            f"{KEY}: {font!r} is neither a file nor a known font: use one of {known}, or the path of a file"
        )
    return path


@functools.cache
def _wheel_fonts() -> Path | None:
    """The font folder in matplotlib's wheel."""
    # Located without importing matplotlib, which would take most of a second.
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"


@functools.lru_cache(maxsize=8)
def system_fonts(folders: tuple[Path, ...]) -> dict[str, Path]:
    """The fonts of `SYSTEM_FONTS` found in these folders, by name."""
    names = {name for files in SYSTEM_FONTS.values() for name in files}
    there: dict[str, Path] = {}
    for folder in folders:
        for root, _, files in os.walk(folder):
            for name in names.intersection(files):
                there.setdefault(name, Path(root) / name)
    found = {font: next((there[n] for n in files if n in there), None) for font, files in SYSTEM_FONTS.items()}
    return {font: path for font, path in found.items() if path is not None}


def font_with(text: str) -> str | None:
    """The first available font that has every visible character of a text; None if there is none."""
    needed = {ord(character) for character in text if not character.isspace()}
    return next((font for font in (*FONTS, *system_fonts(FONT_FOLDERS)) if needed <= _glyphs(font)), None)


def load_font(font: str, size: int) -> ImageFont.FreeTypeFont:
    """Loads a font at a size in pixels.

    Raises:
        CarrierError: the font does not exist or can't be opened.
    """
    return _load(font_path(font), size)


@functools.lru_cache(maxsize=64)
def _load(path: Path, size: int) -> ImageFont.FreeTypeFont:
    try:
        # The basic layout needs no system library (raqm), so the same text gives the same pixels on every machine.
        return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
    except (OSError, ValueError) as error:
        raise CarrierError(f"{KEY}: {path} can't be opened as a font: {error}") from error


def font_digest(font: str) -> str:
    """SHA-256 of a font file, part of the carrier's key: another version of a font draws another image.

    Raises:
        CarrierError: the font does not exist.
    """
    return _digest(font_path(font))


@functools.lru_cache(maxsize=64)
def _digest(path: Path) -> str:
    return sha256_hex(read_regular(path))


# Code point ranges of scripts that run from right to left or need shaping (Arabic, Devanagari, ...). Pillow's basic
# layout draws them wrongly, and reports no error.
_SHAPED_BLOCKS = (
    (0x0590, 0x08FF),
    (0x0900, 0x0DFF),
    (0x0F00, 0x109F),
    (0x1780, 0x18AF),
    (0xFB1D, 0xFDFF),
    (0xFE70, 0xFEFE),
)


def check_drawable(text: str, font: str) -> None:
    """Checks that the font has every visible character of a text, and that none of them needs shaping.

    Raises:
        CarrierError: a character cannot be drawn; the message names the first one.
    """
    glyphs = _glyphs(font)
    for character in text:
        if character.isspace():
            continue
        name = f"{character!r} (U+{ord(character):04X} {unicodedata.name(character, 'unnamed')})"
        if any(first <= ord(character) <= last for first, last in _SHAPED_BLOCKS):
            raise CarrierError(
                f"the text contains {name}, whose script needs right-to-left layout or shaping and cannot be drawn: "
                "give the item its own image, carriers.image"
            )
        if ord(character) not in glyphs:
            raise CarrierError(f"the font {font!r} lacks {name}: {_font_hint(text)}")


def _font_hint(text: str) -> str:
    """How to get a font that has the text's characters."""
    font = font_with(text)
    if font is not None:
        return f'set {KEY} = "{font}" (or --font "{font}")'
    hangul = any("HANGUL" in unicodedata.name(character, "") for character in text)
    install = ", install one (fonts-nanum or fonts-noto-cjk in Debian)," if hangul else ""
    return f"no known font on this machine has it{install} or set {KEY} (or --font) to a font file that has it"


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
