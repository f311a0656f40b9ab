"""The edge to the terminal: every text that the commands print passes through `Terminal` or `print_json`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import IO, Any, cast

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from omnigap.terminal import LossyStream, is_visible, visible


class Terminal(Console):
    """A console that neither obeys nor hides anything in the texts of services, items and files.

    Characters that control a terminal are shown as escapes, and brackets are text: a call that has its own markup says
    `markup=True`.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        # Standard error carries progress and notes: if it breaks, they are lost and the work goes on.
        file = cast("IO[str]", LossyStream(sys.stderr)) if stderr and sys.stderr is not None else None
        super().__init__(stderr=stderr, file=file, markup=False, highlight=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        # Before layout, which counts control characters as zero columns.
        return super().render_str(visible(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        # `Text` objects do not pass through `render_str`.
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def print_json(data: object) -> None:
    """Prints JSON on one line. What a terminal would obey or hide is escaped, which changes no value."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "")
    text = json.dumps(data, ensure_ascii=not encoding.startswith("utf"))
    if not text.isprintable():
        text = "".join(c if is_visible(c) else json.dumps(c)[1:-1] for c in text)
    print(text)
