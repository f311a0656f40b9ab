"""Cross-validated evaluation of routing policies on held-out items, with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from omnigap_orchestrator.analysis.choose_interval import Sample, mean_interval
from omnigap_orchestrator.analysis.intervals import Interval
from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray, ModelScores

WIDENED = "_widened"
"""Suffix of the method of an interval that was widened for the variance of the choice."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The score of each item under a policy that was chosen on other items.

    Attributes:
        each: shape (splits, items), one row per random split; one row for a policy that makes no choice.
        use: shape (conditions,), share of the answers that the policy takes from each condition.
        varies: whether the splits disagreed on the choice.
    """

    each: FloatArray
    use: FloatArray
    varies: bool

    @property
    def mean(self) -> float:
        return float(self.each.mean())

    def over(self, other: HeldOut) -> HeldOut:
        """The difference to another policy, paired by item and split."""
        return HeldOut(self.each - other.each, self.use, self.varies or other.varies)


def oracle(table: FloatArray) -> HeldOut:
    """The per-item oracle: each item's best score over the conditions.

    Args:
        table: scores, shape (items, conditions).
    """
    return HeldOut(table.max(axis=1)[None, :], np.full(table.shape[1], math.nan), varies=False)


def cross_validated(
    table: FloatArray, held: ModelScores, folds: int, repeats: int, rng: np.random.Generator
) -> tuple[HeldOut, HeldOut, FloatArray]:
    """Evaluates two policies by repeated K-fold cross-validation over clusters.

    Args:
        table: scores in the allowed conditions, shape (items, conditions).
        folds: K.
        repeats: number of random splits into folds.

    Returns:
        The policy with one condition for everything, the policy with one condition per task, and the share of choices
        that each condition received, shape (tasks, conditions).
    """
    n, k = table.shape
    tasks = len(held.tasks)
    cluster = _clusters_by_content(table, held)
    total = by_task(table, held.task, tasks)
    single, many = np.empty((repeats, n)), np.empty((repeats, n))
    used_single, used_many, votes = np.zeros(k), np.zeros(k), np.zeros((tasks, k))
    rows = np.arange(n)
    for repeat in range(repeats):
        fold = rng.permutation(np.arange(cluster.max() + 1) % folds)[cluster]
        best, choice = np.zeros(folds, dtype=np.int64), np.zeros((folds, tasks), dtype=np.int64)
        for f in range(folds):
            left = total - by_task(table[fold == f], held.task[fold == f], tasks)
            best[f] = int(np.argmax(left.sum(axis=0)))
            # A tie, or a task without items on this side of the split, goes to the condition that is best overall.
            nudged = left.copy()
            nudged[:, best[f]] += 1e-9
            choice[f] = np.argmax(nudged, axis=1)
        one, each = best[fold], choice[fold, held.task]
        single[repeat], many[repeat] = table[rows, one], table[rows, each]
        used_single += np.bincount(one, minlength=k) / (n * repeats)
        used_many += np.bincount(each, minlength=k) / (n * repeats)
        np.add.at(votes, (np.tile(np.arange(tasks), folds), choice.ravel()), 1.0)
    votes /= repeats * folds
    present = np.bincount(held.task, minlength=tasks) > 0
    return (
        HeldOut(single, used_single, bool(used_single.max() < 1 - 1e-9)),
        HeldOut(many, used_many, bool((votes[present].max(axis=1) < 1 - 1e-9).any())),
        votes,
    )


def interval_of(policy: HeldOut, held: ModelScores, options: IntervalOptions, is_score: bool, folds: int) -> Interval:
    """The interval of the mean score of a policy, or of a difference of policies.

    Args:
        is_score: a score in [0, 1]; otherwise a difference in [-1, 1].
        folds: K of the cross-validation.
    """
    # Of one split: the mean over several splits would hide how much an item's score depends on the choice.
    values = policy.each[0]
    binary = bool(np.isin(values, (-1.0, 0.0, 1.0)).all())
    sample = Sample(values, held.cluster, held.task, binary, difference=not is_score)
    found = mean_interval(sample, options)
    # Folds are dependent, because the items that choose for them overlap. Nadeau and Bengio (2003, Machine Learning
    # 52:239) inflate the variance for that; with K folds the standard error grows by sqrt(1 + K / (K - 1)), 1.5 at five
    # folds. Conservative.
    factor = math.sqrt(1 + folds / (folds - 1)) if policy.varies else 1.0
    centre = float(values.mean())
    low, high = (policy.mean + factor * (end - centre) for end in (found.low, found.high))
    least = 0.0 if is_score else -1.0
    name = f"{found.method}{WIDENED}" if policy.varies else found.method
    return replace(found, low=max(least, low), high=min(1.0, high), method=name)


def by_task(table: FloatArray, task: IntArray, tasks: int) -> FloatArray:
    """Column sums within tasks, shape (tasks, conditions)."""
    columns = [np.bincount(task, weights=table[:, j], minlength=tasks) for j in range(table.shape[1])]
    return np.asarray(np.column_stack(columns), dtype=np.float64)


def _clusters_by_content(table: FloatArray, held: ModelScores) -> IntArray:
    """The rank of each item's cluster, shape (items,), with clusters ordered by their tasks and scores.

    The random splits then depend on the scores only, not on the names of items and clusters; clusters of equal content
    are interchangeable.
    """
    # Rounded: the order in which replicates were averaged may show in the last digit.
    content = np.column_stack([held.task, np.round(table, 9)])
    by_content = np.lexsort(content.T)
    new = np.any(np.diff(content[by_content], axis=0, prepend=np.nan) != 0, axis=1)
    kind = np.empty(len(content), dtype=np.int64)
    kind[by_content] = np.cumsum(new)
    _, cluster = np.unique(held.cluster, return_inverse=True)
    order = np.lexsort([kind, cluster])
    bounds = np.flatnonzero(np.diff(cluster[order], prepend=-1))
    if len(bounds) == len(cluster):
        ranked = np.argsort(kind[order], kind="stable")
    else:
        kinds = [tuple(part.tolist()) for part in np.split(kind[order], bounds[1:])]
        ranked = np.array(sorted(range(len(kinds)), key=kinds.__getitem__), dtype=np.int64)
    place = np.empty(len(ranked), dtype=np.int64)
    place[ranked] = np.arange(len(ranked))
    return np.asarray(place[cluster], dtype=np.int64)
