"""Control cells: which conditions each control is planned in, and the words that it sends."""

from __future__ import annotations

from collections.abc import Sequence

from omnigap.vocabulary import Condition, Control, Modality
from omnigap_orchestrator.items.item import Item

BLANK_TEXT = "___"
"""The typed carrier that holds nothing: a line to be filled in, since a server refuses an empty part, and since a word
would be a word of some language, and be looked up."""

FIRST_PASS = "two-pass, first pass"
"""Marks the key of a first pass; its second is marked with the control's own name."""


def conditions_of(control: Control | None, conditions: Sequence[Condition]) -> tuple[Condition, ...]:
    """The conditions, of those that a model is asked in, that have a cell of a control; None stands for no control.

    A two-pass cell stands beside a direct answer as text to a spoken or shown question; the others beside every cell.
    """
    if control is not Control.TWO_PASS:
        return tuple(conditions)
    return tuple(c for c in conditions if c.input is not Modality.TEXT and c.output is Modality.TEXT)


def fits(control: Control | None, condition: Condition, item: Item) -> bool:
    """Whether an item has a cell of a control in a condition of `conditions_of`.

    All have but one kind in two passes: an item with its own medium *and* its own typed text (dots to count, a photo
    and its description). Its medium does not hold that text, so there is nothing to write down and to answer from.
    """
    return control is not Control.TWO_PASS or not (Modality.TEXT in item.carriers and condition.input in item.carriers)


def typed_carrier(first_pass: str) -> str:
    """What a second pass types: what the first pass wrote, or the blank text where it wrote nothing."""
    return first_pass if first_pass.strip() else BLANK_TEXT
