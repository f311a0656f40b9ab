"""One planned question to one model: the unit of every denominator."""

from __future__ import annotations

from dataclasses import dataclass

from omnigap.vocabulary import Condition, Control


@dataclass(frozen=True, slots=True)
class Cell:
    """Model x item x condition x replicate; a control cell stands beside the cell of the same four."""

    model: str
    item_id: str
    condition: Condition
    replicate: int = 0
    control: Control | None = None

    @property
    def filed_under(self) -> str:
        """What its failures are filed under."""
        return filed_under(self.condition, self.control)

    def __str__(self) -> str:
        replicate = f" (replicate {self.replicate})" if self.replicate else ""
        return f"{self.model} {self.item_id} {self.filed_under}{replicate}"


def filed_under(condition: Condition, control: Control | None) -> str:
    """The condition's name, and a control's after it: `s2t`, `s2t two-pass`. So both fit one column of the journal."""
    return condition.name if control is None else f"{condition.name} {control.value}"
