"""What the steps of reading exchange: a passage of an answer, what it states, and the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from omnigap.vocabulary import Flag

T = TypeVar("T")


class Step(StrEnum):
    """The step that read the answer, in the order in which the steps are tried."""

    FINAL_STATEMENT = "final_statement"
    FIRST_LINE = "first_line"
    LAST_LINE = "last_line"
    TERSE = "terse"
    UNPARSABLE = "unparsable"


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of an answer, without thinking and without markup (Markdown, LaTeX, JSON).

    Attributes:
        text: not normalised: it has its case, punctuation and line breaks.
        step: how the passage was found. A final statement or a marked line holds little but the answer; a `TERSE`
            passage is the whole answer, which may hold reasoning.
    """

    text: str
    step: Step


@dataclass(frozen=True, slots=True)
class Found:
    """What a passage states.

    Attributes:
        value: the letter, number, date, label or gold answer; None if the passage states none of them, but is
            nevertheless the answer: another candidate is then not looked for.
        flags: `hedged` if it leaves several values open ("Paris or London", "at least 2"), `negated` if it only denies
            the right value ("not Paris").
    """

    value: str | None
    flags: tuple[Flag, ...] = ()


_FIRST, _LAST = 20, 100


def first_and_last(mentions: Sequence[T]) -> list[T]:
    """The first 20 and the last 100 of the mentions of an answer: one with more repeats itself, and takes long."""
    return list(mentions) if len(mentions) <= _FIRST + _LAST else [*mentions[:_FIRST], *mentions[-_LAST:]]


Reader = Callable[[Passage], Found | None]
"""Reads a passage. None: the passage says nothing about the answer, so the next one is tried."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The answer that was read, the step that found it, and the flags of its passage."""

    value: str | None
    step: Step
    flags: tuple[Flag, ...] = ()
