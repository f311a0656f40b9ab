"""Keeps thinking apart from the answer, as both stream in pieces that end anywhere."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Split:
    """A piece of output: what belongs to the answer, and what to the thinking before it."""

    answer: str = ""
    thinking: str = ""


class ThinkingSplitter:
    """Splits one answer's text at its marks. Empty marks split nothing.

    Args:
        inside: the prompt itself ends with the opening mark, so that the text begins with thinking.
    """

    def __init__(self, opening: str, closing: str, inside: bool = False) -> None:
        self._marks = (opening, closing)
        self._active = bool(opening and closing)
        self._inside = inside and self._active
        self._held = ""
        self._answered = False

    def feed(self, text: str) -> Split:
        """What is certain by now; the beginning of what may be a mark is held back."""
        return self._split(text, last=False)

    def end(self) -> Split:
        """What was held back: no mark came of it."""
        return self._split("", last=True)

    def _split(self, text: str, last: bool) -> Split:
        if not self._active:
            return Split(answer=text)
        self._held += text
        found = {True: "", False: ""}
        while True:
            mark = self._marks[self._inside]
            before, met, after = self._held.partition(mark)
            if met:
                found[self._inside] += self._kept(before)
                self._inside = not self._inside
                self._held = after
                continue
            certain = len(self._held) if last else len(self._held) - _overlap(self._held, mark)
            found[self._inside] += self._kept(self._held[:certain])
            self._held = self._held[certain:]
            return Split(answer=found[False], thinking=found[True])

    def _kept(self, text: str) -> str:
        """An answer does not begin with the empty lines that stand around the marks."""
        if self._inside:
            return text
        if not self._answered:
            text = text.lstrip()
        self._answered = self._answered or bool(text)
        return text


def _overlap(text: str, mark: str) -> int:
    """Characters at the end of the text that a mark may begin with."""
    for size in range(min(len(text), len(mark) - 1), 0, -1):
        if mark.startswith(text[-size:]):
            return size
    return 0
