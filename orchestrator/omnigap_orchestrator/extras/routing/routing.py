"""The tables `routes` and `policies`: the condition chosen for each task, and what routing gains and costs.

Policies are evaluated on held-out items (`held_out`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from omnigap_orchestrator.analysis.accuracy import ANSWERED_ONLY
from omnigap_orchestrator.analysis.contrasts import MISSING_AS_WRONG
from omnigap_orchestrator.analysis.options import IntervalOptions, MissingRule
from omnigap_orchestrator.analysis.own_text import HEADLINE_MODELS
from omnigap_orchestrator.analysis.pairs import FloatArray, ModelScores
from omnigap_orchestrator.analysis.summary import Analysis
from omnigap_orchestrator.analysis.table import AnalysisInput, Derived, Table, schema_of
from omnigap_orchestrator.extras.routing.constraints import COSTS, CostsOf, costs_of, split_by
from omnigap_orchestrator.extras.routing.held_out import by_task, cross_validated, interval_of, oracle
from omnigap_orchestrator.extras.routing.options import RoutingOptions
from omnigap_orchestrator.results import random_weights_of


@dataclass(frozen=True, slots=True)
class RouteRow:
    """The condition chosen for one task, or a condition that is excluded."""

    model: str
    # Null in the rows of excluded conditions, whose `reason` names the constraint.
    task: str | None
    condition: str
    # answered_only or missing_as_wrong; null for a null task.
    missing: str | None
    # Optimistic, because the condition was chosen on the same items; the table `policies` has the held-out accuracy.
    accuracy: float | None
    # Share of the cross-validation folds that chose the same condition.
    votes: float | None
    n: int
    reason: str | None


ROUTES_SCHEMA = schema_of(RouteRow)


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """Accuracy, regret, gain and mean costs of one policy.

    Regret is the oracle minus the policy, gain the policy minus `best_single`, both paired by item. No policy beats the
    oracle, so a regret and the oracle's gain (the ceiling of any routing) are never negative, nor are their limits.
    """

    model: str
    policy: str
    # answered_only (items with a score in every allowed condition) or missing_as_wrong.
    missing: str
    accuracy: float | None
    low: float | None
    high: float | None
    method: str | None
    regret: float | None
    regret_low: float | None
    regret_high: float | None
    regret_method: str | None
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    gain_method: str | None
    mean_latency_s: float | None
    mean_audio_seconds: float | None
    mean_compute_s: float | None
    n: int
    # Items planned in all allowed conditions, and those of them without a score in at least one.
    planned: int
    lacking: int
    allowed: str
    # Reason for missing numbers; with numbers, how many items were left out.
    reason: str | None


POLICY_SCHEMA = schema_of(PolicyRow)


@dataclass(frozen=True, slots=True)
class ShownPolicyRow(PolicyRow):
    """A policy on the answered items, with its accuracy when missing answers count as wrong."""

    wrong: float | None
    wrong_low: float | None
    wrong_high: float | None


_POLICIES = ("best_single", "per_task", "oracle")
_NOTHING: list[object] = [math.nan, math.nan, math.nan, None]
_NO_NUMBERS = [*_NOTHING, *_NOTHING, *_NOTHING, *[math.nan] * len(COSTS), 0]
RANDOM = "no condition is chosen, because of random weights (--tiny)"


@dataclass(frozen=True, slots=True)
class Routing:
    """`routes`, a frame of `ROUTES_SCHEMA`, and `policies`, a frame of `POLICY_SCHEMA`."""

    routes: pl.DataFrame
    policies: pl.DataFrame


@dataclass(frozen=True, slots=True)
class _Items:
    """The items that policies are evaluated on, with their scores in the allowed conditions.

    Attributes:
        table: scores, shape (items, conditions); missing ones are 0 if `missing` is missing_as_wrong.
        lacking: number of the `planned` items that lack a score in some allowed condition.
        reason: reason why nothing is evaluated; otherwise how many items were left out; None if it is all items.
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
    timed: pl.DataFrame | None = None,
) -> Routing:
    """Chooses and evaluates policies for each model, on the answered items and with missing answers as wrong.

    The policies are `best_single` (one condition for everything) and `per_task` (one per task), both chosen on
    calibration folds and scored on held-out ones, and `oracle`, which takes each item's best condition (MMC for binary
    scores). No policy can reach the oracle, because guessing raises it.

    Nothing is chosen from the figures of random weights.

    On the answered items the policies are refused, with the reason, where `rule` refuses: items that fail in one
    condition are not like the others. With missing as wrong every planned item counts, because a user of the product
    gets no answer there.

    Args:
        timed: answers whose times contain no queueing; without them, costs have no latency, and a constraint on the
            latency excludes every condition.
    """
    costs, random = costs_of(results, timed), random_weights_of(results)
    routes: list[tuple[object, ...]] = []
    policies: list[tuple[object, ...]] = []
    for scores in models:
        allowed, ruled_out = split_by(routing_options.constraints, scores, costs)
        routes += [
            (scores.model, None, name, None, math.nan, math.nan, 0, reason) for name, reason in ruled_out.items()
        ]
        if not allowed:
            continue
        if scores.model in random:
            policies += [(scores.model, name, ANSWERED_ONLY, *_NO_NUMBERS, 0, 0, "", RANDOM) for name in _POLICIES]
            continue
        answered, planned = _items(scores, tuple(allowed), rule or MissingRule(), routing_options.folds)
        on_answered = _evaluated(answered, costs, routing_options, options)
        # Without missing scores both sets of items are the same.
        on_planned = on_answered if not answered.lacking else _evaluated(planned, costs, routing_options, options)
        for items, (chosen, numbers_by_policy) in ((answered, on_answered), (planned, on_planned)):
            routes += [(scores.model, task, name, items.missing, *rest, None) for task, name, *rest in chosen]
            tail = (items.planned, items.lacking, ", ".join(allowed), items.reason)
            policies += [(scores.model, name, items.missing, *numbers, *tail) for name, *numbers in numbers_by_policy]
    return Routing(
        pl.DataFrame(routes, schema=ROUTES_SCHEMA, orient="row").fill_nan(None),
        pl.DataFrame(policies, schema=POLICY_SCHEMA, orient="row").fill_nan(None),
    )


