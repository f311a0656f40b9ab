"""Which condition a product should route each task family to, what that gains on held-out items, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from omnigap_orchestrator.analysis.accuracy import ANSWERED_ONLY
from omnigap_orchestrator.analysis.bootstrap import seed_of
from omnigap_orchestrator.analysis.contrasts import MISSING_AS_WRONG
from omnigap_orchestrator.analysis.options import IntervalOptions, MissingRule
from omnigap_orchestrator.analysis.pairs import MODELS, FloatArray, ModelScores
from omnigap_orchestrator.analysis.summary import Analysis
from omnigap_orchestrator.analysis.table import AnalysisInput, Derived, Table, schema_of
from omnigap_orchestrator.extras.routing.constraints import COSTS, CostsOf, costs_of, split_by
from omnigap_orchestrator.extras.routing.held_out import by_task, ceiling, cross_validated, interval_of
from omnigap_orchestrator.extras.routing.options import RoutingOptions


@dataclass(frozen=True, slots=True)
class RouteRow:
    """The condition chosen for one task, or one that is ruled out."""

    model: str
    # Null in the rows of conditions that a constraint rules out; `reason` says which.
    task: str | None
    condition: str
    # answered_only or missing_as_wrong; null beside a null task.
    missing: str | None
    # Optimistic: the policy was chosen on the same items. The policy table has the held-out accuracy.
    accuracy: float | None
    # Share of the calibration splits that chose the same.
    votes: float | None
    n: int
    reason: str | None


ROUTES_SCHEMA = schema_of(RouteRow)


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """What one routing policy is worth, and what it costs."""

    model: str
    policy: str
    # answered_only: on the items with a score in every allowed condition; or missing_as_wrong.
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
    # Items planned in all the allowed conditions; those of them that lack a score in one.
    planned: int
    lacking: int
    allowed: str
    # Why there are no numbers; beside numbers, how many items were left out.
    reason: str | None


POLICY_SCHEMA = schema_of(PolicyRow)


@dataclass(frozen=True, slots=True)
class ShownPolicyRow(PolicyRow):
    """A policy on the answered items, with its accuracy where missing answers count as wrong."""

    wrong: float | None
    wrong_low: float | None
    wrong_high: float | None


_POLICIES = ("best_single", "per_task", "oracle")
_NOTHING: list[object] = [math.nan, math.nan, math.nan, None]


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
        return [], [(name, *_NOTHING, *_NOTHING, *_NOTHING, *nothing, 0) for name in _POLICIES]
    table, held, allowed = items.table, items.held, items.allowed
    rng = np.random.default_rng(seed_of(options.seed, held.model, "routing"))
    folds = routing_options.folds
    single, many, votes = cross_validated(table, held, folds, routing_options.repeats, rng)
    sums = by_task(table, held.task, len(held.tasks))
    counts = np.bincount(held.task, minlength=len(held.tasks))
    chosen: list[tuple[object, ...]] = []
    for code in np.flatnonzero(counts):
        best = int(np.argmax(sums[code]))
        share, agree = float(sums[code, best] / counts[code]), float(votes[code, best])
        chosen.append((held.tasks[code], allowed[best], share, agree, int(counts[code])))
    oracle = ceiling(table)
    cost = np.array([[costs.get((held.model, name), {}).get(c, math.nan) for c in COSTS] for name in allowed])
    worth: list[tuple[object, ...]] = []
    for name, policy in zip(_POLICIES, (single, many, oracle), strict=True):
        key = (held.model, name)
        numbers: list[object] = []
        # Nothing is gained over itself, nor lost to itself.
        for part, is_score, place in (
            (policy, True, "0"),
            (None if policy is oracle else policy.over(oracle), False, "4"),
            (None if policy is single else policy.over(single), False, "8"),
        ):
            if part is None:
                numbers += _NOTHING
                continue
            interval = interval_of(part, held, options, is_score, folds, *key, place)
            numbers += [part.mean, interval.low, interval.high, interval.method]
        paid = nothing if policy is oracle else policy.use @ cost
        worth.append((name, *numbers, *(float(c) for c in paid), len(table)))
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


NAME = "routing"
"""The name of this extra: its key in the evidence of an analysis."""


def options_of(known: AnalysisInput | Analysis) -> RoutingOptions:
    """The options that an analysis was given; the defaults where it was given none."""
    found = known.evidence.get(NAME)
    return found if isinstance(found, RoutingOptions) else RoutingOptions()


ROUTED = Derived(
    lambda given: routing(
        given[MODELS], given.results, options_of(given), given.options.intervals, given.options.missing
    )
)
"""Both tables of routing, which are computed together."""


ROUTES = Table(name="routes", row=RouteRow, compute=lambda given: given[ROUTED].routes)


POLICIES = Table(name="policies", row=PolicyRow, compute=lambda given: given[ROUTED].policies)
