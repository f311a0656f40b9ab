"""PPI++: scores estimated from a few human labels and an ASR score of every answer.

Prediction-powered inference with power tuning, arXiv 2311.01453. The mean of all scores is precise but biased; the
labels are unbiased but few. The estimate is

    theta = lam * mean(score over all) + mean over the labelled of (label - lam * score),

unbiased for every fixed lam; lam is tuned for the smallest variance. Tuned on the same labels it would be biased: by
about -0.5 points at 20 labels and -1.7 at 5. It is therefore cross-fitted: each label is used with the lam that the
labels of all other clusters give (arXiv 2309.16598 cross-fits the predictions in the same way).

Here the labelled answers are a stratified sample of the answers themselves, drawn with known probabilities, and answers
come in clusters: weights are inverse inclusion probabilities, normalised within strata, and the variance is that of
influence values summed by cluster. With one stratum, equal probabilities and no clusters this is the paper's estimator;
the paper's lambda, for N further answers in addition to n labelled ones, is ours times N / (n + N).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from omnigap_orchestrator.analysis.pairs import BoolArray, FloatArray, IntArray
from omnigap_orchestrator.extras.asr_correction.influence import (
    Labelled,
    Linear,
    human_labels,
    linear,
    merged,
    missing_labels,
    tuned,
)


@dataclass(frozen=True, slots=True)
class PpiEstimate:
    """A prediction-powered mean or difference; NaN, with a `reason`, if there is none.

    Attributes:
        lam: mean weight of the scores of each sample; NaN where every weight gives the same estimate.
        n: number of answers.
        labelled: number of labels, in all samples that need labels.
    """

    estimate: float
    low: float
    high: float
    se: float
    lam: tuple[float, ...]
    n: int
    labelled: int
    reason: str | None = None


def ppi_mean(sample: Labelled, level: float = 0.95, lam: float | None = None) -> PpiEstimate:
    """Estimates the mean that labels of all answers would have.

    Args:
        lam: fixed weight of the scores: 0 uses the labels only, 1 is the untuned PPI estimator; None: tuned.
    """
    return _ppi((sample,), (1.0,), level, None if lam is None else (lam,))


def ppi_difference(first: Labelled, second: Labelled, level: float = 0.95) -> PpiEstimate:
    """Estimates the mean of the first minus the mean of the second; entry i of both is the same item.

    Raises:
        ValueError: the samples have different clusters.
    """
    if not np.array_equal(first.cluster, second.cluster):
        raise ValueError("paired samples need the same items in the same order: their clusters differ")
    return _ppi((first, second), (1.0, -1.0), level, None)


MAX_FITS = 50
"""Largest number of parts that the labelled clusters are divided into for the cross-fit; up to that, one part each."""


def _ppi(
    samples: Sequence[Labelled], signs: Sequence[float], level: float, fixed: tuple[float, ...] | None
) -> PpiEstimate:
    n = len(samples[0].score)
    labelled = sum(human_labels(sample) for sample in samples)
    nan = float("nan")
    reason = next((text for text in map(missing_labels, samples) if text), None)
    if reason is not None:
        return PpiEstimate(nan, nan, nan, nan, (), n, labelled, reason)
    strata = [merged(sample) for sample in samples]
    parts = [linear(sample) for sample in strata]
    _, codes = np.unique(samples[0].cluster, return_inverse=True)
    # The weight of each answer, shape (answers, samples), and its mean over the labels.
    used = np.ones((n, 1)) * np.array(fixed) if fixed is not None else _cross_fitted(strata, signs, codes, parts)
    lam = np.array([_mean_weight(column, sample) for column, sample in zip(used.T, strata, strict=True)])
    # If every weight gives the same estimate, use 1.
    used, mean = np.nan_to_num(used, nan=1.0), np.nan_to_num(lam, nan=1.0)
    estimate = 0.0
    influence, apart = np.zeros(len(parts[0].influence_a)), np.zeros(len(parts[0].influence_a))
    for sign, part, weights, average in zip(signs, parts, used.T, mean, strict=True):
        estimate += sign * (part.a + float(weights @ part.each))
        # The labelled answers vary with their own weights, the scores of all answers with the mean weight.
        influence += sign * (part.influence_a + average * part.influence_b)
        apart += sign * np.bincount(codes, weights=(weights - average) * part.own_b) / n
    clusters = len(influence)
    correction = clusters / (clusters - 1) if clusters > 1 else nan
    hidden = sum(part.hidden for part in parts)
    # The larger of two variances: where one label differs from all others, its own weight pulls it towards them, and
    # the spread that remains is too small (92 % covered at 20 labels).
    spread = max(float(np.square(influence).sum()), float(np.square(influence + apart).sum()))
    se = math.sqrt(correction * spread + hidden)
    # Few labels or few clusters: the smaller number is the limit.
    df = min(clusters - 1, *(part.df for part in parts))
    half = float(stats.t.ppf(0.5 + level / 2, max(df, 1))) * se
    return PpiEstimate(estimate, estimate - half, estimate + half, se, tuple(map(float, lam)), n, labelled)


def _weights(samples: Sequence[Labelled], signs: Sequence[float], parts: Sequence[Linear]) -> FloatArray:
    """The tuned weight of each sample, shape (samples,)."""
    a = np.sum([sign * part.influence_a for sign, part in zip(signs, parts, strict=True)], axis=0)
    b = np.column_stack([sign * part.influence_b for sign, part in zip(signs, parts, strict=True)])
    return tuned(a, b, [part.max_lam for part in parts])


def _cross_fitted(
    samples: Sequence[Labelled], signs: Sequence[float], codes: IntArray, parts: Sequence[Linear]
) -> FloatArray:
    """The weight of each answer, tuned on the labels of all other clusters, shape (answers, samples).

    NaN where every weight gives the same estimate; without labels to tune on it is 1.

    Args:
        codes: clusters, shape (answers,).
    """
    n, own = len(codes), _weights(samples, signs, parts)
    out = np.ones((n, 1)) * own
    human = np.zeros(n, dtype=np.bool_)
    for sample in samples:
        if human_labels(sample):
            human |= ~np.isnan(sample.label)
    # Scores that every weight leaves as they are, such as those of a known reference, need no fit.
    if np.isnan(own).all() or not human.any():
        return out
    for part in _fit_parts(samples, codes, human):
        inside = np.isin(codes, part)
        rest = [_without_labels(sample, inside) for sample in samples]
        if any(missing_labels(_one_stratum_if_needed(sample)) for sample in rest):
            out[inside] = np.where(np.isnan(own), own, 1.0)
            continue
        ready = [merged(_one_stratum_if_needed(sample)) for sample in rest]
        found = _weights(ready, signs, [linear(sample) for sample in ready])
        out[inside] = np.where(np.isnan(own) | np.isnan(found), own, found)
    return out


def _fit_parts(samples: Sequence[Labelled], codes: IntArray, human: BoolArray) -> Sequence[IntArray]:
    """The labelled clusters in at most `MAX_FITS` parts, dealt out in the order of their content, not by name."""
    clusters = np.unique(codes[human])
    if len(clusters) <= MAX_FITS:
        return list(clusters[:, None])
    columns = [np.bincount(codes, weights=np.nan_to_num(v)) for s in samples for v in (s.label, s.score)]
    order = clusters[np.lexsort([column[clusters] for column in columns])]
    return [order[place::MAX_FITS] for place in range(MAX_FITS)]


def _without_labels(sample: Labelled, inside: BoolArray) -> Labelled:
    """The sample without the human labels of some answers; one whose scores are known to be true is unchanged."""
    if not human_labels(sample):
        return sample
    return replace(sample, label=np.where(inside, np.nan, sample.label))


def _one_stratum_if_needed(sample: Labelled) -> Labelled:
    """The sample as one stratum if a stratum lost all of its labels."""
    held = ~np.isnan(sample.label)
    if set(np.unique(sample.stratum)) <= set(np.unique(sample.stratum[held])):
        return sample
    return replace(sample, stratum=np.zeros_like(sample.stratum))


def _mean_weight(weights: FloatArray, sample: Labelled) -> float:
    """The mean over the labelled answers."""
    return float(weights[~np.isnan(sample.label)].mean())
