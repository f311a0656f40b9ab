"""The carriers of a run that are to be read back: each with what it should say, and how it was made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from omnigap.vocabulary import Modality
from omnigap_orchestrator.carriers import spoken_text
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.run.book import Book
from omnigap_orchestrator.run.carriers import Carrier


@dataclass(frozen=True, slots=True)
class Subject:
    """One rendering of one item's question.

    Attributes:
        said: what it should say; None for a carrier of the item's own, whose words nobody gave.
        carrier: None where it was not made yet.
    """

    item: Item
    modality: Modality
    variant: int
    carrier: Carrier | None
    said: str | None
    voice: str | None = None
    words_per_minute: float | None = None
    font: str | None = None
    font_size: int | None = None
    colour: str | None = None


def subjects_of(book: Book) -> Iterator[Subject]:
    """Every spoken and shown carrier that the plan uses, item by item."""
    inputs = {condition.input for condition in book.plan.conditions}
    for item in book.plan.items:
        for modality in (Modality.SPEECH, Modality.IMAGE):
            if modality not in inputs:
                continue
            if modality in item.carriers:
                yield Subject(item, modality, 0, book.carriers.get(item.id, modality, 0), None)
                continue
            for variant in range(min(book.plan.replicates, book.carriers.variants(modality))):
                yield _made(book, item, modality, variant)


def _made(book: Book, item: Item, modality: Modality, variant: int) -> Subject:
    carrier = book.carriers.get(item.id, modality, variant)
    if modality is Modality.SPEECH:
        reading = book.carriers.readings[variant]
        said = spoken_text(item)
        return Subject(item, modality, variant, carrier, said, reading.voice, reading.words_per_minute)
    style = book.carriers.styles[variant]
    return Subject(
        item, modality, variant, carrier, item.typed, font=style.font, font_size=style.size, colour=style.colour
    )
