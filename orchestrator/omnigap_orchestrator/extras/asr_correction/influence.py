"""A labelled sample as a linear function of lambda, with its influence values: what PPI++ tunes and estimates from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray

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
class Linear:
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


def human_labels(sample: Labelled) -> int:
    """Number of labels; 0 for a sample whose scores are known to be true (`Labelled.known`)."""
    held = ~np.isnan(sample.label)
    return 0 if held.all() and np.array_equal(sample.label, sample.score) else int(held.sum())


def missing_labels(sample: Labelled) -> str | None:
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


def merged(sample: Labelled) -> Labelled:
    """The sample as one stratum if any stratum of several answers has fewer than two labels.

    One label has no variance. The weights still correct for the unequal sampling.
    """
    held = ~np.isnan(sample.label)
    for code in np.unique(sample.stratum):
        inside = sample.stratum == code
        if inside.sum() > 1 and held[inside].sum() < 2:
            return replace(sample, stratum=np.zeros_like(sample.stratum))
    return sample


def linear(sample: Labelled) -> Linear:
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
    return Linear(
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


def tuned(a: FloatArray, b: FloatArray, max_lam: Sequence[float]) -> FloatArray:
    """The weights of least variance of a + b @ lam, clipped to [0, max_lam]; NaN where b has no influence."""
    lam = np.full(b.shape[1], np.nan)
    matters = np.square(b).sum(axis=0) > _NOTHING**2 + _NOTHING * float(np.square(a).sum())
    if matters.any():
        # Identical labels would tune the scores away, and with them all knowledge of what the labels missed: untuned
        # (1).
        alike = float(np.square(a).sum()) <= _NOTHING**2
        lam[matters] = 1.0 if alike else np.linalg.lstsq(b[:, matters], -a, rcond=None)[0]
    return np.where(np.isnan(lam), lam, np.clip(lam, 0.0, np.array(max_lam)))
