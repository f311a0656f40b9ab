"""Chooses the interval of a mean: all thresholds of the analysis in one place.

- one accuracy of independent items: Wilson, or Clopper-Pearson near 0 and 1
- a clustered accuracy near 0 or 1: Clopper-Pearson on the effective sample size
- losses that are rare, or that few clusters make: Tango, or Clopper-Pearson, on the effective sample size
- enough balanced clusters and informative values: clustered t
- graded scores: t with the two ends of the scale added to the sample
- a paired binary difference of independent items: Tango
- the rest: wild cluster bootstrap

docs/simulation.md has the coverage of each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from omnigap_orchestrator.analysis.bootstrap import distinct_rows, studentised_cluster, wild_cluster
from omnigap_orchestrator.analysis.intervals import (
    NO_INTERVAL,
    ClusterTotals,
    Interval,
    augmented_t,
    cautious_design_effect,
    clopper_pearson,
    cluster_t,
    design_effect,
    mover,
    tango,
    weighted_cluster_t,
    wilson,
)
from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray

MIN_CLUSTERS = 40
MIN_DISCORDANT = 10
"""Clusters and discordant pairs that the t interval needs: with fewer it covers as little as 62 % in simulation."""

MIN_BALANCE = 0.5
"""Smallest effective share of the clusters, 1 / (1 + cv^2): 0.5 is a coefficient of variation of their sizes of 1."""

MIN_EVENTS = 20
"""Effective number of clusters that make the losses, from which the t interval is used; its skew needs that many."""

MAX_DISTINCT = 5_000
"""Largest number of distinct clusters that `bootstrap_interval` resamples: its cost is draws times this number."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One value per item whose mean is estimated: a score, or a difference of scores. Arrays have shape (items,).

    Attributes:
        binary: every value is a score of 0 or 1, or the difference of two such scores.
        difference: a difference or contrast of scores, not a score.
        bound: largest possible absolute value.
    """

    values: FloatArray
    cluster: IntArray
    task: IntArray
    binary: bool
    difference: bool
    bound: float = 1.0

    @property
    def ends(self) -> tuple[float, float]:
        """Smallest and largest possible value."""
        return (-self.bound if self.difference else 0.0), self.bound

    def of_task(self, code: int) -> Sample:
        mask = self.task == code
        return replace(self, values=self.values[mask], cluster=self.cluster[mask], task=self.task[mask])


def enough_for_t(totals: ClusterTotals, informative: int) -> bool:
    """Whether the clustered t interval applies: enough balanced clusters, and enough that vary.

    Args:
        informative: number of discordant pairs; for other scores of values that differ from the most frequent one.
    """
    enough = _enough_clusters(totals) and informative >= MIN_DISCORDANT
    # Ten discordant pairs of one cluster are one observation, so as many clusters must differ too.
    return enough and not _hardly_varies(totals)


def mean_interval(sample: Sample, options: IntervalOptions) -> Interval:
    """The interval of the item-weighted mean.

    A bootstrap is seeded by the options alone, so no number depends on the names of models, tasks or conditions.
    """
    if len(sample.values) == 0:
        return NO_INTERVAL
    totals, level = ClusterTotals.of(sample.values, sample.cluster), options.level
    informative = informative_values(sample)
    if sample.binary and totals.single and not sample.difference:
        # Near 0 and 1 Wilson's interval covers as little as 90 %; elsewhere Clopper-Pearson is needlessly wide.
        exact = informative < MIN_DISCORDANT
        return (clopper_pearson if exact else wilson)(float(sample.values.sum()), len(sample.values), level)
    away = _away(sample, totals)
    few_events = _few_events(totals, away)
    # The same for clusters, with the threshold in independent items: a cluster that fails as a whole counts about once.
    effect = design_effect(totals, totals.mean * (1 - totals.mean))
    if sample.binary and not sample.difference and informative < MIN_DISCORDANT * np.fmax(1.0, effect):
        return _on_effective_size(sample, totals, away, level)
    sparse = informative == 0 or _hardly_varies(totals)
    if not sample.binary and not sparse and (totals.single or (_enough_clusters(totals) and not few_events)):
        return augmented_t(totals, *sample.ends, level)
    if sample.binary and enough_for_t(totals, informative) and not few_events:
        return _clipped(cluster_t(totals, level), sample)
    # Tango's score interval keeps its level with few discordant pairs, and has a width even without any.
    if sample.binary and totals.single:
        return _tango_of(sample, 1.0, level)
    if sparse or few_events or (sample.binary and informative < MIN_DISCORDANT):
        return _on_effective_size(sample, totals, away, level)
    # What remains has few or very unequal clusters.
    found = wild_cluster(totals, level, options.seed, options.draws, sample.bound)
    if not sample.binary and found.low <= found.high:
        # Graded scores that vary little in the sample may hide a cluster that loses much.
        wider = augmented_t(totals, *sample.ends, level)
        low, high = min(found.low, wider.low), max(found.high, wider.high)
        found = replace(found, low=low, high=high, method=f"{found.method}_augmented")
    return _clipped(found, sample)


def macro_interval(sample: Sample, options: IntervalOptions) -> Interval:
    """The interval of the mean of the task means.

    Clustered t if the whole sample allows it and no small task weighs too much, otherwise MOVER over the intervals of
    the tasks. MOVER assumes independent tasks: there is no interval if a cluster spans several.
    """
    sizes_of_all = np.bincount(sample.task)
    tasks = np.flatnonzero(sizes_of_all)
    if len(tasks) == 0:
        return NO_INTERVAL
    totals = ClusterTotals.of(sample.values, sample.cluster)
    sizes = sizes_of_all[tasks]
    spans = np.count_nonzero(np.bincount(sample.cluster * len(sizes_of_all) + sample.task)) > totals.count
    if (
        # Graded scores need the ends of the scale, which only the intervals of the tasks have.
        (sample.binary or spans)
        and enough_for_t(totals, informative_values(sample))
        and not _few_events(totals, _away(sample, totals))
        and _evenly_weighted(sample)
        # The variance within each task must be estimable, also that of the smallest one.
        and sizes.min() >= MIN_CLUSTERS / len(tasks)
        and sizes.min() >= 2
    ):
        return _clipped(weighted_cluster_t(sample.values, sample.task, sample.cluster, options.level), sample)
    if spans:
        return NO_INTERVAL
    parts = [sample.of_task(int(code)) for code in tasks]
    each = [mean_interval(part, options) for part in parts]
    means = np.array([part.values.mean() for part in parts])
    lows, highs = np.array([i.low for i in each]), np.array([i.high for i in each])
    if np.isnan(lows).any():
        return NO_INTERVAL
    return _clipped(mover(means, lows, highs, np.full(len(tasks), 1 / len(tasks))), sample)


def _evenly_weighted(sample: Sample) -> bool:
    """Whether the clusters have similar weights in the mean of the task means, as `enough_for_t` asks of their sizes.

    With a task of 20 items and one of 1,000, the 20 items decide half of the mean: the t interval covered only 61 %.
    """
    weights = np.bincount(sample.cluster, weights=1 / np.bincount(sample.task)[sample.task])
    weights = weights[weights > 0]
    effective = float(weights.sum() ** 2 / np.square(weights).sum())
    return effective >= max(MIN_CLUSTERS, MIN_BALANCE * len(weights))


def informative_values(sample: Sample) -> int:
    """Number of items that carry information on the variance: non-zero differences, or scores off the most frequent."""
    if sample.difference:
        return int(np.count_nonzero(sample.values))
    _, counts = np.unique(sample.values, return_counts=True)
    return int(len(sample.values) - counts.max())


def _hardly_varies(totals: ClusterTotals) -> bool:
    """Whether most clusters have the same mean and fewer than `MIN_DISCORDANT` differ.

    Too many bootstrap samples then have no variance: the interval reaches the bound, or ends at the common mean.
    """
    _, counts = np.unique(totals.sums / totals.sizes, return_counts=True)
    away = int(totals.count - counts.max())
    return totals.count > 1 and away < MIN_DISCORDANT and 2 * away < totals.count


def _enough_clusters(totals: ClusterTotals) -> bool:
    return totals.effective >= max(MIN_BALANCE * totals.count, MIN_CLUSTERS)


def _away(sample: Sample, totals: ClusterTotals) -> FloatArray:
    """Distance of each cluster's sum from the usual one: no difference, or all right (or wrong), shape (clusters,)."""
    if sample.difference:
        return totals.sums
    usual = round(totals.mean) if sample.binary else float(np.median(totals.sums / totals.sizes))
    return totals.sums - totals.sizes * usual


