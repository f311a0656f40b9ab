"""Word lists, written as one string, and the mark that parts tokens."""

from __future__ import annotations

BREAK = ","
"""Stands where punctuation parted two words, so that "one, two" is never read as one number. Gone in the result."""


def listed(*lines: str) -> list[str]:
    """The words of the lines, in order."""
    return " ".join(lines).split()
