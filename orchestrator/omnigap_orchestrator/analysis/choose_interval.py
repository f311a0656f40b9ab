"""Which interval a mean gets, and why: one place for the thresholds of the whole analysis."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from omnigap_orchestrator.analysis.bootstrap import distinct_rows, paired_cluster, seed_of, wild_cluster
from omnigap_orchestrator.analysis.intervals import (
    NO_INTERVAL,
    ClusterTotals,
    Interval,
    clopper_pearson,
    cluster_t,
    design_effect,
    korn_graubard,
    mover,
    tango,
    weighted_cluster_t,
    wilson,
)
from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray

MIN_CLUSTERS = 40
MIN_DISCORDANT = 10
MIN_BALANCE = 0.5
"""Effective over actual number of clusters; below it they count as very unequal (coefficient of variation above 1)."""


MOST_DISTINCT = 5_000
"""Distinct clusters up to which `bootstrap_interval` draws; the draws times this many numbers are made."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One value per item of something whose mean is wanted: a score, or a contrast of scores.

    `binary`: a score that is 0 or 1, or the difference of two such. `bound`: the largest absolute value possible.
    """

    values: FloatArray
    cluster: IntArray
    task: IntArray
    binary: bool
    difference: bool
    bound: float = 1.0

    def of_task(self, code: int) -> Sample:
        mask = self.task == code
        return replace(self, values=self.values[mask], cluster=self.cluster[mask], task=self.task[mask])


def enough_for_t(totals: ClusterTotals, informative: int) -> bool:
    """At least 40 balanced clusters and 10 discordant pairs (for other scores: 10 values away from the usual one).

    Ten pairs of one cluster tell no more than one, so as many clusters must differ from the usual one as well.
    """
    balanced = totals.effective >= MIN_BALANCE * totals.count
    enough = balanced and totals.effective >= MIN_CLUSTERS and informative >= MIN_DISCORDANT
    return enough and not _hardly_varies(totals)


def mean_interval(sample: Sample, options: IntervalOptions, *key: str) -> Interval:
    """The interval of the item-weighted mean; `key` names the number, and with the options' seed fixes its draws."""
    if len(sample.values) == 0:
        return NO_INTERVAL
    totals = ClusterTotals.of(sample.values, sample.cluster)
    informative = informative_values(sample)
    if sample.binary and totals.single and not sample.difference:
        # Near the ends Wilson's interval covers as little as 90 %.
        exact = informative < MIN_DISCORDANT
        return (clopper_pearson if exact else wilson)(float(sample.values.sum()), len(sample.values), options.level)
    # The same of clusters, ten as independent items would be: those that fail as a whole count about once each.
    effect = design_effect(totals, totals.mean * (1 - totals.mean))
    if sample.binary and not sample.difference and informative < MIN_DISCORDANT * np.fmax(1.0, effect):
        return korn_graubard(totals, options.level)
    if enough_for_t(totals, informative):
        return _cut(cluster_t(totals, options.level), sample)
    if sample.binary and totals.single:
        return _tango_of(sample, 1.0, options.level)
    if informative == 0 or (sample.binary and informative < MIN_DISCORDANT) or _hardly_varies(totals):
        return _score_with_design_effect(sample, totals, options.level)
    seed = seed_of(options.seed, *key)
    if totals.single:
        return _cut(paired_cluster(totals, options.level, seed, options.draws, sample.bound), sample)
    return _cut(wild_cluster(totals, options.level, seed, options.draws, sample.bound), sample)


def macro_interval(sample: Sample, options: IntervalOptions, *key: str) -> Interval:
    """The interval of the mean of the task means.

    Clustered t where the whole sample allows it and no small task weighs too much; else MOVER over the tasks' own
    intervals, which needs that no cluster crosses tasks, and no interval where one does.
    """
    tasks = np.unique(sample.task)
    if len(tasks) == 0:
        return NO_INTERVAL
    totals = ClusterTotals.of(sample.values, sample.cluster)
    sizes = np.bincount(sample.task)[tasks]
    if (
        enough_for_t(totals, informative_values(sample))
        and _evenly_weighted(sample)
        and sizes.min() >= MIN_CLUSTERS / len(tasks)
        and sizes.min() >= 2
    ):
        return weighted_cluster_t(sample.values, sample.task, sample.cluster, options.level)
    if len(np.unique(np.column_stack([sample.cluster, sample.task]), axis=0)) > totals.count:
        return NO_INTERVAL
    parts = [sample.of_task(int(code)) for code in tasks]
    each = [mean_interval(part, options, *key, str(code)) for part, code in zip(parts, tasks, strict=True)]
    means = np.array([part.values.mean() for part in parts])
    lows, highs = np.array([i.low for i in each]), np.array([i.high for i in each])
    if np.isnan(lows).any():
        return NO_INTERVAL
    return mover(means, lows, highs, np.full(len(tasks), 1 / len(tasks)))


