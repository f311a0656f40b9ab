"""Simulated claims: familywise error, bias of corrected scores, bounds, and routing without a gain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from omnigap.vocabulary import CONDITIONS
from omnigap_orchestrator.analysis.contrasts import (
    ANSWERED_PAIRS,
    ITEM_WEIGHTED,
    Contrast,
    contrast_values,
    estimate_contrast,
    estimates,
    gap_contrast,
    holm,
)
from omnigap_orchestrator.analysis.gap import MAIN_EFFECTS
from omnigap_orchestrator.analysis.options import IntervalOptions, MissingRule
from omnigap_orchestrator.analysis.pairs import ModelScores
from omnigap_orchestrator.analysis.sign_flip import sign_flip_p
from omnigap_orchestrator.extras.asr_correction.influence import Labelled
from omnigap_orchestrator.extras.asr_correction.ppi import ppi_mean
from omnigap_orchestrator.extras.asr_correction.rogan_gladen import Calibration, correct
from omnigap_orchestrator.extras.routing.held_out import cross_validated, interval_of
from omnigap_orchestrator.extras.simulation.coverage import monte_carlo_error, scored_everywhere
from omnigap_orchestrator.extras.simulation.rare_losses import paired_scores


@dataclass(frozen=True, slots=True)
class Claim:
    """One simulated number with its Monte-Carlo standard error and the requirement that it must meet."""

    name: str
    value: float
    error: float
    requirement: str
    holds: bool


def holm_family_error(draws: int, seed: int, items: int = 200, conditions: int = 5) -> Claim:
    """Familywise error rate of Holm's procedure: five true null hypotheses against one shared reference."""
    rng = np.random.default_rng([seed, 1])
    wrong = 0
    for _ in range(draws):
        # Correlation 0.3 of the latent difficulties; all tests share the reference, so they are dependent as in a run.
        shared = rng.standard_normal(items) * math.sqrt(0.3)
        right = shared + rng.standard_normal((conditions + 1, items)) * math.sqrt(0.7) < 0.5
        p = [sign_flip_p(r.astype(np.float64) - right[0], seed, 999)[0] for r in right[1:]]
        wrong += bool((holm(p) <= 0.05).any())
    rate = wrong / draws
    error = monte_carlo_error(rate, draws)
    # Three Monte-Carlo standard errors of tolerance, in all claims.
    return Claim("Holm: any rejection among 5 true nulls", rate, error, "at most 5 %", rate <= 0.05 + 3 * error)


