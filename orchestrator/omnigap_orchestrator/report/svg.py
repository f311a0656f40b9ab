"""Converts matplotlib figures to inline SVG that uses the CSS variables of the page for its colours.

Figures are drawn in placeholder colours; each becomes a CSS variable of templates/style.css, so that one drawing works
in light and dark mode. Text stays text: it can be selected, and takes the font of the page.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Placeholder colours, replaced by `_VARIABLES`; no two are equal, and no real colour is that dark.
INK = "#010101"
MUTED = "#020202"
RULE = "#030303"
CARD = "#040404"
TEXT = "#050501"
SPEECH = "#050502"
IMAGE = "#050503"
LOSS = "#050504"
GAIN = "#050505"
FAINT = "#050506"

_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    RULE: "--rule",
    CARD: "--card",
    TEXT: "--text-in",
    SPEECH: "--speech-in",
    IMAGE: "--image-in",
    LOSS: "--loss",
    GAIN: "--gain",
    FAINT: "--faint",
}

MODALITY_COLOUR = {"text": TEXT, "speech": SPEECH, "image": IMAGE}
MODALITY_MARKER = {"text": "o", "speech": "s", "image": "D"}
"""A shape for each colour: charts must be readable without colour vision."""

_STYLE = {
    "svg.fonttype": "none",
    # Names of models and tasks may contain dollar signs, which matplotlib would parse as TeX.
    "text.parse_math": False,
    "font.size": 12.0,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 11.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.linewidth": 1.0,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": RULE,
    "grid.linewidth": 1.0,
    "xtick.color": RULE,
    "xtick.labelcolor": MUTED,
    "xtick.labelsize": 11.0,
    "xtick.major.size": 0.0,
    "ytick.color": RULE,
    "ytick.labelcolor": INK,
    "ytick.major.size": 0.0,
    "ytick.minor.size": 0.0,
    "xtick.minor.size": 0.0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


@contextmanager
def drawing(width: float, height: float, rows: int = 1, columns: int = 1, **subplots: Any) -> Iterator[Any]:
    """A figure in the style of the report, `width` x `height` CSS pixels.

    Yields:
        (figure, axes), the axes as returned by `Figure.subplots`; the style applies inside the block.
    """
    # Imported here: importing matplotlib takes most of a second, and only the report needs it.
    import matplotlib
    from matplotlib.figure import Figure

    style: Any = _STYLE
    with matplotlib.rc_context(style):
        # Not through pyplot, which keeps global state and looks for a display.
        figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        yield figure, figure.subplots(rows, columns, **subplots)


def to_svg(figure: Figure, key: str, title: str, description: str) -> str:
    """The figure as an `<svg>` element for a page.

    Args:
        key: unique among the figures of the page; prefixes ids, and seeds them so that the drawing is reproducible.
        title: the accessible name.
        description: text alternative for screen readers.
    """
    import matplotlib

    buffer = io.StringIO()
    # Without date and version of matplotlib, and with a fixed salt for its ids: the same run gives the same bytes.
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    style: Any = {**_STYLE, "svg.hashsalt": key}
    with matplotlib.rc_context(style):
        figure.savefig(buffer, format="svg", metadata=nothing)
    return _inline(buffer.getvalue(), key, title, description)


def _inline(document: str, key: str, title: str, description: str) -> str:
    # The parts of a standalone file (XML declaration, style element, metadata) are removed. Ids get the key as a
    # prefix, because all figures share the id space of the page; ids without a reference are dropped.
    body = document[document.index("<svg") :]
    # matplotlib's style rule `*{stroke-linejoin: round}` would apply to the whole page.
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, count=1, flags=re.DOTALL)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    referenced = set(re.findall(r"(?:#)([A-Za-z0-9_]+)(?=[\")])", body))
    body = re.sub(r' id="([^"]+)"', lambda m: f' id="{key}-{m[1]}"' if m[1] in referenced else "", body)
    body = re.sub(r'(href="#|url\(#)([A-Za-z0-9_]+)', lambda m: f"{m[1]}{key}-{m[2]}", body)
    # The names of fonts on this machine mean nothing on the reader's.
    body = re.sub(r"font-family: [^;\"]+", "font-family: inherit", body)
    body = re.sub(r"#0[1-5]0[1-5]0[1-6]\b", lambda m: f"var({_VARIABLES[m[0]]})" if m[0] in _VARIABLES else m[0], body)
    body = re.sub(r"\s*\n\s*", " ", body)
    head = re.match(r'<svg[^>]*?viewBox="([^"]+)"[^>]*>', body)
    if head is None:  # pragma: no cover - matplotlib always writes one
        raise ValueError(f"chart {key!r}: matplotlib wrote an SVG without a viewBox")
    width, height = head[1].split()[2:]
    opening = (
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        f'width="{width}" height="{height}" viewBox="{head[1]}" '
        f'aria-label="{escape(title, quote=True)}. {escape(description, quote=True)}">'
    )
    return opening + body[head.end() :].strip()