def _evenly_weighted(sample: Sample) -> bool:
    """Whether clusters weigh about alike in the mean of the task means: as `enough_for_t` has it of their sizes.

    A task of 20 items beside one of 1,000 decides half of the mean, and the t interval covered as little as 61 %.
    """
    _, tasks, sizes = np.unique(sample.task, return_inverse=True, return_counts=True)
    _, clusters = np.unique(sample.cluster, return_inverse=True)
    weights = np.bincount(clusters, weights=1 / sizes[tasks])
    effective = float(weights.sum() ** 2 / np.square(weights).sum())
    return effective >= max(MIN_CLUSTERS, MIN_BALANCE * len(weights))


def informative_values(sample: Sample) -> int:
    """Items that say something about the spread: non-zero differences, or scores away from the most frequent one."""
    if sample.difference:
        return int(np.count_nonzero(sample.values))
    _, counts = np.unique(sample.values, return_counts=True)
    return int(len(sample.values) - counts.max())


def _hardly_varies(totals: ClusterTotals) -> bool:
    """Most clusters have one and the same mean, and fewer than `MIN_DISCORDANT` have not.

    A bootstrap then draws the usual clusters alone too often: its interval reaches to the bound, or ends at their mean.
    """
    _, counts = np.unique(totals.sums / totals.sizes, return_counts=True)
    away = int(totals.count - counts.max())
    return totals.count > 1 and away < MIN_DISCORDANT and 2 * away < totals.count


def _tango_of(sample: Sample, effect: float, level: float) -> Interval:
    """Tango's interval; of graded differences, gains and losses count as shares of the largest possible.

    That is conservative: of all differences with the same mean gain and mean loss, those that are 0 or +-`bound` vary
    most.
    """
    shares = sample.values / (sample.bound * effect)
    gained, lost = float(shares[shares > 0].sum()), float(-shares[shares < 0].sum())
    found = tango(gained, lost, len(shares) / effect, level)
    return replace(found, low=found.low * sample.bound, high=found.high * sample.bound, se=found.se * sample.bound)


def _score_with_design_effect(sample: Sample, totals: ClusterTotals, level: float) -> Interval:
    """Score or exact interval on the effective sample size, for data that hardly vary.

    For a difference with no variation to judge the design effect by, it is the largest possible one (every cluster
    counts as a single item).
    """
    if not sample.difference:
        return korn_graubard(totals, level)
    largest = totals.items / totals.effective
    variance = float(sample.values.var(ddof=1)) if len(sample.values) > 1 else 0.0
    effect = design_effect(totals, variance)
    effect = largest if np.isnan(effect) else min(effect, largest)
    method = "tango_design_effect" if sample.binary else "tango_graded"
    return replace(_tango_of(sample, effect, level), method=method)


def _cut(interval: Interval, sample: Sample) -> Interval:
    """A score's own interval stays in [0, 1]; the test of "the mean is 0" means nothing there."""
    if sample.difference or np.isnan(interval.low):
        return interval
    return replace(interval, low=max(0.0, interval.low), high=min(1.0, interval.high), p=float("nan"))


def bootstrap_interval(sample: Sample, options: IntervalOptions, *key: str) -> Interval:
    """The paired cluster bootstrap where there is enough variation for one, else what `mean_interval` chooses.

    Very many clusters that all differ would cost more than the bootstrap gains on the t interval there.
    """
    if len(sample.values) == 0:
        return NO_INTERVAL
    totals = ClusterTotals.of(sample.values, sample.cluster)
    if not enough_for_t(totals, informative_values(sample)):
        return mean_interval(sample, options, *key)
    if len(distinct_rows(np.column_stack([totals.sums, totals.sizes]))[0]) > MOST_DISTINCT:
        return mean_interval(sample, options, *key)
    return paired_cluster(totals, options.level, seed_of(options.seed, *key), options.draws, sample.bound)
