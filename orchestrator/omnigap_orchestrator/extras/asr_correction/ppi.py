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

_NOTHING = 1e-12
"""Sums of squares below its square are rounding."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Answers with a score each and labels for some of them. All arrays have the shape (answers,).

    Attributes:
        label: in [0, 1]; NaN without a label.
        weight: 1 / inclusion probability; read only for labelled answers.
        stratum: code of the sampling stratum.
        cluster: code of the cluster of dependent answers.
    """

    score: FloatArray
    label: FloatArray
    weight: FloatArray
    stratum: IntArray
    cluster: IntArray

    @classmethod
    def known(cls, score: FloatArray, cluster: IntArray) -> Labelled:
        """Answers whose score is the truth, such as text answers: each counts as labelled."""
        return cls(score, score, np.ones(len(score)), np.zeros(len(score), dtype=np.int64), cluster)


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


@dataclass(frozen=True, slots=True)
class _Linear:
    """An estimate as a + lam * b, with the influence values of a and b by cluster over the number of answers.

    Attributes:
        each: the contribution of each answer to b, shape (answers,); their sum is b.
        hidden: variance of the estimate that unanimous labels of a stratum may hide (`_hidden`).
        max_lam: the weight that equals the paper's lambda of 1: answers divided by unlabelled answers.
        df: degrees of freedom of the labels.
    """

    a: float
    b: float
    each: FloatArray
    influence_a: FloatArray
    influence_b: FloatArray
    # The part of influence_b that comes from the labelled answers, by answer.
    own_b: FloatArray
    hidden: float
    max_lam: float
    df: int
    labelled: int


MAX_FITS = 50
"""Largest number of parts that the labelled clusters are divided into for the cross-fit; up to that, one part each."""


def _ppi(
    samples: Sequence[Labelled], signs: Sequence[float], level: float, fixed: tuple[float, ...] | None
) -> PpiEstimate:
    n = len(samples[0].score)
    labelled = sum(_human_labels(sample) for sample in samples)
    nan = float("nan")
    reason = next((text for text in map(_missing_labels, samples) if text), None)
    if reason is not None:
        return PpiEstimate(nan, nan, nan, nan, (), n, labelled, reason)
    merged = [_merged(sample) for sample in samples]
    parts = [_linear(sample) for sample in merged]
    _, codes = np.unique(samples[0].cluster, return_inverse=True)
    # The weight of each answer, shape (answers, samples), and its mean over the labels.
    used = np.ones((n, 1)) * np.array(fixed) if fixed is not None else _cross_fitted(merged, signs, codes, parts)
    lam = np.array([_mean_weight(column, sample) for column, sample in zip(used.T, merged, strict=True)])
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


def _weights(samples: Sequence[Labelled], signs: Sequence[float], parts: Sequence[_Linear]) -> FloatArray:
    """The tuned weight of each sample, shape (samples,)."""
    a = np.sum([sign * part.influence_a for sign, part in zip(signs, parts, strict=True)], axis=0)
    b = np.column_stack([sign * part.influence_b for sign, part in zip(signs, parts, strict=True)])
    return _tuned(a, b, [part.max_lam for part in parts])


