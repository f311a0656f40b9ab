"""Coverage of relative gaps: (condition - reference) / (reference - chance), on data of known accuracies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from omnigap_orchestrator.analysis.gap import gaps
from omnigap_orchestrator.analysis.options import IntervalOptions, MissingRule
from omnigap_orchestrator.analysis.relative_gap import relative_gaps
from omnigap_orchestrator.extras.simulation.coverage import monte_carlo_error, scored_everywhere


@dataclass(frozen=True, slots=True)
class RelativeScenario:
    """Paired binary scores with true accuracies in reference and condition, in clusters of `size` items."""

    name: str
    clusters: int
    size: int
    reference: float
    condition: float
    chance: float

    @property
    def truth(self) -> float:
        return (self.condition - self.reference) / (self.reference - self.chance)


RELATIVE = (
    RelativeScenario("400 items", 400, 1, 0.7, 0.65, 0.0),
    RelativeScenario("400 items, four choices", 400, 1, 0.6, 0.5, 0.25),
    RelativeScenario("100 items, four choices", 100, 1, 0.7, 0.6, 0.25),
    RelativeScenario("140 items near the ceiling", 140, 1, 0.97, 0.9, 0.0),
    RelativeScenario("60 clusters of 5, four choices", 60, 5, 0.7, 0.55, 0.25),
    RelativeScenario("400 items, no gap", 400, 1, 0.7, 0.7, 0.25),
)


@dataclass(frozen=True, slots=True)
class RelativeCoverage:
    """Share of the draws with an interval whose interval covers the truth, and share of draws with an interval."""

    scenario: RelativeScenario
    coverage: float
    defined: float
    width: float
    error: float


def simulate_relative(scenario: RelativeScenario, draws: int, seed: int) -> RelativeCoverage:
    """Draws the scenario `draws` times; half of the latent variance is shared by both conditions of an item."""
    rng = np.random.default_rng([seed, *scenario.name.encode()])
    n = scenario.clusters * scenario.size
    cluster = np.repeat(np.arange(scenario.clusters), scenario.size)
    # Part of the variance that the items of a cluster share.
    within = 0.2 if scenario.size > 1 else 0.0
    options, chances = IntervalOptions(draws=499), {str(item): scenario.chance for item in range(n)}
    hits, widths = 0, []
    for _ in range(draws):
        shared = rng.standard_normal((n, 1)) * math.sqrt(0.5 - within)
        own = rng.standard_normal((scenario.clusters, 2))[cluster] * math.sqrt(within)
        place = special.ndtr(shared + own + rng.standard_normal((n, 2)) * math.sqrt(0.5))
        right = (place < [scenario.reference, scenario.condition]).astype(np.float64)
        scores = scored_everywhere(right, ("t2t", "s2t"), cluster)
        frame = gaps([scores], "t2t", MissingRule(), options)
        row = relative_gaps([scores], frame, options, chances).row(0, named=True)
        if row["low"] is not None:
            hits += row["low"] <= scenario.truth <= row["high"]
            widths.append(row["high"] - row["low"])
    rate = hits / len(widths)
    return RelativeCoverage(
        scenario,
        rate,
        len(widths) / draws,
        float(np.mean(widths)),
        monte_carlo_error(rate, len(widths)),
    )


def markdown_of_relative(rows: Sequence[RelativeCoverage]) -> str:
    """The table of relative gaps as Markdown."""
    lines = [
        "| data | accuracies | chance | true relative gap | covered | +- (MC) | mean width | with an interval |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        of = row.scenario
        lines.append(
            f"| {of.name} | {of.reference:.2f}, {of.condition:.2f} | {of.chance:.2f} | {of.truth:+.2f} "
            f"| {row.coverage:.1%} | {row.error:.1%} | {row.width:.3f} | {row.defined:.0%} |"
        )
    return "\n".join(lines)
