"""Word lists, written as one string."""

from __future__ import annotations


def listed(*lines: str) -> list[str]:
    """The words of the lines, in order."""
    return " ".join(lines).split()
