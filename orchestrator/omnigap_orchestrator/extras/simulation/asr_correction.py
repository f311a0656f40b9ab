"""How often intervals of spoken scores cover the truth: corrected ones, and those from human labels (PPI++)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray
from omnigap_orchestrator.extras.asr_correction.ppi import Labelled, PpiEstimate, ppi_difference, ppi_mean
from omnigap_orchestrator.extras.asr_correction.rogan_gladen import Calibration, Corrected, correct
from omnigap_orchestrator.extras.simulation.coverage import monte_carlo_error


@dataclass(frozen=True, slots=True)
class SpokenScenario:
    """Spoken answers with a known accuracy, heard by a scorer that errs; with `reference`, their gap to text answers.

    The scorer's q1 and q0 are measured on `clips` gold and as many wrong answers; with `labels`, people judge so many
    of the answers instead, drawn evenly by what the scorer says or (not `stratified`) by chance.
    """

    name: str
    sizes: tuple[int, ...]
    accuracy: float
    q1: float
    q0: float
    reference: float | None = None
    clustered: float = 0.0
    clips: int = 200
    labels: int = 0
    stratified: bool = True

    @property
    def truth(self) -> float:
        return self.accuracy - (self.reference or 0.0)


def _singles(items: int) -> tuple[int, ...]:
    return (1,) * items


SPOKEN = (
    SpokenScenario("400 items", _singles(400), 0.7, 0.88, 0.96),
    SpokenScenario("100 items, 20 clips", _singles(100), 0.8, 0.9, 0.95, clips=20),
    SpokenScenario("20 items", _singles(20), 0.7, 0.9, 0.97),
    SpokenScenario("20 items, near the ceiling", _singles(20), 0.95, 0.97, 0.98),
    SpokenScenario("50 items, at the ceiling", _singles(50), 0.99, 0.98, 0.98),
    SpokenScenario("10 clusters of 5, near the ceiling", (5,) * 10, 0.97, 0.98, 0.98, clustered=0.3),
    SpokenScenario("8 clusters of 20", (20,) * 8, 0.7, 0.9, 0.97, clustered=0.2),
    SpokenScenario("gap, 400 items", _singles(400), 0.7, 0.9, 0.97, reference=0.75),
    SpokenScenario("gap, 20 items near the ceiling", _singles(20), 0.95, 0.97, 0.98, reference=0.97),
    SpokenScenario(
        "gap, 10 clusters of 5 near the ceiling", (5,) * 10, 0.97, 0.97, 0.98, reference=0.99, clustered=0.3
    ),
    SpokenScenario("500 items, 60 labels", _singles(500), 0.7, 0.88, 0.96, labels=60),
    SpokenScenario("500 items, 20 labels drawn by chance", _singles(500), 0.9, 0.98, 0.98, labels=20, stratified=False),
    SpokenScenario("10 clusters of 14, 40 labels", (14,) * 10, 0.87, 0.95, 0.97, clustered=0.2, labels=40),
    SpokenScenario("gap, 140 items, 40 labels", _singles(140), 0.87, 0.95, 0.97, reference=0.9, labels=40),
)


@dataclass(frozen=True, slots=True)
class SpokenCoverage:
    """What came of the draws of one row; shares in [0, 1]."""

    heard: SpokenScenario
    draws: int
    coverage: float
    raw_bias: float
    bias: float
    width: float
    methods: tuple[tuple[str, int], ...]

    @property
    def monte_carlo_error(self) -> float:
        """Standard error of `coverage`."""
        return monte_carlo_error(self.coverage, self.draws)


def simulate_spoken(
    heard: SpokenScenario, draws: int, seed: int, options: IntervalOptions | None = None
) -> SpokenCoverage:
    """Draws answers, what the scorer says of them and what it says of the clips, and counts what the interval holds."""
    options = options or IntervalOptions(draws=999)
    rng = np.random.default_rng([seed, *heard.name.encode()])
    sizes = np.array(heard.sizes)
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    covered, methods = 0, Counter[str]()
    raw, estimate, width = np.empty(draws), np.empty(draws), np.empty(draws)
    for index in range(draws):
        truth, base = _answers(heard, cluster, rng)
        said = np.where(truth > 0, rng.random(len(truth)) < heard.q1, rng.random(len(truth)) >= heard.q0)
        scores = said.astype(np.float64)
        found: Corrected | PpiEstimate
        if heard.labels:
            found, by = _labelled(heard, scores, truth, base, cluster, rng), "ppi"
        else:
            found = _corrected(heard, scores, base, cluster, options, (str(index),), rng)
            by = found.method
        covered += found.low <= heard.truth <= found.high
        raw[index] = float((scores if base is None else scores - base).mean())
        estimate[index], width[index] = found.estimate, found.high - found.low
        methods[by] += 1
    return SpokenCoverage(
        heard,
        draws,
        covered / draws,
        float(raw.mean()) - heard.truth,
        float(estimate.mean()) - heard.truth,
        float(width.mean()),
        tuple(methods.most_common()),
    )


def _answers(
    heard: SpokenScenario, cluster: IntArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray | None]:
    """Whether the spoken answers are right, and the text answers to the same questions."""
    n, clusters = len(cluster), int(cluster.max()) + 1
    own = rng.standard_normal(clusters)[cluster] * math.sqrt(heard.clustered)
    hard = own + rng.standard_normal(n) * math.sqrt(1 - heard.clustered)
    truth = np.asarray(hard < special.ndtri(heard.accuracy), dtype=np.float64)
    if heard.reference is None:
        return truth, None
    other = 0.5 * hard + rng.standard_normal(n) * math.sqrt(0.75)
    return truth, np.asarray(other < special.ndtri(heard.reference), dtype=np.float64)


def _corrected(
    heard: SpokenScenario,
    scores: FloatArray,
    base: FloatArray | None,
    cluster: IntArray,
    options: IntervalOptions,
    key: tuple[str, ...],
    rng: np.random.Generator,
) -> Corrected:
    kept, caught = int(rng.binomial(heard.clips, heard.q1)), int(rng.binomial(heard.clips, heard.q0))
    calibration = Calibration("entity", kept, heard.clips, caught, heard.clips)
    return correct(scores, np.zeros(len(scores), dtype=np.int64), (calibration,), cluster, base, options, key=key)


def _labelled(
    heard: SpokenScenario,
    scores: FloatArray,
    truth: FloatArray,
    base: FloatArray | None,
    cluster: IntArray,
    rng: np.random.Generator,
) -> PpiEstimate:
    label, weight = np.full(len(scores), np.nan), np.ones(len(scores))
    stratum = scores.astype(np.int64) if heard.stratified else np.zeros(len(scores), dtype=np.int64)
    strata = np.unique(stratum)
    for code in strata:
        places = np.flatnonzero(stratum == code)
        chosen = rng.choice(places, min(len(places), heard.labels // len(strata)), replace=False)
        label[chosen], weight[chosen] = truth[chosen], len(places) / len(chosen)
    sample = Labelled(scores, label, weight, stratum, cluster)
    return ppi_mean(sample) if base is None else ppi_difference(sample, Labelled.known(base, cluster))


def markdown_of_spoken(rows: Sequence[SpokenCoverage]) -> str:
    """The table of spoken scores for the documentation."""
    lines = [
        "| data | truth | q1, q0 | raw bias | bias | covered | +- (MC) | mean width | intervals used |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        used = ", ".join(f"{name} {count / row.draws:.0%}" for name, count in row.methods)
        lines.append(
            f"| {row.heard.name} | {row.heard.truth:+.2f} | {row.heard.q1:.2f}, {row.heard.q0:.2f} "
            f"| {row.raw_bias:+.2%} | {row.bias:+.2%} | {row.coverage:.1%} | {row.monte_carlo_error:.1%} "
            f"| {row.width:.3f} | {used} |"
        )
    return "\n".join(lines)
