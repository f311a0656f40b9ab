"""Coverage of the intervals of gaps, accuracies and agreement, on data of known accuracy, clusters and dependence."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from omnigap_orchestrator.analysis.agreement import agreement, kappa_and_phi
from omnigap_orchestrator.analysis.choose_interval import Sample, mean_interval
from omnigap_orchestrator.analysis.contrasts import mcnemar_exact
from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.pairs import FloatArray


@dataclass(frozen=True, slots=True)
class Scenario:
    """Paired scores of two conditions with known accuracies, or only of `condition`.

    An answer is right if a latent Gaussian variable lies below the threshold of the condition's accuracy, so the true
    gap is exact.

    Attributes:
        sizes: items per cluster.
        shared: part of the latent variance that both conditions of an item share.
        clustered: part that the items of a cluster share within one condition; it clusters the differences.
        graded: Beta-distributed scores instead of 0 and 1.
        single: the accuracy of `condition` instead of a gap.
    """

    name: str
    sizes: tuple[int, ...]
    reference: float = 0.7
    condition: float = 0.65
    shared: float = 0.3
    clustered: float = 0.0
    graded: bool = False
    single: bool = False

    @property
    def truth(self) -> float:
        """The true gap, or the true accuracy of a single condition."""
        return self.condition if self.single else self.condition - self.reference


def _even(clusters: int, size: int = 1) -> tuple[int, ...]:
    return (size,) * clusters


SCENARIOS = (
    Scenario("400 items", _even(400)),
    Scenario("400 items, no gap", _even(400), condition=0.7),
    Scenario("60 items, no gap", _even(60), condition=0.7),
    Scenario("60 clusters of 5", _even(60, 5), clustered=0.2),
    Scenario("60 clusters of 5, no gap", _even(60, 5), condition=0.7, clustered=0.2),
    Scenario("100 items, graded", _even(100), graded=True),
    Scenario("30 items", _even(30)),
    Scenario("15 items", _even(15)),
    Scenario("100 items, near the ceiling", _even(100), reference=0.99, condition=0.97),
    Scenario("15 clusters of 10", _even(15, 10), clustered=0.2),
    Scenario("8 clusters of 20", _even(8, 20), clustered=0.2),
    Scenario("60 very unequal clusters", (80, 40, 20, *_even(57, 3)), clustered=0.1),
    Scenario("20 clusters of 5, near the ceiling", _even(20, 5), reference=0.99, condition=0.97, clustered=0.2),
    Scenario("20 items, graded", _even(20), graded=True),
    Scenario("12 clusters of 5, graded", _even(12, 5), clustered=0.2, graded=True),
    Scenario("20 items, near the ceiling", _even(20), reference=0.99, condition=0.95),
    Scenario("10 clusters of 5, near the ceiling", _even(10, 5), reference=0.99, condition=0.97, clustered=0.2),
    Scenario("100 clusters of 10 that fail as a whole", _even(100, 10), 0.99, 0.97, shared=0.1, clustered=0.85),
)


def _score(name: str, sizes: tuple[int, ...], accuracy: float, clustered: float = 0.0) -> Scenario:
    return Scenario(name, sizes, condition=accuracy, clustered=clustered, single=True)


SCORES = (
    _score("140 items", _even(140), 0.7),
    _score("20 items", _even(20), 0.95),
    _score("50 items", _even(50), 0.99),
    _score("400 items", _even(400), 0.99),
    _score("60 clusters of 5", _even(60, 5), 0.7, clustered=0.2),
    _score("10 clusters of 5", _even(10, 5), 0.99, clustered=0.2),
    _score("10 clusters of 5, alike", _even(10, 5), 0.97, clustered=0.5),
    _score("10 clusters of 5, far from the ceiling", _even(10, 5), 0.7, clustered=0.5),
    _score("20 clusters of 5", _even(20, 5), 0.95, clustered=0.2),
    _score("8 clusters of 20", _even(8, 20), 0.95, clustered=0.2),
    _score("100 clusters of 10 that fail as a whole", _even(100, 10), 0.97, clustered=0.65),
    _score("60 very unequal clusters", (80, 40, 20, *_even(57, 3)), 0.97, clustered=0.1),
)
"""Accuracies of one condition, most of them near 1, where good models are."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Results of one scenario over all draws; shares in [0, 1]."""

    scenario: Scenario
    draws: int
    coverage: float
    rejections: float
    # Rejection rate of the exact McNemar test of no gap; NaN for clustered or graded data.
    exact_rejections: float
    width: float
    methods: tuple[tuple[str, int], ...]

    @property
    def monte_carlo_error(self) -> float:
        """Standard error of `coverage`."""
        return monte_carlo_error(self.coverage, self.draws)


