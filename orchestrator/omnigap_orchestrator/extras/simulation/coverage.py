"""Coverage of the intervals of gaps and accuracies, on data of known accuracy, clusters and dependence."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from scipy import special

from omnigap_orchestrator.analysis.choose_interval import Sample, mean_interval
from omnigap_orchestrator.analysis.inference import infer
from omnigap_orchestrator.analysis.intervals import ClusterTotals
from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray, ModelScores
from omnigap_orchestrator.analysis.sign_flip import sign_flip_p


class Design(Protocol):
    """Data of a known gap, or of a known accuracy of one condition."""

    @property
    def name(self) -> str: ...

    @property
    def single(self) -> bool:
        """An accuracy instead of a gap."""
        ...

    @property
    def truth(self) -> float: ...

    def draw(self, rng: np.random.Generator) -> Sample:
        """One data set."""
        ...


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

    def draw(self, rng: np.random.Generator) -> Sample:
        sizes = np.array(self.sizes)
        cluster = np.repeat(np.arange(len(sizes)), sizes)
        n = len(cluster)
        common = rng.standard_normal(n) * math.sqrt(self.shared)
        rest = math.sqrt(1 - self.shared - self.clustered)

        def scores(accuracy: float) -> FloatArray:
            own = rng.standard_normal(len(sizes))[cluster] * math.sqrt(self.clustered)
            place = special.ndtr(common + own + rng.standard_normal(n) * rest)
            if not self.graded:
                return np.asarray(place < accuracy, dtype=np.float64)
            # A skewed score, often close to 0 or 1, with the given mean: Beta(a, b) through its quantile function.
            return np.asarray(special.betaincinv(accuracy * 0.8, (1 - accuracy) * 0.8, place), dtype=np.float64)

        values = scores(self.condition)
        if not self.single:
            values = values - scores(self.reference)
        return Sample(values, cluster, np.zeros(n, dtype=np.int64), not self.graded, difference=not self.single)


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
    """Results of one design over all draws; shares in [0, 1]."""

    design: Design
    draws: int
    coverage: float
    # Of the interval and its test together, and of the sign-flip test alone; NaN for an accuracy.
    rejections: float
    flip_rejections: float
    width: float
    methods: tuple[tuple[str, int], ...]

    @property
    def monte_carlo_error(self) -> float:
        """Standard error of `coverage`."""
        return monte_carlo_error(self.coverage, self.draws)

    @property
    def passes(self) -> bool:
        """Whether a coverage of 93 % lies within two standard errors."""
        return self.coverage + 2 * self.monte_carlo_error >= 0.93


def scored_everywhere(
    right: FloatArray, conditions: Sequence[str], cluster: IntArray, task: IntArray | None = None
) -> ModelScores:
    """The scores of a drawn model without missing answers.

    Args:
        right: shape (items, conditions).
        task: code of each item's task; None for a single task.
    """
    items = len(right)
    every = np.ones(right.shape, dtype=np.int64)
    task = np.zeros(items, dtype=np.int64) if task is None else task
    return ModelScores(
        model="drawn",
        conditions=tuple(conditions),
        tasks=tuple(str(code) for code in np.unique(task)),
        items=np.arange(items).astype(np.object_),
        task=task,
        cluster=cluster,
        planned=every,
        scored=every,
        score=right,
        low=right,
        high=right,
    )


def monte_carlo_error(rate: float, draws: int) -> float:
    """Standard error of a share over `draws` draws; positive even for a share of 0 or 1."""
    return math.sqrt(max(rate * (1 - rate), 1e-9) / draws)


def simulate(design: Design, draws: int, seed: int, options: IntervalOptions | None = None) -> Coverage:
    """Draws the data `draws` times and counts how often the interval covers the truth."""
    options = options or IntervalOptions(draws=999)
    # Seeded by name, so that adding a design does not change the others.
    rng = np.random.default_rng([seed, *design.name.encode()])
    covered = rejected = flips = 0
    widths = np.empty(draws)
    methods: Counter[str] = Counter()
    for index in range(draws):
        sample, seeded = design.draw(rng), replace(options, seed=index)
        if design.single:
            interval = mean_interval(sample, seeded)
            low, high, method = interval.low, interval.high, interval.method
        else:
            found = infer(sample, seeded)
            low, high, method = found.low, found.high, found.method
            sums = ClusterTotals.of(sample.values, sample.cluster).sums
            flips += sign_flip_p(sums, seeded.seed, seeded.draws)[0] < round(1 - options.level, 12)
        covered += low <= design.truth <= high
        rejected += not low <= 0 <= high
        widths[index] = high - low
        methods[method] += 1
    return Coverage(
        design,
        draws,
        covered / draws,
        rejected / draws,
        math.nan if design.single else flips / draws,
        float(widths.mean()),
        tuple(methods.most_common()),
    )


def markdown(rows: Sequence[Coverage]) -> str:
    """The table of gaps as Markdown."""
    lines = [
        "| data | true gap | covered | +- (MC) | rejects no gap | sign-flip rejects | mean width | intervals used |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row.design.name} | {row.design.truth:+.3f} | {row.coverage:.1%} | {row.monte_carlo_error:.1%} "
            f"| {row.rejections:.1%} | {row.flip_rejections:.1%} | {row.width:.3f} | {_used(row)} |"
        )
    return "\n".join(lines)


def markdown_of_scores(rows: Sequence[Coverage]) -> str:
    """The table of accuracies as Markdown."""
    lines = ["| data | true accuracy | covered | +- (MC) | mean width | intervals used |", "|---|---|---|---|---|---|"]
    for row in rows:
        lines.append(
            f"| {row.design.name} | {row.design.truth:.1%} | {row.coverage:.1%} | {row.monte_carlo_error:.1%} "
            f"| {row.width:.3f} | {_used(row)} |"
        )
    return "\n".join(lines)


def _used(row: Coverage) -> str:
    return ", ".join(f"{name} {count / row.draws:.0%}" for name, count in row.methods)
