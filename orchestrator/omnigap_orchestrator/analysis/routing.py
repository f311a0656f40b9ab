"""Which condition a product should route each task family to, what that gains on held-out items, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from omnigap.vocabulary import Modality, Outcome
from omnigap_orchestrator.analysis.bootstraps import seed_of
from omnigap_orchestrator.analysis.choose import IntervalOptions, Sample, mean_interval
from omnigap_orchestrator.analysis.latency import answers_needed
from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray, ModelScores
from omnigap_orchestrator.analysis.study_schemas import POLICY_SCHEMA, ROUTES_SCHEMA

COSTS = ("latency_s", "audio_seconds", "compute_s")
_NOTHING: list[object] = [math.nan, math.nan, math.nan, None]


@dataclass(frozen=True, slots=True)
class Constraints:
    """What a user demands: empty means anything goes. Times in seconds."""

    inputs: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()
    max_p95_latency_s: float = math.inf

    def refusal(self, condition: str, p95: float, answers: int) -> str | None:
        """Why a condition may not be routed to; null if it may. Inputs and outputs are letters: t, s, i."""
        if self.inputs and condition[0] not in self.inputs:
            return f"input must be {either_of(self.inputs)}"
        if self.outputs and condition[-1] not in self.outputs:
            return f"output must be {either_of(self.outputs)}"
        if self.max_p95_latency_s < math.inf:
            if answers < answers_needed(0.95):
                return f"p95 latency unknown: {answers} answers, it takes {answers_needed(0.95)}"
            if p95 > self.max_p95_latency_s:
                return f"p95 latency {p95:.2f} s is over {self.max_p95_latency_s:g} s"
        return None


def either_of(letters: frozenset[str]) -> str:
    """Modalities by their letters, in words; labels of other people's tables stay as they are."""
    names = {modality.letter: modality.value for modality in Modality}
    return " or ".join(names.get(letter, letter) for letter in sorted(letters))


@dataclass(frozen=True, slots=True)
class RoutingOptions:
    """Constraints, and how the held-out scores are made: `repeats` random splits of the clusters into `folds`."""

    constraints: Constraints = Constraints()
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


def routing(
    models: Sequence[ModelScores], results: pl.DataFrame, routing_options: RoutingOptions, options: IntervalOptions
) -> Routing:
    """Chooses and judges, per model, on the items that have a score in every allowed condition.

    Policies: `best_single` (one condition for everything) and `per_task` (one per task family), both chosen on a
    calibration split and scored on the held-out rest; `oracle` takes each item's best condition (MMC for binary
    scores), which no policy can reach since guessing alone lifts it. Regret is the policy minus the oracle, gain the
    policy minus best_single, both paired by item.
    """
    costs = _costs(results)
    routes: list[tuple[object, ...]] = []
    policies: list[tuple[object, ...]] = []
    for scores in models:
        allowed = _allowed(scores, costs, routing_options.constraints, routes)
        columns = [scores.column(name) for name in allowed]
        held = scores.where(~np.any(np.isnan(scores.score[:, columns]), axis=1)) if allowed else scores
        if not allowed or len(np.unique(held.cluster)) < routing_options.folds:
            continue
        table = held.score[:, columns]
        rng = np.random.default_rng(seed_of(options.seed, scores.model, "routing"))
        single, by_task, votes = _cross_validated(table, held, routing_options, rng)
        sums = _by_task(table, held.task, len(held.tasks))
        counts = np.bincount(held.task, minlength=len(held.tasks))
        for code in np.flatnonzero(counts):
            best = int(np.argmax(sums[code]))
            chosen = (
                allowed[best],
                float(sums[code, best] / counts[code]),
                float(votes[code, best]),
                int(counts[code]),
            )
            routes.append((scores.model, held.tasks[code], *chosen, None))
        oracle = np.asarray(table.max(axis=1), dtype=np.float64)
        cost = np.array([[costs.get((scores.model, name), {}).get(c, math.nan) for c in COSTS] for name in allowed])
        uses = {"best_single": single[1], "per_task": by_task[1]}
        for name, value in (("best_single", single[0]), ("per_task", by_task[0]), ("oracle", oracle)):
            key = (scores.model, name)
            numbers = _summary(value, held, options, True, *key, "0")
            numbers += _summary(value - oracle, held, options, False, *key, "4")
            # Nothing is gained over itself.
            own = name == "best_single"
            numbers += _NOTHING if own else _summary(value - single[0], held, options, False, *key, "8")
            paid = uses[name] @ cost if name in uses else np.full(len(COSTS), math.nan)
            policies.append((scores.model, name, *numbers, *(float(c) for c in paid), len(value), ", ".join(allowed)))
    return Routing(
        pl.DataFrame(routes, schema=ROUTES_SCHEMA, orient="row").fill_nan(None),
        pl.DataFrame(policies, schema=POLICY_SCHEMA, orient="row").fill_nan(None),
    )


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


def _cross_validated(
    table: FloatArray, held: ModelScores, options: RoutingOptions, rng: np.random.Generator
) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray], FloatArray]:
    """Held-out score per item and use of each condition, for one condition and for one per task; votes by task.

    A tie, or a task that the calibration split lacks, goes to the condition that is best overall there.
    """
    n, k = table.shape
    tasks = len(held.tasks)
    _, cluster = np.unique(held.cluster, return_inverse=True)
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


def _costs(results: pl.DataFrame) -> dict[tuple[str, str], dict[str, float]]:
    """Mean cost, 95th percentile of the latency and number of timed answers per model and condition."""
    present = [name for name in COSTS if name in results.columns]
    timed = [pl.col("latency_s").quantile(0.95).alias("p95"), pl.col("latency_s").count().alias("answers")]
    frame = (
        results.lazy()
        .filter(pl.col("outcome") == Outcome.ANSWERED.value)
        .group_by("model", "condition")
        .agg(*[pl.col(name).mean() for name in present], *(timed if "latency_s" in present else []))
        .collect()
    )
    out: dict[tuple[str, str], dict[str, float]] = {}
    for row in frame.iter_rows(named=True):
        key = (row.pop("model"), row.pop("condition"))
        out[key] = {name: math.nan if value is None else float(value) for name, value in row.items()}
    return out


def _allowed(
    scores: ModelScores,
    costs: dict[tuple[str, str], dict[str, float]],
    constraints: Constraints,
    routes: list[tuple[object, ...]],
) -> list[str]:
    """The conditions that meet the constraints and have scores; the others go into `routes` with the reason."""
    allowed: list[str] = []
    for condition in scores.conditions:
        column = scores.column(condition)
        cost = costs.get((scores.model, condition), {})
        reason = constraints.refusal(condition, cost.get("p95", math.nan), int(cost.get("answers", 0)))
        if not (scores.scored[:, column] > 0).any():
            reason = "no scores"
        if reason is None:
            allowed.append(condition)
        else:
            routes.append((scores.model, None, condition, math.nan, math.nan, 0, reason))
    return allowed
