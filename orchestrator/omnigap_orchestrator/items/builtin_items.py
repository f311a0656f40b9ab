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
"""The task families, in the order in which they are asked; a file of that name holds each."""


def builtin_folder() -> Path:
    """Where the files lie: a real folder, since their media are opened by path."""
    return Path(str(importlib.resources.files("omnigap_orchestrator.items.builtin")))


def read_builtin() -> tuple[Item, ...]:
    """All built-in items, family by family."""
    folder = builtin_folder()
    return collect(row for family in FAMILIES for row in jsonl_rows(folder / f"{family}.jsonl"))
