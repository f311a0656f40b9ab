"""Coverage of the intervals of kappa and phi."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from omnigap_orchestrator.analysis.agreement import agreement, kappa_and_phi
from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.pairs import FloatArray
from omnigap_orchestrator.extras.simulation.coverage import monte_carlo_error


@dataclass(frozen=True, slots=True)
class TwoConditions:
    """Right and wrong answers of two conditions with correlated latent difficulties, within items and clusters."""

    name: str
    sizes: tuple[int, ...]
    accuracies: tuple[float, float]
    shared: float = 0.7
    clustered: float = 0.0

    def truth(self) -> tuple[float, float]:
        """True kappa and phi."""
        places = special.ndtri(np.array(self.accuracies))
        both = float(stats.multivariate_normal([0, 0], [[1, self.shared], [self.shared, 1]]).cdf(places))
        first, second = self.accuracies
        shares = np.array([[both, first - both, second - both, 1 - first - second + both]])
        kappa, phi = kappa_and_phi(shares)
        return float(kappa[0]), float(phi[0])

    def draw(self, rng: np.random.Generator) -> FloatArray:
        """Counts of (both right, first only, second only, both wrong), shape (clusters, 4)."""
        codes = np.repeat(np.arange(len(self.sizes)), self.sizes)
        covariance = [[1.0, self.shared], [self.shared, 1.0]]
        own = rng.multivariate_normal([0, 0], covariance, len(self.sizes))[codes] * math.sqrt(self.clustered)
        hard = own + rng.multivariate_normal([0, 0], covariance, len(codes)) * math.sqrt(1 - self.clustered)
        a, b = (hard < special.ndtri(np.array(self.accuracies))).T
        return np.column_stack([np.bincount(codes, weights=x) for x in (a & b, a & ~b, ~a & b, ~a & ~b)])


AGREEMENTS = (
    TwoConditions("400 items", (1,) * 400, (0.8, 0.75)),
    TwoConditions("140 items near the ceiling", (1,) * 140, (0.97, 0.95)),
    TwoConditions("40 items near the ceiling", (1,) * 40, (0.9, 0.9)),
    TwoConditions("20 items", (1,) * 20, (0.7, 0.7)),
    TwoConditions("8 clusters of 20", (20,) * 8, (0.8, 0.75), clustered=0.3),
)


def agreement_coverage(pair: TwoConditions, draws: int, seed: int) -> Iterator[tuple[str, float, int]]:
    """Name, coverage and number of draws in which it is defined, for kappa and for phi."""
    rng = np.random.default_rng([seed, *pair.name.encode()])
    truth, hits, defined = pair.truth(), np.zeros(2), 0
    for index in range(draws):
        found = agreement(pair.draw(rng), index, IntervalOptions(draws=499))
        if not math.isnan(found.kappa):
            defined += 1
            limits = (found.kappa_low, found.kappa_high), (found.phi_low, found.phi_high)
            hits += [low <= value <= high for (low, high), value in zip(limits, truth, strict=True)]
    for name, rate in zip(("kappa", "phi"), hits / defined, strict=True):
        yield name, float(rate), defined


def markdown_of_agreement(draws: int, seed: int) -> str:
    """The table of agreement as Markdown."""
    lines = ["| data | true | covered | +- (MC) | defined in |", "|---|---|---|---|---|"]
    for pair in AGREEMENTS:
        found = agreement_coverage(pair, draws, seed)
        for (name, rate, defined), value in zip(found, pair.truth(), strict=True):
            error = monte_carlo_error(rate, defined)
            lines.append(f"| {pair.name} | {name} {value:.2f} | {rate:.1%} | {error:.1%} | {defined / draws:.0%} |")
    return "\n".join(lines)
