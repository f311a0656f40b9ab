"""The items that ship with omnigap, read from the package's own files."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

from omnigap_orchestrator.items.collect import collect
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.items.jsonl import jsonl_rows

FAMILIES = (
    "places",
    "people_and_works",
    "science",
    "numbers_and_dates",
    "language",
    "multiple_choice",
    "counting",
)
"""The English task families, in the order in which they are asked; a file of that name holds each."""

KOREAN_FAMILIES = tuple(f"ko_{family}" for family in FAMILIES if family != "counting")
"""The files of the Korean ones; counting beeps and dots knows no language."""


def builtin_folder() -> Path:
    """Where the files lie: a real folder, since their media are opened by path."""
    return Path(str(importlib.resources.files("omnigap_orchestrator.items.builtin")))


def read_builtin(language: str = "en") -> tuple[Item, ...]:
    """All built-in items of a language, `en` or `ko`, family by family."""
    folder = builtin_folder()
    families = KOREAN_FAMILIES if language == "ko" else FAMILIES
    return collect(row for family in families for row in jsonl_rows(folder / f"{family}.jsonl"))