def _cross_fitted(
    samples: Sequence[Labelled], signs: Sequence[float], codes: IntArray, parts: Sequence[_Linear]
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
        if _human_labels(sample):
            human |= ~np.isnan(sample.label)
    # Scores that every weight leaves as they are, such as those of a known reference, need no fit.
    if np.isnan(own).all() or not human.any():
        return out
    for part in _fit_parts(samples, codes, human):
        inside = np.isin(codes, part)
        rest = [_without_labels(sample, inside) for sample in samples]
        if any(_missing_labels(_one_stratum_if_needed(sample)) for sample in rest):
            out[inside] = np.where(np.isnan(own), own, 1.0)
            continue
        ready = [_merged(_one_stratum_if_needed(sample)) for sample in rest]
        found = _weights(ready, signs, [_linear(sample) for sample in ready])
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
    if not _human_labels(sample):
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


def _human_labels(sample: Labelled) -> int:
    """Number of labels; 0 for a sample whose scores are known to be true (`Labelled.known`)."""
    held = ~np.isnan(sample.label)
    return 0 if held.all() and np.array_equal(sample.label, sample.score) else int(held.sum())


def _missing_labels(sample: Labelled) -> str | None:
    """Reason why the labels don't suffice; None if they do."""
    held = ~np.isnan(sample.label)
    if held.sum() < 2:
        return f"{int(held.sum())} labels: at least 2 are needed, 100 or more are recommended"
    for code in np.unique(sample.stratum):
        inside = sample.stratum == code
        if not held[inside].any():
            size = int(inside.sum())
            return f"a stratum of {size} {'answer' if size == 1 else 'answers'} has no label"
    return None


def _merged(sample: Labelled) -> Labelled:
    """The sample as one stratum if any stratum of several answers has fewer than two labels.

    One label has no variance. The weights still correct for the unequal sampling.
    """
    held = ~np.isnan(sample.label)
    for code in np.unique(sample.stratum):
        inside = sample.stratum == code
        if inside.sum() > 1 and held[inside].sum() < 2:
            return replace(sample, stratum=np.zeros_like(sample.stratum))
    return sample


def _linear(sample: Labelled) -> _Linear:
    n, held = len(sample.score), ~np.isnan(sample.label)
    label = np.where(held, sample.label, 0.0)
    # By stratum: weighted mean of the labels (y) and of the labelled scores (f), and each labelled answer's deviations.
    mean_y, mean_f = np.zeros(n), np.zeros(n)
    own_y, own_f, each = np.zeros(n), np.zeros(n), np.zeros(n)
    hidden, df = 0.0, 0
    for code in np.unique(sample.stratum):
        inside = sample.stratum == code
        there = inside & held
        size, count = int(inside.sum()), int(there.sum())
        share = sample.weight[there] / sample.weight[there].sum()
        y, f = label[there], sample.score[there]
        mean_y[inside], mean_f[inside] = share @ y, share @ f
        each[there] = size / n * share * (sample.score[inside].mean() - f)
        # Deviations from a sample's own mean have a variance too small by (count - 1) / count; a census has no sampling
        # error to correct.
        scale = size * share * (math.sqrt(count / (count - 1)) if 1 < count < size else 1.0)
        own_y[there], own_f[there] = scale * (y - share @ y), scale * (f - share @ f)
        df += count if count == size else count - 1
        if count < size and np.isin(y, (0.0, 1.0)).all() and np.isin(sample.score[inside], (0.0, 1.0)).all():
            # For each verdict of the scorer: no error among a few labels does not mean that it makes none.
            for verdict in np.unique(sample.score[inside]):
                hidden += (
                    _hidden(y[f == verdict], share[f == verdict], int((sample.score[inside] == verdict).sum())) / n**2
                )
    a = float(mean_y.mean())
    b = float(sample.score.mean() - mean_f.mean())
    influence_a = mean_y - a + own_y
    influence_b = (sample.score - sample.score.mean()) - (mean_f - mean_f.mean()) - own_f
    _, codes = np.unique(sample.cluster, return_inverse=True)
    rest = n - int(held.sum())
    return _Linear(
        a,
        b,
        each,
        np.bincount(codes, weights=influence_a) / n,
        np.bincount(codes, weights=influence_b) / n,
        -own_f,
        hidden,
        n / rest if rest else math.inf,
        df,
        int(held.sum()),
    )


def _hidden(labels: FloatArray, share: FloatArray, size: int) -> float:
    """Variance of the sum of labels over `size` answers with the same score, beyond the variance that its labels show.

    Ten labels without a disagreement show no variance, but don't prove that there is none: the share of right answers
    is taken as under Jeffreys' prior, with half a right and half a wrong label added.
    """
    n = len(labels)
    rights = float(share @ labels) / float(share.sum()) * n if n else 0.0
    p = (rights + 0.5) / (n + 1)
    unseen = max(0.0, p * (1 - p) - float(labels.var(ddof=1) if n > 1 else 0.0))
    return size**2 * (1 - n / size) * unseen / max(n, 1)


def _tuned(a: FloatArray, b: FloatArray, max_lam: Sequence[float]) -> FloatArray:
    """The weights of least variance of a + b @ lam, clipped to [0, max_lam]; NaN where b has no influence."""
    lam = np.full(b.shape[1], np.nan)
    matters = np.square(b).sum(axis=0) > _NOTHING**2 + _NOTHING * float(np.square(a).sum())
    if matters.any():
        # Identical labels would tune the scores away, and with them all knowledge of what the labels missed: untuned
        # (1).
        alike = float(np.square(a).sum()) <= _NOTHING**2
        lam[matters] = 1.0 if alike else np.linalg.lstsq(b[:, matters], -a, rcond=None)[0]
    return np.where(np.isnan(lam), lam, np.clip(lam, 0.0, np.array(max_lam)))