def _items(scores: ModelScores, allowed: tuple[str, ...], rule: MissingRule, folds: int) -> tuple[_Items, _Items]:
    """The answered items, and all planned items with missing scores as wrong."""
    columns = [scores.column(name) for name in allowed]
    planned = scores.where(np.all(scores.planned[:, columns] > 0, axis=1))
    missing_scores = planned.scored[:, columns] < planned.planned[:, columns]
    lacking, total = int(missing_scores.any(axis=1).sum()), len(planned.task)
    held = planned.where(~np.any(np.isnan(planned.score[:, columns]), axis=1))
    most = int(missing_scores.sum(axis=0).argmax()) if total else 0
    remark = f"{lacking} of {total} planned items lack a score in a condition (most in {allowed[most]})"
    refused = _too_few_clusters(held, folds)
    if rule.refuses(lacking, total):
        refused = f"refused: {remark}; --allow-missing uses the others"
    note = f"on answered items: {remark}" if lacking else None
    answered = _Items(
        ANSWERED_ONLY, allowed, held, held.score[:, columns], total, lacking, refused is not None, refused or note
    )
    few = _too_few_clusters(planned, folds)
    as_wrong = _Items(MISSING_AS_WRONG, allowed, planned, planned.low[:, columns], total, lacking, few is not None, few)
    return answered, as_wrong


def _too_few_clusters(held: ModelScores, folds: int) -> str | None:
    clusters = len(np.unique(held.cluster))
    if clusters >= folds:
        return None
    return f"only {clusters} clusters of items have a score in every condition: {folds} folds need at least {folds}"