def first_screen_errors(draws: int, seed: int, models: int = 6) -> Sequence[Claim]:
    """Familywise error of the first screen's statements on the default plan, if no form costs any model anything.

    140 items, some of them in pairs, in all six conditions: five gaps and three main effects of each model.
    """
    rng = np.random.default_rng([seed, 6])
    cluster = np.concatenate([np.arange(124), 124 + np.arange(16) // 2])
    tests = (*(gap_contrast(c.name, "t2t") for c in CONDITIONS if c.name != "t2t"), *MAIN_EFFECTS)
    per_model = over_models = 0
    for _ in range(draws):
        drawn = [_without_gaps(cluster, rng) for _model in range(models)]
        p = np.array([[_p_value(scores, contrast) for contrast in tests] for scores in drawn])
        per_model += sum(bool((holm(row) < 0.05).any()) for row in p)
        over_models += bool((holm(p.ravel()) < 0.05).any())
    out = []
    for name, wrong, trials in (
        ("First screen of one model: any false statement among 5 gaps and 3 main effects", per_model, draws * models),
        (f"First screen of {models} models, adjusted over models: any false statement", over_models, draws),
    ):
        rate = wrong / trials
        error = monte_carlo_error(rate, trials)
        out.append(Claim(name, rate, error, "at most 5 %", rate <= 0.05 + 2 * error))
    return out


def _without_gaps(cluster: npt.NDArray[np.int64], rng: np.random.Generator) -> ModelScores:
    """Six conditions of the same accuracy, with difficulties that items and clusters share."""
    items, names = len(cluster), tuple(c.name for c in CONDITIONS)
    own, shared = rng.standard_normal(items), rng.standard_normal(cluster.max() + 1)[cluster]
    hard = shared * math.sqrt(0.2) + own * math.sqrt(0.3)
    noise = rng.standard_normal((items, len(names))) * math.sqrt(0.5)
    right = (hard[:, None] + noise < stats.norm.ppf(0.8)).astype(np.float64)
    return scored_everywhere(right, names, cluster)


def _p_value(scores: ModelScores, contrast: Contrast) -> float:
    values = contrast_values(scores, contrast)
    return estimate_contrast(
        values,
        contrast,
        pooling=ITEM_WEIGHTED,
        missing_as_wrong=False,
        rule=MissingRule(),
        options=IntervalOptions(draws=399),
    ).p


def corrected_score(draws: int, seed: int, n: int = 400, m: int = 200) -> Sequence[Claim]:
    """Bias of the raw and the corrected accuracy, and coverage of the corrected one's interval."""
    rng = np.random.default_rng([seed, 2])
    theta, q0, q1 = 0.7, 0.96, 0.88
    raw, estimate, covered = np.empty(draws), np.empty(draws), 0
    kinds, clusters = np.zeros(n, dtype=np.int64), np.arange(n)
    for index in range(draws):
        truth = rng.random(n) < theta
        scored = np.where(truth, rng.random(n) < q1, rng.random(n) >= q0).astype(np.float64)
        true_positives, true_negatives = int(rng.binomial(m, q1)), int(rng.binomial(m, q0))
        found = correct(scored, kinds, (Calibration("entity", true_positives, m, true_negatives, m),), clusters)
        raw[index], estimate[index] = found.raw, found.estimate
        covered += found.low <= theta <= found.high
    bias, corrected_bias, coverage = float(raw.mean() - theta), float(estimate.mean() - theta), covered / draws
    errors = [float(values.std(ddof=1)) / math.sqrt(draws) for values in (raw, estimate)]
    wide = monte_carlo_error(coverage, draws)
    fair = 0.93 - 3 * wide <= coverage <= 0.97 + 3 * wide
    return (
        Claim("Raw speech score: bias", bias, errors[0], "5 points or more", abs(bias) >= 0.05),
        Claim(
            "Corrected speech score: bias",
            corrected_bias,
            errors[1],
            "at most 0.5 points",
            abs(corrected_bias) <= 0.005 + 3 * errors[1],
        ),
        Claim("Corrected speech score: coverage", coverage, wide, "93-97 %", fair),
    )


def powered_score(draws: int, seed: int, n: int = 500, labels: int = 60) -> Sequence[Claim]:
    """Bias and coverage of the PPI++ accuracy from a few labels, drawn evenly from answers scored right and wrong."""
    rng = np.random.default_rng([seed, 4])
    theta, q0, q1 = 0.7, 0.96, 0.88
    raw, estimate, covered = np.empty(draws), np.empty(draws), 0
    for index in range(draws):
        truth = (rng.random(n) < theta).astype(np.float64)
        scored = np.where(truth > 0, rng.random(n) < q1, rng.random(n) >= q0).astype(np.float64)
        label, weight, stratum = np.full(n, np.nan), np.ones(n), scored.astype(np.int64)
        for code in (0, 1):
            places = np.flatnonzero(stratum == code)
            chosen = rng.choice(places, labels // 2, replace=False)
            label[chosen], weight[chosen] = truth[chosen], len(places) / len(chosen)
        found = ppi_mean(Labelled(scored, label, weight, stratum, np.arange(n)))
        raw[index], estimate[index] = scored.mean(), found.estimate
        covered += found.low <= theta <= found.high
    bias, coverage = float(estimate.mean() - theta), covered / draws
    error = float(estimate.std(ddof=1)) / math.sqrt(draws)
    wide = monte_carlo_error(coverage, draws)
    return (
        Claim(
            "Prediction-powered score (60 labels): bias",
            bias,
            error,
            "at most 0.5 points",
            abs(bias) <= 0.005 + 3 * error and abs(float(raw.mean()) - theta) >= 0.05,
        ),
        Claim(
            "Prediction-powered score (60 labels): coverage",
            coverage,
            wide,
            "93 % or more",
            coverage >= 0.93 - 3 * wide,
        ),
    )


def missing_bounds(draws: int, seed: int, items: int = 200) -> Sequence[Claim]:
    """Wrong answers are missing more often: the gap on answered pairs is biased, the bounds contain the true one."""
    rng = np.random.default_rng([seed, 3])
    contrast, rule, options = gap_contrast("s2t", "t2t"), MissingRule(allow=True), IntervalOptions()
    bias, held = np.empty(draws), 0
    for index in range(draws):
        right = np.column_stack([rng.random(items) < 0.7, rng.random(items) < 0.6]).astype(np.float64)
        there = np.ones((items, 2), dtype=np.bool_)
        # Of the condition 2 % of the right and 15 % of the wrong answers are missing: not missing at random.
        there[:, 1] = rng.random(items) >= np.where(right[:, 1] > 0, 0.02, 0.15)
        scores = paired_scores(right, there)
        values = contrast_values(scores, contrast)
        answered = dict(estimates(values, contrast, ITEM_WEIGHTED, rule, options))[ANSWERED_PAIRS]
        whole = float(right[:, 1].mean() - right[:, 0].mean())
        bias[index] = answered.estimate - whole
        held += answered.bound_low - 1e-12 <= whole <= answered.bound_high + 1e-12
    rate, mean = held / draws, float(bias.mean())
    error = float(bias.std(ddof=1)) / math.sqrt(draws)
    return (
        Claim("Wrong answers missing: bias of the answered pairs", mean, error, "above 0", mean > 3 * error),
        Claim("Wrong answers missing: bounds contain the gap of all data", rate, 0.0, "always", rate == 1.0),
    )


def routing_without_gain(draws: int, seed: int, items: int = 120, tasks: int = 4) -> Sequence[Claim]:
    """Conditions of equal accuracy in every task: the true gain of every policy is 0."""
    rng = np.random.default_rng([seed, 5])
    accuracy, options, folds = 0.65, IntervalOptions(draws=399), 5
    task = np.arange(items) % tasks
    gains, hits = np.empty(draws), np.zeros(2)
    for index in range(draws):
        shared = rng.standard_normal((items, 1)) * math.sqrt(0.3)
        threshold = float(stats.norm.ppf(accuracy))
        right = (shared + rng.standard_normal((items, 3)) * math.sqrt(0.7) < threshold).astype(np.float64)
        scores = scored_everywhere(right, ("t2t", "s2t", "i2t"), np.arange(items), task)
        single, many, _ = cross_validated(right, scores, folds, 5, rng)
        gain = many.minus(single)
        found = (
            interval_of(many, scores, options, True, folds),
            interval_of(gain, scores, options, False, folds),
        )
        hits += [found[0].low <= accuracy <= found[0].high, found[1].low <= 0 <= found[1].high]
        gains[index] = gain.mean
    bias, error = float(gains.mean()), float(gains.std(ddof=1)) / math.sqrt(draws)
    out = [Claim("Routing without a possible gain: bias of the gain", bias, error, "0", abs(bias) <= 3 * error)]
    for name, rate in zip(("accuracy of the policy", "gain"), hits / draws, strict=True):
        wide = monte_carlo_error(rate, draws)
        title = f"Routing without a possible gain: coverage, {name}"
        out.append(Claim(title, float(rate), wide, "93 % or more", bool(rate >= 0.93 - 3 * wide)))
    return out


def claims(draws: int, seed: int) -> Sequence[Claim]:
    """All claims."""
    scores = (*corrected_score(draws, seed), *powered_score(draws, seed))
    rest = (*missing_bounds(draws, seed), *routing_without_gain(draws, seed))
    # Eight tests of six models in each draw: fewer draws still give more than the asked number for one model.
    screen = first_screen_errors(max(draws // 2, 1), seed)
    return (holm_family_error(draws, seed), *screen, *scores, *rest)
