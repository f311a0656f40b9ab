"""What may be chosen of an analysis: the reference, intervals, missing answers, margins and routing."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from omnigap.vocabulary import REFERENCE

DEFAULT_MARGIN = 0.02
"""Two points: showing it takes about 7,200 items at accuracy .7 and phi .2, so most runs end undecided."""


@dataclass(frozen=True, slots=True)
class IntervalOptions:
    """Confidence level, and the seed and number of draws of the bootstraps."""

    level: float = 0.95
    seed: int = 20260101
    draws: int = 1999

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise ValueError(f"level must lie between 0 and 1, not {self.level}")
        if self.draws < 199:
            raise ValueError(f"draws={self.draws} is too few for an interval: take at least 199, better 1999")


@dataclass(frozen=True, slots=True)
class MissingRule:
    """A contrast is refused when more than this share, and more than this number, of its planned pairs lack a score."""

    share: float = 0.02
    pairs: int = 2
    allow: bool = False

    def refuses(self, lacking: int, planned: int) -> bool:
        return not self.allow and lacking > self.pairs and lacking > self.share * planned


@dataclass(frozen=True, slots=True)
class Constraints:
    """What a user demands of a route: empty means anything goes. Modalities by their letters: t, s, i."""

    inputs: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()
    # Seconds.
    max_p95_latency_s: float = math.inf


@dataclass(frozen=True, slots=True)
class RoutingOptions:
    """Constraints, and how the held-out scores are made: `repeats` random splits of the clusters into `folds`.

    The splits are seeded, and do not depend on what items and clusters are called.
    """

    constraints: Constraints = field(default_factory=Constraints)
    folds: int = 5
    repeats: int = 10

    def __post_init__(self) -> None:
        if self.folds < 2 or self.repeats < 1:
            raise ValueError(f"folds={self.folds} and repeats={self.repeats}: take at least 2 and 1")


@dataclass(frozen=True, slots=True)
class AnalysisOptions:
    """The options of all tables."""

    reference: str = REFERENCE.name
    intervals: IntervalOptions = field(default_factory=IntervalOptions)
    missing: MissingRule = field(default_factory=MissingRule)
    # The gap that power is computed for, and the margin within which a gap counts as equivalent to 0; both in [0, 1].
    target_gap: float = 0.03
    power: float = 0.8
    margin: float = DEFAULT_MARGIN
    # Probability of guessing an item right, where it is one number for all of them.
    chance: float | None = None
    routing: RoutingOptions = field(default_factory=RoutingOptions)
