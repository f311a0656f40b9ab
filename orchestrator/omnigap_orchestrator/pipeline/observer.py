"""What a run reports while it goes on: notes and progress. The command line draws it."""

from __future__ import annotations

from omnigap.vocabulary import Condition, Control, Outcome
from omnigap_orchestrator.pipeline.scope import Stage


class Observer:
    """Reports nothing; subclasses override what they show. Called from the run's event loop: methods return at once."""

    def note(self, text: str) -> None:
        """Something that a person should read: which fleet, a service that died, a plan that changed."""

    def preparing(self, what: str, done: int, total: int) -> None:
        """Carriers are being made, or clips transcribed, outside of the stages of cells."""

    def planned(
        self, stage: Stage, model: str, condition: Condition, total: int, done: int, control: Control | None = None
    ) -> None:
        """A stage holds `total` cells of this model and condition, or of a control of it; `done` are from before."""

    def finished(
        self, stage: Stage, model: str, condition: Condition, outcome: Outcome, control: Control | None = None
    ) -> None:
        """One more cell of a stage came to an end."""