def _evaluated(
    items: _Items, costs: CostsOf, routing_options: RoutingOptions, options: IntervalOptions
) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """The chosen conditions as (task, condition, accuracy, votes, n), and the columns of each policy up to `n`."""
    nothing = [math.nan] * len(COSTS)
    if items.refused:
        return [], [(name, *_NO_NUMBERS) for name in _POLICIES]
    table, held, allowed = items.table, items.held, items.allowed
    # The same splits for all policies, so that their differences are paired.
    rng = np.random.default_rng(options.seed)
    folds = routing_options.folds
    single, many, votes = cross_validated(table, held, folds, routing_options.repeats, rng)
    sums = by_task(table, held.task, len(held.tasks))
    counts = np.bincount(held.task, minlength=len(held.tasks))
    chosen: list[tuple[object, ...]] = []
    for code in np.flatnonzero(counts):
        best = int(np.argmax(sums[code]))
        accuracy, agreeing = float(sums[code, best] / counts[code]), float(votes[code, best])
        chosen.append((held.tasks[code], allowed[best], accuracy, agreeing, int(counts[code])))
    best_per_item = oracle(table)
    cost = np.array([[costs.get((held.model, name), {}).get(c, math.nan) for c in COSTS] for name in allowed])
    by_policy: list[tuple[object, ...]] = []
    for name, policy in zip(_POLICIES, (single, many, best_per_item), strict=True):
        numbers: list[object] = []
        is_oracle = policy is best_per_item
        # A policy has no difference to itself.
        for part, is_share in (
            (policy, True),
            (None if is_oracle else best_per_item.minus(policy), True),
            (None if policy is single else policy.minus(single), is_oracle),
        ):
            if part is None:
                numbers += _NOTHING
                continue
            interval = interval_of(part, held, options, is_share, folds)
            numbers += [part.mean, interval.low, interval.high, interval.method]
        paid = nothing if is_oracle else policy.use @ cost
        by_policy.append((name, *numbers, *(float(c) for c in paid), len(table)))
    return chosen, by_policy


def routes_shown(routes: pl.DataFrame) -> pl.DataFrame:
    """The routes to show: those on the answered items, or with missing as wrong if the former are refused."""
    chosen = routes.filter(pl.col("task").is_not_null())
    on_answered = (pl.col("missing") == ANSWERED_ONLY).any().over("model")
    return chosen.filter(
        pl.col("missing") == pl.when(on_answered).then(pl.lit(ANSWERED_ONLY)).otherwise(pl.lit(MISSING_AS_WRONG))
    )


def policies_shown(policies: pl.DataFrame) -> pl.DataFrame:
    """One row per policy, on the answered items (`ShownPolicyRow`).

    `wrong`, `wrong_low` and `wrong_high` are its accuracy with missing as wrong, null if nothing is missing.
    """
    lacks = pl.col("lacking") > 0
    wrong = policies.filter((pl.col("missing") == MISSING_AS_WRONG) & lacks).select(
        "model", "policy", wrong="accuracy", wrong_low="low", wrong_high="high"
    )
    answered = policies.filter(pl.col("missing") == ANSWERED_ONLY)
    return answered.join(wrong, on=["model", "policy"], how="left", maintain_order="left")


NAME = "routing"
"""The name of this extra: its key in the evidence of an analysis."""


def options_of(known: AnalysisInput | Analysis) -> RoutingOptions:
    """The options that an analysis was given, or the defaults."""
    found = known.evidence.get(NAME)
    return found if isinstance(found, RoutingOptions) else RoutingOptions()


ROUTED = Derived(
    lambda given: routing(
        given[HEADLINE_MODELS],
        given.results,
        options_of(given),
        given.options.intervals,
        given.options.missing,
        given.idle,
    )
)
"""Both tables, which are computed together."""


ROUTES = Table(name="routes", row=RouteRow, compute=lambda given: given[ROUTED].routes)


POLICIES = Table(name="policies", row=PolicyRow, compute=lambda given: given[ROUTED].policies)