def _few_events(totals: ClusterTotals, away: FloatArray) -> bool:
    """Whether few clusters make the losses: Kish's effective number of the clusters, weighted by their distance.

    The mean is then skewed: it misses mostly where no large loss was drawn. Of few clusters it takes 40 %.
    """
    squares = float(np.square(away).sum())
    events = float(np.abs(away).sum()) ** 2 / squares if squares > 0 else 0.0
    return events < min(MIN_EVENTS, 0.4 * totals.effective)


def _tango_of(sample: Sample, effect: float, level: float) -> Interval:
    """Tango's interval on the items divided by the design effect `effect`.

    Graded gains and losses count as fractions of the largest possible ones. That is conservative: among all differences
    with the same mean gain and mean loss, those with the values 0 and +-`bound` have the largest variance.
    """
    shares = sample.values / (sample.bound * effect)
    gained, lost = float(shares[shares > 0].sum()), float(-shares[shares < 0].sum())
    found = tango(gained, lost, len(shares) / effect, level)
    return replace(found, low=found.low * sample.bound, high=found.high * sample.bound, se=found.se * sample.bound)


def _on_effective_size(sample: Sample, totals: ClusterTotals, away: FloatArray, level: float) -> Interval:
    """Tango's or Clopper and Pearson's interval on the items divided by the cautious design effect."""
    variance = float(sample.values.var(ddof=1)) if len(sample.values) > 1 else 0.0
    effect = cautious_design_effect(totals, away, variance)
    if not sample.difference:
        found = clopper_pearson(totals.mean * totals.items / effect, totals.items / effect, level)
        return replace(found, method="clopper_pearson_design_effect")
    method = "tango_design_effect" if sample.binary else "tango_graded"
    return replace(_tango_of(sample, effect, level), method=method)


def _clipped(interval: Interval, sample: Sample) -> Interval:
    """The interval clipped to the possible values; that of a score is without the test that the mean is 0."""
    if np.isnan(interval.low):
        return interval
    if sample.difference:
        return replace(interval, low=max(-sample.bound, interval.low), high=min(sample.bound, interval.high))
    return replace(interval, low=max(0.0, interval.low), high=min(1.0, interval.high), p=float("nan"))


def bootstrap_interval(sample: Sample, options: IntervalOptions) -> Interval:
    """The studentised cluster bootstrap if binary data vary enough for it, otherwise the choice of `mean_interval`."""
    if len(sample.values) == 0:
        return NO_INTERVAL
    totals = ClusterTotals.of(sample.values, sample.cluster)
    few_events = _few_events(totals, _away(sample, totals))
    if not sample.binary or few_events or not enough_for_t(totals, informative_values(sample)):
        return mean_interval(sample, options)
    # With that many distinct clusters the t interval is as good, and the bootstrap expensive.
    if len(distinct_rows(np.column_stack([totals.sums, totals.sizes]))[0]) > MAX_DISTINCT:
        return mean_interval(sample, options)
    return studentised_cluster(totals, options.level, options.seed, options.draws, sample.bound)
