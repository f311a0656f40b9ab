"""What a run tells while it goes on; the command line draws it, tests record it."""

from __future__ import annotations

from typing import Protocol

from omnigap.vocabulary import Condition, Control, Outcome
from omnigap_orchestrator.pipeline.scope import Stage


class Observer(Protocol):
    """Called from the run's event loop: each method must return at once."""

    def note(self, text: str) -> None:
        """Something that a person should read: which fleet, a service that died, a plan that changed."""

    def preparing(self, what: str, done: int, total: int) -> None:
        """Carriers are being made."""

    def planned(
        self, stage: Stage, model: str, condition: Condition, total: int, done: int, control: Control | None = None
    ) -> None:
        """A stage holds `total` cells of this model and condition, or of a control of it; `done` are from before."""

    def finished(
        self, stage: Stage, model: str, condition: Condition, outcome: Outcome, control: Control | None = None
    ) -> None:
        """One more cell of a stage came to an end."""


class Silent:
    """An observer that keeps only the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def preparing(self, what: str, done: int, total: int) -> None:
        return None

    def planned(
        self, stage: Stage, model: str, condition: Condition, total: int, done: int, control: Control | None = None
    ) -> None:
        return None

    def finished(
        self, stage: Stage, model: str, condition: Condition, outcome: Outcome, control: Control | None = None
    ) -> None:
        return None
