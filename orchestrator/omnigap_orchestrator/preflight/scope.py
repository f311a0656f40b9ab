"""Which work a call does: what a check means to a call follows from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from omnigap.vocabulary import Condition, Modality
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.items import Item


@dataclass(frozen=True, slots=True)
class Scope:
    """What of the plan a call works on; by default all of it.

    Attributes:
        models: names; empty means all.
        conditions: empty means all of the configuration.
        finds_carriers: looks up the carriers that were made, whose keys contain the digest of the font.
        makes_carriers: draws questions and has them spoken.
        generates, transcribes, judges, scores: the stages that the call runs.
        connects: services are connected to after the preflight: what only they can say is no fault before.
    """

    models: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    finds_carriers: bool = True
    makes_carriers: bool = True
    generates: bool = True
    transcribes: bool = True
    judges: bool = True
    scores: bool = True
    connects: bool = False

    @property
    def plans_cells(self) -> bool:
        """Whether the call works on cells, whose metrics must fit their items."""
        return self.generates or self.makes_carriers or self.transcribes or self.judges or self.scores

    def conditions_of(self, config: Config) -> tuple[Condition, ...]:
        """The conditions that the configuration plans and this call covers."""
        return tuple(c for c in config.run.conditions if not self.conditions or c in self.conditions)

    def drawn(self, config: Config, items: Iterable[Item]) -> list[Item]:
        """The items whose question is shown as an image that omnigap draws; others have an image of their own."""
        if not any(condition.input is Modality.IMAGE for condition in self.conditions_of(config)):
            return []
        return [item for item in items if Modality.IMAGE not in item.carriers]


WHOLE = Scope()
"""All that a run does, before any service is connected to: what `plan` and `doctor` check."""

CALIBRATE = Scope(finds_carriers=False, makes_carriers=False, generates=False, judges=False, connects=True)
"""`calibrate`: speaks answers, transcribes and scores them; of a run that is in the folder it finds the carriers."""

VERIFY = Scope(makes_carriers=False, generates=False, transcribes=False, judges=False, scores=False, connects=True)
"""`verify`: finds the carriers that were made and has them read."""
