"""Prediction-powered inference with power tuning (PPI++, arXiv 2311.01453): few human labels beside every score.

The mean of all scores is cheap and biased, the labels are right and few. The estimate is

    theta = lam * mean(score of all) + mean over the labelled of (label - lam * score),

unbiased for every lam; lam is tuned for the smallest variance. Here the labelled answers are a sample of the answers
themselves, drawn with known probabilities in strata, and answers come in clusters: weights are the inverse inclusion
probabilities, normalised within strata, and the variance is that of the clusters' summed influence values. With one
stratum, equal probabilities and no clusters this is the paper's estimator, whose lambda over N further answers beside n
labelled ones is ours times N / (n + N)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray

_NOTHING = 1e-12


@dataclass(frozen=True, slots=True)
class Labelled:
    """Answers with a score each, and with a label where a person gave one. All arrays (answers,).

    Attributes:
        label: in [0, 1]; NaN where there is none.
        weight: 1 / inclusion probability; read only where there is a label.
        stratum: what the sample was stratified by.
        cluster: what groups dependent answers.
    """

    score: FloatArray
    label: FloatArray
    weight: FloatArray
    stratum: IntArray
    cluster: IntArray

    @classmethod
    def known(cls, score: FloatArray, cluster: IntArray) -> Labelled:
        """Answers whose score is right by itself, such as text answers: every one counts as labelled."""
        return cls(score, score, np.ones(len(score)), np.zeros(len(score), dtype=np.int64), cluster)


@dataclass(frozen=True, slots=True)
class Powered:
    """A prediction-powered mean or difference; NaN, with `reason`, where there is none.

    Attributes:
        lam: tuned weight of the scores of each sample; NaN where every weight gives the same.
        n: answers. labelled: those with a label, in all samples that need labels.
    """

    estimate: float
    low: float
    high: float
    se: float
    lam: tuple[float, ...]
    n: int
    labelled: int
    reason: str | None = None


def ppi_mean(sample: Labelled, level: float = 0.95, lam: float | None = None) -> Powered:
    """The mean that labels for all answers would have.

    Args:
        lam: a fixed weight of the scores: 0 for the labels alone, 1 for the untuned estimator; None: tuned.
    """
    return _powered((sample,), (1.0,), level, None if lam is None else (lam,))


def ppi_difference(first: Labelled, second: Labelled, level: float = 0.95) -> Powered:
    """Mean of the first minus mean of the second, paired: entry i of both is the same item."""
    if not np.array_equal(first.cluster, second.cluster):
        raise ValueError("paired samples need the same items in the same order: their clusters differ")
    return _powered((first, second), (1.0, -1.0), level, None)


@dataclass(frozen=True, slots=True)
class _Linear:
    """An estimate as a + lam * b, with influence values of both parts summed by cluster, over the answers' number."""

    a: float
    b: float
    influence_a: FloatArray
    influence_b: FloatArray
    # What the labelled strata that show no variation may hide, as a variance of the estimate.
    hidden: float
    most: float
    df: int
    labelled: int


def _powered(
    samples: Sequence[Labelled], signs: Sequence[float], level: float, fixed: tuple[float, ...] | None
) -> Powered:
    n = len(samples[0].score)
    labelled = sum(_asked_for(sample) for sample in samples)
    nan = float("nan")
    reason = next((why for why in map(_lacks, samples) if why), None)
    if reason is not None:
        return Powered(nan, nan, nan, nan, (), n, labelled, reason)
    parts = [_linear(_merged(sample)) for sample in samples]
    a = np.sum([sign * part.influence_a for sign, part in zip(signs, parts, strict=True)], axis=0)
    b = np.column_stack([sign * part.influence_b for sign, part in zip(signs, parts, strict=True)])
    lam = np.array(fixed) if fixed is not None else _tuned(a, b, [part.most for part in parts])
    groups = len(a)
    correction = groups / (groups - 1) if groups > 1 else nan
    hidden = sum(part.hidden for part in parts)

    def with_weights(weights: FloatArray) -> tuple[float, float]:
        used = np.nan_to_num(weights, nan=1.0)
        value = sum(s * (p.a + w * p.b) for s, p, w in zip(signs, parts, used, strict=True))
        return float(value), math.sqrt(correction * float(np.square(a + b @ used).sum()) + hidden)

    estimate, se = with_weights(lam)
    df = min(groups - 1, *(part.df for part in parts))
    half = float(stats.t.ppf(0.5 + level / 2, max(df, 1))) * se
    return Powered(estimate, estimate - half, estimate + half, se, tuple(map(float, lam)), n, labelled)


