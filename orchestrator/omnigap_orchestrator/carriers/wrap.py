"""Breaks a text into lines that fit a width, by measured width and not by counted letters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

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
