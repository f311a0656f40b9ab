"""Policies judged on items that took no part in choosing: cross-validated scores, and their intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from omnigap_orchestrator.analysis.choose_interval import Sample, mean_interval
from omnigap_orchestrator.analysis.intervals import Interval
from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray, ModelScores

WIDENED = "_widened"
"""Behind the name of the method whose interval was widened for the choice."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What a policy is worth to each item when others chose for it.

    Attributes:
        each: (splits, items), one row for each random split; a policy that chooses nothing has one.
        use: (conditions,), the share of answers that it takes from each.
        varies: whether the splits disagreed in what to choose.
    """

    each: FloatArray
    use: FloatArray
    varies: bool

    @property
    def mean(self) -> float:
        return float(self.each.mean())

    def over(self, other: HeldOut) -> HeldOut:
        """The difference of two policies, paired by item and split."""
        return HeldOut(self.each - other.each, self.use, self.varies or other.varies)


def ceiling(table: FloatArray) -> HeldOut:
    """The per-item oracle of scores (items, conditions): it chooses anew for each item, whatever the split."""
    return HeldOut(table.max(axis=1)[None, :], np.full(table.shape[1], math.nan), varies=False)


def cross_validated(
    table: FloatArray, held: ModelScores, folds: int, repeats: int, rng: np.random.Generator
) -> tuple[HeldOut, HeldOut, FloatArray]:
    """One condition for all, and one per task, chosen on the other folds; and the votes, shape (tasks, conditions).

    A tie, or a task that the calibration split lacks, goes to the condition that is best overall there.

    Args:
        table: (items, conditions), the scores in the allowed conditions.
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
            nudged = left.copy()
            nudged[:, best[f]] += 1e-9
            choice[f] = np.argmax(nudged, axis=1)
        one, each = best[fold], choice[fold, held.task]
        single[repeat], many[repeat] = table[rows, one], table[rows, each]
        used_single += np.bincount(one, minlength=k) / (n * repeats)
        used_many += np.bincount(each, minlength=k) / (n * repeats)
        np.add.at(votes, (np.tile(np.arange(tasks), folds), choice.ravel()), 1.0)
    votes /= repeats * folds
    there = np.bincount(held.task, minlength=tasks) > 0
    return (
        HeldOut(single, used_single, bool(used_single.max() < 1 - 1e-9)),
        HeldOut(many, used_many, bool((votes[there].max(axis=1) < 1 - 1e-9).any())),
        votes,
    )


def interval_of(
    policy: HeldOut, held: ModelScores, options: IntervalOptions, is_score: bool, folds: int, *key: str
) -> Interval:
    """The interval of a policy's mean, or of a difference of policies.

    Its width is that of one split: the mean of several hides how much an item's score hangs on the choice. Where the
    splits disagree, folds depend on each other through the items that chose for both, and the width is multiplied by
    sqrt(1 + K / (K - 1)), 1.5 at five folds (Nadeau and Bengio 2003, Machine Learning 52:239; conservative).
    """
    values = policy.each[0]
    binary = bool(np.isin(values, (-1.0, 0.0, 1.0)).all())
    sample = Sample(values, held.cluster, held.task, binary, difference=not is_score)
    found = mean_interval(sample, options, "routing", *key)
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
    """A number per item: its cluster's place among all clusters, ordered by the tasks and scores that they hold.

    So the split follows the scores and never the names of items. Clusters of the same content are interchangeable.
    """
    # Rounded, since the order in which replicates were added up may show in a last digit.
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
