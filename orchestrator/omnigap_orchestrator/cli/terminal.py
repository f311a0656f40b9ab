"""The edge to the terminal: every text that the commands print passes through `Terminal` or `print_json`."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable
from typing import IO, Any, cast

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from omnigap.terminal import LossyStream, is_visible, visible

CONTAINER_RUNS = "/omnigap/runs"
"""Where the orchestrator's container has the folder of runs."""
SHOWN_RUNS = "OMNIGAP_SHOWN_RUNS"
"""Environment variable of that container: the path of the folder on the host."""


def runs_pattern(folder: str) -> re.Pattern[str]:
    """Matches paths of a folder, and commands in backticks, whose paths stay those of the container."""
    return re.compile(rf"(`omnigap-orchestrate [^`]*`)|(?<![\w./-]){re.escape(folder)}(?!\.?[\w-])")


_RUNS = runs_pattern(CONTAINER_RUNS)


def as_on_host(text: str) -> str:
    """Text for people in which paths of the runs folder are those of the host, if this is the container's command."""
    shown = os.environ.get(SHOWN_RUNS)
    if not shown or CONTAINER_RUNS not in text:
        return text
    return _RUNS.sub(lambda found: found[1] or (shown.rstrip("/") or "/"), text)


class Terminal(Console):
    """A console that neither obeys nor hides anything in the texts of services, items and files.

    Characters that control a terminal are shown as escapes, and brackets are text: a call that has its own markup says
    `markup=True`.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        # Standard error carries progress and notes: if it breaks, they are lost and the work goes on.
        file = cast("IO[str]", LossyStream(sys.stderr)) if stderr and sys.stderr is not None else None
        super().__init__(stderr=stderr, file=file, markup=False, highlight=False, emoji=False)

    def print(self, *objects: Any, **options: Any) -> None:
        # Before layout: in a path that is wrapped over two lines, nothing would be found.
        super().print(*map(_shown, objects), **options)

    def render_str(self, text: str, **options: Any) -> Text:
        # Before layout, which counts control characters as zero columns.
        return super().render_str(visible(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        # `Text` objects do not pass through `render_str`.
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def _shown(printed: object) -> object:
    if isinstance(printed, str):
        return as_on_host(printed)
    if isinstance(printed, Text) and (text := as_on_host(printed.plain)) != printed.plain:
        printed = printed.copy()
        printed.plain = text
    return printed


def print_json(data: object) -> None:
    """Prints JSON on one line. What a terminal would obey or hide is escaped, which changes no value.

    Paths stay those of this process, for programs that open them.
    """
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "")
    text = json.dumps(data, ensure_ascii=not encoding.startswith("utf"))
    if not text.isprintable():
        text = "".join(c if is_visible(c) else json.dumps(c)[1:-1] for c in text)
    print(text)
