"""Which condition a product should route each task family to, what that gains on held-out items, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from omnigap_orchestrator.analysis.accuracy import ANSWERED_ONLY
from omnigap_orchestrator.analysis.bootstraps import seed_of
from omnigap_orchestrator.analysis.choose import IntervalOptions, Sample, mean_interval
from omnigap_orchestrator.analysis.contrasts import MISSING_AS_WRONG, MissingRule
from omnigap_orchestrator.analysis.demands import COSTS, Constraints, CostsOf, costs_of, split_by
from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray, ModelScores
from omnigap_orchestrator.analysis.study_schemas import POLICY_SCHEMA, ROUTES_SCHEMA

POLICIES = ("best_single", "per_task", "oracle")
_NOTHING: list[object] = [math.nan, math.nan, math.nan, None]


@dataclass(frozen=True, slots=True)
class RoutingOptions:
    """Constraints, and how the held-out scores are made: `repeats` random splits of the clusters into `folds`.

    The splits are seeded, and do not depend on what items and clusters are called.
    """

    constraints: Constraints = field(default_factory=Constraints)
    folds: int = 5
    repeats: int = 10

    def __post_init__(self) -> None:
        if self.folds < 2 or self.repeats < 1:
            raise ValueError(f"folds={self.folds} and repeats={self.repeats}: take at least 2 and 1")


@dataclass(frozen=True, slots=True)
class Routing:
    """`routes`: the condition per task (`ROUTES_SCHEMA`). `policies`: what each policy is worth (`POLICY_SCHEMA`)."""

    routes: pl.DataFrame
    policies: pl.DataFrame


@dataclass(frozen=True, slots=True)
class _Items:
    """The items that a policy is judged on, with their scores in the allowed conditions.

    Attributes:
        table: (items, conditions); with `missing` as wrong, what lacks counts as 0.
        lacking: of the `planned` items those that lack a score in some allowed condition.
        reason: why nothing can be judged; else, on a part of the items, how many were left out; null on all of them.
    """

    missing: str
    allowed: tuple[str, ...]
    held: ModelScores
    table: FloatArray
    planned: int
    lacking: int
    refused: bool
    reason: str | None


def routing(
    models: Sequence[ModelScores],
    results: pl.DataFrame,
    routing_options: RoutingOptions,
    options: IntervalOptions,
    rule: MissingRule | None = None,
) -> Routing:
    """Chooses and judges, per model: on the items with a score in every allowed condition, and with missing as wrong.

    Policies: `best_single` (one condition for everything) and `per_task` (one per task family), both chosen on a
    calibration split and scored on the held-out rest; `oracle` takes each item's best condition (MMC for binary
    scores), which no policy can reach since guessing alone lifts it. Regret is the policy minus the oracle, gain the
    policy minus best_single, both paired by item.

    On the answered items nothing is chosen, and its policies are refused with the reason, where `rule` refuses: items
    that fail in one form are seldom like the others. With missing as wrong every planned item counts: to a product an
    answer that does not come is a wrong one.
    """
    costs = costs_of(results)
    routes: list[tuple[object, ...]] = []
    policies: list[tuple[object, ...]] = []
    for scores in models:
        allowed, ruled_out = split_by(routing_options.constraints, scores, costs)
        routes += [(scores.model, None, name, None, math.nan, math.nan, 0, why) for name, why in ruled_out.items()]
        if not allowed:
            continue
        answered, every = _items(scores, tuple(allowed), rule or MissingRule(), routing_options.folds)
        judged = _judged(answered, costs, routing_options, options)
        # Where nothing lacks, both are one and the same.
        again = judged if not answered.lacking else _judged(every, costs, routing_options, options)
        for items, (chosen, worth) in ((answered, judged), (every, again)):
            routes += [(scores.model, task, name, items.missing, *rest, None) for task, name, *rest in chosen]
            told = (items.planned, items.lacking, ", ".join(allowed), items.reason)
            policies += [(scores.model, name, items.missing, *numbers, *told) for name, *numbers in worth]
    return Routing(
        pl.DataFrame(routes, schema=ROUTES_SCHEMA, orient="row").fill_nan(None),
        pl.DataFrame(policies, schema=POLICY_SCHEMA, orient="row").fill_nan(None),
    )


def _items(scores: ModelScores, allowed: tuple[str, ...], rule: MissingRule, folds: int) -> tuple[_Items, _Items]:
    """The answered items, and every planned one with what is missing as wrong."""
    columns = [scores.column(name) for name in allowed]
    planned = scores.where(np.all(scores.planned[:, columns] > 0, axis=1))
    gone = planned.scored[:, columns] < planned.planned[:, columns]
    lacking, total = int(gone.any(axis=1).sum()), len(planned.task)
    held = planned.where(~np.any(np.isnan(planned.score[:, columns]), axis=1))
    most = int(gone.sum(axis=0).argmax()) if total else 0
    lack = f"{lacking} of {total} planned items lack a score in a form (most in {allowed[most]})"
    why = _too_few(held, folds)
    if rule.refuses(lacking, total):
        why = f"refused: {lack}; allow_missing shows the rest"
    note = f"on answered items: {lack}" if lacking else None
    answered = _Items(
        ANSWERED_ONLY, allowed, held, held.score[:, columns], total, lacking, why is not None, why or note
    )
    few = _too_few(planned, folds)
    every = _Items(MISSING_AS_WRONG, allowed, planned, planned.low[:, columns], total, lacking, few is not None, few)
    return answered, every


def _too_few(held: ModelScores, folds: int) -> str | None:
    clusters = len(np.unique(held.cluster))
    if clusters >= folds:
        return None
    return f"only {clusters} clusters of items have a score in every form: {folds} folds take as many"


def _judged(
    items: _Items, costs: CostsOf, routing_options: RoutingOptions, options: IntervalOptions
) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """The choices as (task, condition, accuracy, votes, n), and each policy with its numbers up to n."""
    nothing = [math.nan] * len(COSTS)
    if items.refused:
        return [], [(name, *_NOTHING, *_NOTHING, *_NOTHING, *nothing, 0) for name in POLICIES]
    table, held, allowed = items.table, items.held, items.allowed
    rng = np.random.default_rng(seed_of(options.seed, held.model, "routing"))
    single, by_task, votes = _cross_validated(table, held, routing_options, rng)
    sums = _by_task(table, held.task, len(held.tasks))
    counts = np.bincount(held.task, minlength=len(held.tasks))
    chosen: list[tuple[object, ...]] = []
    for code in np.flatnonzero(counts):
        best = int(np.argmax(sums[code]))
        share, agree = float(sums[code, best] / counts[code]), float(votes[code, best])
        chosen.append((held.tasks[code], allowed[best], share, agree, int(counts[code])))
    oracle = np.asarray(table.max(axis=1), dtype=np.float64)
    cost = np.array([[costs.get((held.model, name), {}).get(c, math.nan) for c in COSTS] for name in allowed])
    uses = {"best_single": single[1], "per_task": by_task[1]}
    worth: list[tuple[object, ...]] = []
    for name, value in zip(POLICIES, (single[0], by_task[0], oracle), strict=True):
        key = (held.model, name)
        numbers = _summary(value, held, options, True, *key, "0")
        numbers += _summary(value - oracle, held, options, False, *key, "4")
        # Nothing is gained over itself.
        own = name == "best_single"
        numbers += _NOTHING if own else _summary(value - single[0], held, options, False, *key, "8")
        paid = uses[name] @ cost if name in uses else nothing
        worth.append((name, *numbers, *(float(c) for c in paid), len(value)))
    return chosen, worth


def routes_shown(routes: pl.DataFrame) -> pl.DataFrame:
    """The choices to lead with: each model's on its answered items; with missing as wrong where those are refused."""
    chosen = routes.filter(pl.col("task").is_not_null())
    on_answered = (pl.col("missing") == ANSWERED_ONLY).any().over("model")
    return chosen.filter(
        pl.col("missing") == pl.when(on_answered).then(pl.lit(ANSWERED_ONLY)).otherwise(pl.lit(MISSING_AS_WRONG))
    )


