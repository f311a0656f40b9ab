"""One planned question to one model: the unit of every denominator."""

from __future__ import annotations

from dataclasses import dataclass

from omnigap.vocabulary import Condition


@dataclass(frozen=True, slots=True)
class Cell:
    """Model x item x condition x replicate."""

    model: str
    item_id: str
    condition: Condition
    replicate: int = 0

    def __str__(self) -> str:
        replicate = f" (replicate {self.replicate})" if self.replicate else ""
        return f"{self.model} {self.item_id} {self.condition.name}{replicate}"
