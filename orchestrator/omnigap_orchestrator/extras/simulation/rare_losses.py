"""Designs with rare losses: clustered, heavy beside a jitter of graded scores, or hidden by missing answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omnigap_orchestrator.analysis.choose_interval import Sample
from omnigap_orchestrator.analysis.contrasts import (
    ANSWERED_PAIRS,
    ITEM_WEIGHTED,
    contrast_values,
    estimates,
    gap_contrast,
)
from omnigap_orchestrator.analysis.options import IntervalOptions, MissingRule
from omnigap_orchestrator.analysis.pairs import BoolArray, FloatArray, IntArray, ModelScores
from omnigap_orchestrator.extras.simulation.coverage import monte_carlo_error


@dataclass(frozen=True, slots=True)
class RareLosses:
    """Items that are lost with probability `loss`; the reference has no errors.

    Attributes:
        clusters, size: number of clusters and items of each.
        icc: intraclass correlation of the losses; the probability varies over clusters with a Beta distribution.
        jitter: of graded scores. An item that is not lost differs by 0 or by `jitter`, each with probability 1/2; a
            lost one loses 0.9.
        single: the accuracy of the condition (1 without errors, 0.95 for graded scores) instead of the gap.
    """

    name: str
    clusters: int
    size: int
    loss: float
    icc: float = 0.0
    jitter: float = 0.0
    single: bool = False

    @property
    def truth(self) -> float:
        if not self.jitter:
            return 1 - self.loss if self.single else -self.loss
        mean = -0.9 * self.loss + (1 - self.loss) * self.jitter / 2
        return 0.95 + mean if self.single else mean

    def draw(self, rng: np.random.Generator) -> Sample:
        n = self.clusters * self.size
        cluster = np.repeat(np.arange(self.clusters), self.size)
        risk = np.full(self.clusters, self.loss)
        if self.icc:
            spread = 1 / self.icc - 1
            risk = rng.beta(self.loss * spread, (1 - self.loss) * spread, self.clusters)
        lost = rng.random(n) < risk[cluster]
        if self.jitter:
            values = np.where(lost, -0.9, np.where(rng.random(n) < 0.5, self.jitter, 0.0)) + 0.95 * self.single
        else:
            values = self.single - lost.astype(np.float64)
        task = np.zeros(n, dtype=np.int64)
        return Sample(values, cluster, task, binary=not self.jitter, difference=not self.single)


def _graded(items: int, loss: float, jitter: float) -> RareLosses:
    name = f"{items} items, {loss:.0%} lost, jitter {jitter:+.2f}"
    return RareLosses(name, items, 1, loss, jitter=jitter)


def _clustered(clusters: int, size: int, loss: float, icc: float, *, single: bool = False) -> RareLosses:
    name = f"{clusters} clusters of {size}, {loss:.0%} lost, icc {icc}"
    return RareLosses(name, clusters, size, loss, icc, single=single)


_CLUSTERED = (
    (20, 20, 0.05, 0.3),
    (50, 20, 0.02, 0.3),
    (50, 20, 0.02, 0.5),
    (50, 20, 0.05, 0.3),
    (50, 20, 0.05, 0.5),
    (100, 10, 0.02, 0.4),
    (100, 20, 0.04, 0.4),
    (200, 10, 0.01, 0.4),
)

# With a jitter of +0.0557 the true gap of 3 % heavy losses is 0: a rejection is an error of the first kind.
RARE_LOSSES = (
    *(_graded(n, 0.03, jitter) for jitter in (-0.02, 2 * 0.9 * 0.03 / 0.97) for n in (30, 60, 100, 200, 400)),
    RareLosses("20 clusters of 5, 3% lost, icc 0.4, jitter -0.02", 20, 5, 0.03, 0.4, -0.02),
    RareLosses("100 clusters of 10, 3% lost, icc 0.4, jitter -0.02", 100, 10, 0.03, 0.4, -0.02),
    *(_clustered(*each) for each in _CLUSTERED),
    RareLosses("400 items, 3% lost", 400, 1, 0.03),
)

RARE_ERRORS = (
    *(_clustered(*each, single=True) for each in _CLUSTERED),
    *(
        RareLosses(f"{n} items, graded, 3% wrong, jitter -0.02", n, 1, 0.03, jitter=-0.02, single=True)
        for n in (30, 60, 100, 200, 400)
    ),
)
"""Accuracies of one condition."""


@dataclass(frozen=True, slots=True)
class HiddenAnswers:
    """Answers of the condition missing in 1.8 % of the pairs, just below the limit, all from pairs of one outcome.

    Attributes:
        lost: missing where the reference is right and the condition wrong; otherwise where the condition gains.
    """

    items: int
    lost: bool

    # Accuracy .7 and .65, as shares of (both right, lost, gained, both wrong).
    shares = (0.5, 0.2, 0.15, 0.15)
    truth = -0.05

    @property
    def name(self) -> str:
        return f"{self.items:,} items, missing where {'lost' if self.lost else 'gained'}"

    def draw(self, rng: np.random.Generator) -> ModelScores:
        outcome = rng.choice(4, self.items, p=self.shares)
        hidden = np.flatnonzero(outcome == (1 if self.lost else 2))[: int(0.018 * self.items)]
        right = np.column_stack([outcome < 2, (outcome == 0) | (outcome == 2)]).astype(np.float64)
        there = np.ones((self.items, 2), dtype=np.bool_)
        there[hidden, 1] = False
        return paired_scores(right, there)


HIDDEN_ANSWERS = tuple(HiddenAnswers(n, lost) for lost in (True, False) for n in (300, 1000, 3000))


def paired_scores(right: FloatArray, there: BoolArray) -> ModelScores:
    """Scores of t2t and s2t on independent items, shape (items, 2); `there` is False for a missing answer."""
    items = len(right)
    known: IntArray = there.astype(np.int64)
    return ModelScores(
        model="drawn",
        conditions=("t2t", "s2t"),
        tasks=("all",),
        items=np.arange(items).astype(np.object_),
        task=np.zeros(items, dtype=np.int64),
        cluster=np.arange(items),
        planned=np.ones((items, 2), dtype=np.int64),
        scored=known,
        score=np.where(there, right, np.nan),
        low=right * known,
        high=np.where(there, right, 1.0),
    )


def markdown_of_hidden(draws: int, seed: int) -> str:
    """The table of gaps with missing answers as Markdown."""
    lines = [
        "| data | true gap | covered | +- (MC) | bias of the answered pairs | mean width |",
        "|---|---|---|---|---|---|",
    ]
    for design in HIDDEN_ANSWERS:
        coverage, bias, width = hidden_coverage(design, draws, seed)
        error = monte_carlo_error(coverage, draws)
        lines.append(
            f"| {design.name} | {design.truth:+.3f} | {coverage:.1%} | {error:.1%} | {bias:+.2%} | {width:.3f} |"
        )
    return "\n".join(lines)


def hidden_coverage(design: HiddenAnswers, draws: int, seed: int) -> tuple[float, float, float]:
    """Coverage of the interval on answered pairs, bias of their estimate, and mean width."""
    rng = np.random.default_rng([seed, *design.name.encode()])
    contrast, options = gap_contrast("s2t", "t2t"), IntervalOptions(draws=999)
    covered, bias, width = 0, np.empty(draws), np.empty(draws)
    for index in range(draws):
        values = contrast_values(design.draw(rng), contrast)
        found = dict(estimates(values, contrast, ITEM_WEIGHTED, MissingRule(), options))[ANSWERED_PAIRS]
        covered += found.low <= design.truth <= found.high
        bias[index], width[index] = found.estimate - design.truth, found.high - found.low
    return covered / draws, float(bias.mean()), float(width.mean())