def policies_shown(policies: pl.DataFrame) -> pl.DataFrame:
    """One row a policy, on the answered items; `wrong`, `wrong_low` and `wrong_high` hold its accuracy with missing as
    wrong, null where nothing is missing."""
    lacks = pl.col("lacking") > 0
    wrong = policies.filter((pl.col("missing") == MISSING_AS_WRONG) & lacks).select(
        "model", "policy", wrong="accuracy", wrong_low="low", wrong_high="high"
    )
    answered = policies.filter(pl.col("missing") == ANSWERED_ONLY)
    return answered.join(wrong, on=["model", "policy"], how="left", maintain_order="left")


def _summary(
    values: FloatArray, held: ModelScores, options: IntervalOptions, is_score: bool, *key: str
) -> list[object]:
    binary = bool(np.isin(values, (-1.0, 0.0, 1.0)).all())
    sample = Sample(values, held.cluster, held.task, binary, difference=not is_score)
    interval = mean_interval(sample, options, "routing", *key)
    return [float(values.mean()), interval.low, interval.high, interval.method]


def _by_task(table: FloatArray, task: IntArray, tasks: int) -> FloatArray:
    """Column sums within tasks, shape (tasks, conditions)."""
    columns = [np.bincount(task, weights=table[:, j], minlength=tasks) for j in range(table.shape[1])]
    return np.asarray(np.column_stack(columns), dtype=np.float64)