def monte_carlo_error(rate: float, draws: int) -> float:
    """Standard error of a share over `draws` draws; positive even for a share of 0 or 1."""
    return math.sqrt(max(rate * (1 - rate), 1e-9) / draws)


def draw(scenario: Scenario, rng: np.random.Generator) -> Sample:
    """One data set of the scenario."""
    sizes = np.array(scenario.sizes)
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    n = len(cluster)
    common = rng.standard_normal(n) * math.sqrt(scenario.shared)
    rest = math.sqrt(1 - scenario.shared - scenario.clustered)

    def scores(accuracy: float) -> FloatArray:
        own = rng.standard_normal(len(sizes))[cluster] * math.sqrt(scenario.clustered)
        place = special.ndtr(common + own + rng.standard_normal(n) * rest)
        if not scenario.graded:
            return np.asarray(place < accuracy, dtype=np.float64)
        # A skewed score, often close to 0 or 1, with the given mean: Beta(a, b) through its quantile function.
        return np.asarray(special.betaincinv(accuracy * 0.8, (1 - accuracy) * 0.8, place), dtype=np.float64)

    values = scores(scenario.condition)
    if not scenario.single:
        values = values - scores(scenario.reference)
    return Sample(values, cluster, np.zeros(n, dtype=np.int64), not scenario.graded, difference=not scenario.single)


def simulate(scenario: Scenario, draws: int, seed: int, options: IntervalOptions | None = None) -> Coverage:
    """Draws the scenario `draws` times and counts how often the chosen interval covers the truth."""
    options = options or IntervalOptions(draws=999)
    # Seeded by name, so that adding a scenario does not change the others.
    rng = np.random.default_rng([seed, *scenario.name.encode()])
    covered = rejected = exact = 0
    widths = np.empty(draws)
    methods: Counter[str] = Counter()
    # The exact McNemar test is valid for independent binary pairs only.
    paired = not (scenario.single or scenario.graded) and max(scenario.sizes) == 1
    for index in range(draws):
        sample = draw(scenario, rng)
        interval = mean_interval(sample, options, str(index))
        covered += interval.low <= scenario.truth <= interval.high
        rejected += not interval.low <= 0 <= interval.high
        widths[index] = interval.high - interval.low
        methods[interval.method] += 1
        if paired:
            exact += mcnemar_exact(int((sample.values < 0).sum()), int((sample.values > 0).sum())) <= 1 - options.level
    return Coverage(
        scenario,
        draws,
        covered / draws,
        rejected / draws,
        exact / draws if paired else math.nan,
        float(widths.mean()),
        tuple(methods.most_common()),
    )


def markdown(rows: Sequence[Coverage]) -> str:
    """The table of gaps as Markdown."""
    lines = [
        "| data | true gap | covered | +- (MC) | rejects no gap | McNemar rejects | mean width | intervals used |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        exact = "" if math.isnan(row.exact_rejections) else f"{row.exact_rejections:.1%}"
        lines.append(
            f"| {row.scenario.name} | {row.scenario.truth:+.2f} | {row.coverage:.1%} | {row.monte_carlo_error:.1%} "
            f"| {row.rejections:.1%} | {exact} | {row.width:.3f} | {_used(row)} |"
        )
    return "\n".join(lines)


def markdown_of_scores(rows: Sequence[Coverage]) -> str:
    """The table of accuracies as Markdown."""
    lines = ["| data | true accuracy | covered | +- (MC) | mean width | intervals used |", "|---|---|---|---|---|---|"]
    for row in rows:
        lines.append(
            f"| {row.scenario.name} | {row.scenario.truth:.0%} | {row.coverage:.1%} | {row.monte_carlo_error:.1%} "
            f"| {row.width:.3f} | {_used(row)} |"
        )
    return "\n".join(lines)


def _used(row: Coverage) -> str:
    return ", ".join(f"{name} {count / row.draws:.0%}" for name, count in row.methods)


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
