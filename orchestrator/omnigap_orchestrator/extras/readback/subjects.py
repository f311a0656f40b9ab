"""The carriers of a run that are to be read back: each with what it should say, and how it was made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from omnigap.vocabulary import Modality
from omnigap_orchestrator.carriers import spoken_text
from omnigap_orchestrator.carriers.carrier_set import Carrier
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.pipeline.cells import PlannedCells


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


def subjects_of(cells: PlannedCells) -> Iterator[Subject]:
    """Every spoken and shown carrier that the plan uses, item by item."""
    inputs = {condition.input for condition in cells.plan.conditions}
    for item in cells.plan.items:
        for modality in (Modality.SPEECH, Modality.IMAGE):
            if modality not in inputs:
                continue
            if modality in item.carriers:
                yield Subject(item, modality, 0, cells.carriers.get(item.id, modality, 0), None)
                continue
            for variant in range(min(cells.plan.replicates, cells.carriers.variants(modality))):
                yield _made(cells, item, modality, variant)


def _made(cells: PlannedCells, item: Item, modality: Modality, variant: int) -> Subject:
    carrier = cells.carriers.get(item.id, modality, variant)
    if modality is Modality.SPEECH:
        spoken = cells.carriers.speech_variants[variant]
        said = spoken_text(item)
        return Subject(item, modality, variant, carrier, said, spoken.voice, spoken.words_per_minute)
    style = cells.carriers.styles[variant]
    return Subject(
        item, modality, variant, carrier, item.typed, font=style.font, font_size=style.size, colour=style.colour
    )