def _clusters_by_content(table: FloatArray, held: ModelScores) -> IntArray:
    """A number per item: its cluster's place among all clusters, ordered by the tasks and scores that they hold.

    So the split follows the scores and never the names of items. Clusters of the same content are interchangeable.
    """
    # Rounded, since the order in which replicates were added up may show in a last digit.
    content = np.column_stack([held.task, np.round(table, 9)])
    _, kind = np.unique(content, axis=0, return_inverse=True)
    _, cluster = np.unique(held.cluster, return_inverse=True)
    order = np.lexsort([kind, cluster])
    bounds = np.flatnonzero(np.diff(cluster[order], prepend=-1))
    kinds = [tuple(part) for part in np.split(kind[order], bounds[1:])]
    place = np.empty(len(kinds), dtype=np.int64)
    place[sorted(range(len(kinds)), key=kinds.__getitem__)] = np.arange(len(kinds))
    return np.asarray(place[cluster], dtype=np.int64)


def _cross_validated(
    table: FloatArray, held: ModelScores, options: RoutingOptions, rng: np.random.Generator
) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray], FloatArray]:
    """Held-out score per item and use of each condition, for one condition and for one per task; votes by task.

    A tie, or a task that the calibration split lacks, goes to the condition that is best overall there.
    """
    n, k = table.shape
    tasks = len(held.tasks)
    cluster = _clusters_by_content(table, held)
    total = _by_task(table, held.task, tasks)
    single, by_task = np.zeros(n), np.zeros(n)
    used_single, used_task, votes = np.zeros(k), np.zeros(k), np.zeros((tasks, k))
    rows = np.arange(n)
    for _ in range(options.repeats):
        fold = rng.permutation(np.arange(cluster.max() + 1) % options.folds)[cluster]
        best, choice = np.zeros(options.folds, dtype=np.int64), np.zeros((options.folds, tasks), dtype=np.int64)
        for f in range(options.folds):
            left = total - _by_task(table[fold == f], held.task[fold == f], tasks)
            best[f] = int(np.argmax(left.sum(axis=0)))
            nudged = left.copy()
            nudged[:, best[f]] += 1e-9
            choice[f] = np.argmax(nudged, axis=1)
        one, many = best[fold], choice[fold, held.task]
        single += table[rows, one]
        by_task += table[rows, many]
        used_single += np.bincount(one, minlength=k) / n
        used_task += np.bincount(many, minlength=k) / n
        np.add.at(votes, (np.tile(np.arange(tasks), options.folds), choice.ravel()), 1.0)
    r = options.repeats
    return (single / r, used_single / r), (by_task / r, used_task / r), votes / (r * options.folds)
