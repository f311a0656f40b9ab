"""Options of an analysis: reference, intervals, missing answers and margins."""

from __future__ import annotations

from dataclasses import dataclass, field

from omnigap.vocabulary import REFERENCE

DEFAULT_MARGIN = 0.02
"""Two points. Equivalence takes about 7,200 items at accuracy .7, phi .2 and 80 % power, so most runs don't show it."""


@dataclass(frozen=True, slots=True)
class IntervalOptions:
    """Confidence level, and seed and number of draws of the bootstraps."""

    level: float = 0.95
    seed: int = 20260101
    draws: int = 1999

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise ValueError(f"level={self.level} must lie between 0 and 1")
        if self.draws < 199:
            raise ValueError(f"draws={self.draws} is too few for an interval: use at least 199, better 1999")


@dataclass(frozen=True, slots=True)
class MissingRule:
    """When a contrast is refused: more than `share`, and more than `pairs`, of its planned pairs lack a score.

    Attributes:
        allow: never refuse.
    """

    share: float = 0.02
    pairs: int = 2
    allow: bool = False

    def refuses(self, lacking: int, planned: int) -> bool:
        return not self.allow and lacking > self.pairs and lacking > self.share * planned


@dataclass(frozen=True, slots=True)
class AnalysisOptions:
    """The options of all tables."""

    reference: str = REFERENCE.name
    intervals: IntervalOptions = field(default_factory=IntervalOptions)
    missing: MissingRule = field(default_factory=MissingRule)
    # Gap that power is computed for, and margin within which a gap counts as equivalent to 0; both in [0, 1].
    target_gap: float = 0.03
    power: float = 0.8
    margin: float = DEFAULT_MARGIN
    # Probability of guessing an item right, if it is the same for all items.
    chance: float | None = None
