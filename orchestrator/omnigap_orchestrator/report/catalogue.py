"""What the item browser shows of each item besides its cells: question, choices, instruction and gold answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class CatalogueItem:
    """The words of one item."""

    question: str
    choices: tuple[str, ...] = ()
    instruction: str = ""
    answers: tuple[str, ...] = ()


class _ItemLike(Protocol):
    """What `Catalogue.of` needs of an item; `items.Item` has it."""

    @property
    def id(self) -> str: ...
    @property
    def question(self) -> str: ...
    @property
    def choices(self) -> tuple[str, ...]: ...
    @property
    def instruction(self) -> str: ...
    @property
    def answers(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Items by id. An id of the results that is missing here is shown by its id alone."""

    items: Mapping[str, CatalogueItem] = field(default_factory=dict)

    @classmethod
    def of(cls, items: Iterable[_ItemLike]) -> Catalogue:
        """From the items as they were loaded for the run."""
        return cls({i.id: CatalogueItem(i.question, i.choices, i.instruction, i.answers) for i in items})

    def get(self, item_id: str) -> CatalogueItem:
        """The item, or one that has its id for a question."""
        return self.items.get(item_id) or CatalogueItem(question=item_id)