def _asked_for(sample: Labelled) -> int:
    held = ~np.isnan(sample.label)
    return 0 if held.all() and np.array_equal(sample.label, sample.score) else int(held.sum())


def _lacks(sample: Labelled) -> str | None:
    held = ~np.isnan(sample.label)
    if held.sum() < 2:
        return f"{int(held.sum())} labels: it takes two, better a hundred"
    for code in np.unique(sample.stratum):
        inside = sample.stratum == code
        if not held[inside].any():
            size = int(inside.sum())
            return f"a stratum of {size} {'answer' if size == 1 else 'answers'} has no label, so nothing is known of it"
    return None


def _merged(sample: Labelled) -> Labelled:
    """Strata with one label of several answers show no variation: then all strata become one, held by the weights."""
    held = ~np.isnan(sample.label)
    for code in np.unique(sample.stratum):
        inside = sample.stratum == code
        if inside.sum() > 1 and held[inside].sum() < 2:
            return replace(sample, stratum=np.zeros_like(sample.stratum))
    return sample


def _linear(sample: Labelled) -> _Linear:
    n, held = len(sample.score), ~np.isnan(sample.label)
    label = np.where(held, sample.label, 0.0)
    # Within its stratum: the labels' mean, the labelled scores' mean, and each labelled answer's deviation from both.
    mean_y, mean_f = np.zeros(n), np.zeros(n)
    own_y, own_f = np.zeros(n), np.zeros(n)
    hidden, df = 0.0, 0
    for code in np.unique(sample.stratum):
        inside = sample.stratum == code
        there = inside & held
        size, count = int(inside.sum()), int(there.sum())
        share = sample.weight[there] / sample.weight[there].sum()
        y, f = label[there], sample.score[there]
        mean_y[inside], mean_f[inside] = share @ y, share @ f
        # A sample's deviations from its own mean are too small by (count - 1) / count; a census has none of that.
        scale = size * share * (math.sqrt(count / (count - 1)) if 1 < count < size else 1.0)
        own_y[there], own_f[there] = scale * (y - share @ y), scale * (f - share @ f)
        df += count if count == size else count - 1
        if count < size and np.isin(y, (0.0, 1.0)).all() and np.isin(sample.score[inside], (0.0, 1.0)).all():
            # Of the answers with one score: a scorer that was never wrong in these labels is not never wrong.
            for said in np.unique(sample.score[inside]):
                hidden += _hidden(y[f == said], share[f == said], int((sample.score[inside] == said).sum())) / n**2
    a = float(mean_y.mean())
    b = float(sample.score.mean() - mean_f.mean())
    influence_a = mean_y - a + own_y
    influence_b = (sample.score - sample.score.mean()) - (mean_f - mean_f.mean()) - own_f
    _, codes = np.unique(sample.cluster, return_inverse=True)
    rest = n - int(held.sum())
    return _Linear(
        a,
        b,
        np.bincount(codes, weights=influence_a) / n,
        np.bincount(codes, weights=influence_b) / n,
        hidden,
        n / rest if rest else math.inf,
        df,
        int(held.sum()),
    )


def _hidden(labels: FloatArray, share: FloatArray, size: int) -> float:
    """Variance of the sum over `size` answers with the same score, beyond what its labels show: "never wrong" in ten
    labels is not "never wrong".

    Half a right and half a wrong label are added (Jeffreys); without any label nothing is known.
    """
    n = len(labels)
    rights = float(share @ labels) / float(share.sum()) * n if n else 0.0
    p = (rights + 0.5) / (n + 1)
    unseen = max(0.0, p * (1 - p) - float(labels.var(ddof=1) if n > 1 else 0.0))
    return size**2 * (1 - n / size) * unseen / max(n, 1)


def _tuned(a: FloatArray, b: FloatArray, most: Sequence[float]) -> FloatArray:
    """The weights with the least variance of a + b @ lam, each cut to what the paper allows; NaN where b is nothing.

    Labels that are all alike would tune the scores away and leave what they happened to miss: then it is 1, untuned.
    """
    lam = np.full(b.shape[1], np.nan)
    says = np.square(b).sum(axis=0) > _NOTHING**2 + _NOTHING * float(np.square(a).sum())
    if says.any():
        alike = float(np.square(a).sum()) <= _NOTHING**2
        lam[says] = 1.0 if alike else np.linalg.lstsq(b[:, says], -a, rcond=None)[0]
    return np.where(np.isnan(lam), lam, np.clip(lam, 0.0, np.array(most)))
