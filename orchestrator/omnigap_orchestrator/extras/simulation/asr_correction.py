"""Coverage of the intervals of transcribed scores: Rogan-Gladen corrected ones, and PPI++ from human labels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray
from omnigap_orchestrator.extras.asr_correction.influence import Labelled
from omnigap_orchestrator.extras.asr_correction.ppi import PpiEstimate, ppi_difference, ppi_mean
from omnigap_orchestrator.extras.asr_correction.rogan_gladen import Calibration, Corrected, correct
from omnigap_orchestrator.extras.simulation.coverage import monte_carlo_error


@dataclass(frozen=True, slots=True)
class SpokenScenario:
    """Spoken answers of known accuracy and an imperfect scorer; with `reference`, their gap to text answers.

    Attributes:
        sizes: items per cluster.
        q1, q0: true rates of the scorer.
        clustered: part of the variance of the latent difficulty that a cluster shares.
        clips: gold answers, and as many wrong ones, that q1 and q0 are measured on.
        labels: number of human labels; 0: the score is corrected by the calibration instead.
        stratified: labels are drawn evenly from answers scored right and wrong; otherwise at random.
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
    SpokenScenario("500 items, 20 labels, poor scorer", _singles(500), 0.9, 0.8, 0.8, labels=20, stratified=False),
    SpokenScenario("500 items, 5 labels, poor scorer", _singles(500), 0.9, 0.8, 0.8, labels=5, stratified=False),
    SpokenScenario("10 clusters of 14, 40 labels", (14,) * 10, 0.87, 0.95, 0.97, clustered=0.2, labels=40),
    SpokenScenario("gap, 140 items, 40 labels", _singles(140), 0.87, 0.95, 0.97, reference=0.9, labels=40),
)


@dataclass(frozen=True, slots=True)
class SpokenCoverage:
    """Results of one scenario over all draws; shares in [0, 1]."""

    scenario: SpokenScenario
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
    scenario: SpokenScenario, draws: int, seed: int, options: IntervalOptions | None = None
) -> SpokenCoverage:
    """Draws answers and the scorer's verdicts on answers and clips; counts how often the interval covers the truth."""
    options = options or IntervalOptions(draws=999)
    rng = np.random.default_rng([seed, *scenario.name.encode()])
    sizes = np.array(scenario.sizes)
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    covered, methods = 0, Counter[str]()
    raw, estimate, width = np.empty(draws), np.empty(draws), np.empty(draws)
    for index in range(draws):
        truth, base = _answers(scenario, cluster, rng)
        verdicts = np.where(truth > 0, rng.random(len(truth)) < scenario.q1, rng.random(len(truth)) >= scenario.q0)
        scores = verdicts.astype(np.float64)
        found: Corrected | PpiEstimate
        if scenario.labels:
            found, by = _labelled(scenario, scores, truth, base, cluster, rng), "ppi"
        else:
            found = _corrected(scenario, scores, base, cluster, replace(options, seed=index), rng)
            by = found.method
        covered += found.low <= scenario.truth <= found.high
        raw[index] = float((scores if base is None else scores - base).mean())
        estimate[index], width[index] = found.estimate, found.high - found.low
        methods[by] += 1
    return SpokenCoverage(
        scenario,
        draws,
        covered / draws,
        float(raw.mean()) - scenario.truth,
        float(estimate.mean()) - scenario.truth,
        float(width.mean()),
        tuple(methods.most_common()),
    )


def _answers(
    scenario: SpokenScenario, cluster: IntArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray | None]:
    """Whether each spoken answer is right, shape (items,), and each text answer to the same questions."""
    n, clusters = len(cluster), int(cluster.max()) + 1
    own = rng.standard_normal(clusters)[cluster] * math.sqrt(scenario.clustered)
    hard = own + rng.standard_normal(n) * math.sqrt(1 - scenario.clustered)
    truth = np.asarray(hard < special.ndtri(scenario.accuracy), dtype=np.float64)
    if scenario.reference is None:
        return truth, None
    # Correlation 0.5 of the latent difficulties in both conditions.
    other = 0.5 * hard + rng.standard_normal(n) * math.sqrt(0.75)
    return truth, np.asarray(other < special.ndtri(scenario.reference), dtype=np.float64)


def _corrected(
    scenario: SpokenScenario,
    scores: FloatArray,
    base: FloatArray | None,
    cluster: IntArray,
    options: IntervalOptions,
    rng: np.random.Generator,
) -> Corrected:
    clips = scenario.clips
    true_positives, true_negatives = int(rng.binomial(clips, scenario.q1)), int(rng.binomial(clips, scenario.q0))
    calibration = Calibration("entity", true_positives, clips, true_negatives, clips)
    return correct(scores, np.zeros(len(scores), dtype=np.int64), (calibration,), cluster, base, options)


def _labelled(
    scenario: SpokenScenario,
    scores: FloatArray,
    truth: FloatArray,
    base: FloatArray | None,
    cluster: IntArray,
    rng: np.random.Generator,
) -> PpiEstimate:
    label, weight = np.full(len(scores), np.nan), np.ones(len(scores))
    stratum = scores.astype(np.int64) if scenario.stratified else np.zeros(len(scores), dtype=np.int64)
    strata = np.unique(stratum)
    for code in strata:
        places = np.flatnonzero(stratum == code)
        chosen = rng.choice(places, min(len(places), scenario.labels // len(strata)), replace=False)
        label[chosen], weight[chosen] = truth[chosen], len(places) / len(chosen)
    sample = Labelled(scores, label, weight, stratum, cluster)
    return ppi_mean(sample) if base is None else ppi_difference(sample, Labelled.known(base, cluster))


def markdown_of_spoken(rows: Sequence[SpokenCoverage]) -> str:
    """The table of transcribed scores as Markdown."""
    lines = [
        "| data | truth | q1, q0 | raw bias | bias | covered | +- (MC) | mean width | intervals used |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        used = ", ".join(f"{name} {count / row.draws:.0%}" for name, count in row.methods)
        lines.append(
            f"| {row.scenario.name} | {row.scenario.truth:+.2f} | {row.scenario.q1:.2f}, {row.scenario.q0:.2f} "
            f"| {row.raw_bias:+.2%} | {row.bias:+.2%} | {row.coverage:.1%} | {row.monte_carlo_error:.1%} "
            f"| {row.width:.3f} | {used} |"
        )
    return "\n".join(lines)
