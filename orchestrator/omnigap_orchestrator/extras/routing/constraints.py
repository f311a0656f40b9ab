"""Checks each condition against a product's constraints on modalities and latency, and computes its mean costs."""

from __future__ import annotations

import math

import polars as pl

from omnigap.vocabulary import Modality, Outcome
from omnigap_orchestrator.analysis.latency import answers_needed
from omnigap_orchestrator.analysis.pairs import ModelScores
from omnigap_orchestrator.extras.routing.options import Constraints

COSTS = ("latency_s", "audio_seconds", "compute_s")
TIMES = ("latency_s", "compute_s")
"""Costs that a busy service inflates: known only from single questions."""
MEASURE = (
    f"at least {answers_needed(0.95)} are needed: "
    f"run `omnigap-orchestrate bench latency --items {answers_needed(0.95)}`"
)
NOT_MEASURED = (
    "Latencies are not shown: those of a run include queueing. `omnigap-orchestrate bench latency` measures them on an "
    "idle service."
)

CostsOf = dict[tuple[str, str], dict[str, float]]
"""By (model, condition): the mean of each of `COSTS`, the 95th percentile `p95` of the latency, and its `answers`."""


def refusal(constraints: Constraints, condition: str, p95: float, answers: int) -> str | None:
    """Reason why a condition violates the constraints; None if it meets them.

    Args:
        p95: 95th percentile of the latency in seconds, NaN if unknown.
        answers: number of answers with a latency that contains no queueing.
    """
    if constraints.inputs and condition[0] not in constraints.inputs:
        return f"input must be {either_of(constraints.inputs)}"
    if constraints.outputs and condition[-1] not in constraints.outputs:
        return f"output must be {either_of(constraints.outputs)}"
    if constraints.max_p95_latency_s < math.inf:
        # A percentile of too few answers has no distribution-free interval: it must not pass as met by chance.
        if answers < answers_needed(0.95):
            return f"p95 latency unknown: {answers} answers on an idle service, {MEASURE}"
        if p95 > constraints.max_p95_latency_s:
            return f"p95 latency {p95:.2f} s is over {constraints.max_p95_latency_s:g} s"
    return None


def either_of(letters: frozenset[str]) -> str:
    """Modality letters as words: "text or speech". Other letters, from tables of other tools, stay as they are."""
    names = {modality.letter: modality.value for modality in Modality}
    return " or ".join(names.get(letter, letter) for letter in sorted(letters))


def costs_of(results: pl.DataFrame, timed: pl.DataFrame | None) -> CostsOf:
    """Mean costs, 95th percentile of the latency and number of timed answers of each model and condition.

    Args:
        results: with the seconds of audio, if known.
        timed: answers whose times contain no queueing (`analysis.latency.IDLE_SCHEMA`), for the other costs; None:
            there are none.
    """
    out: CostsOf = {}
    for frame, names in ((results, ("audio_seconds",)), (timed, TIMES)):
        if frame is None:
            continue
        present = [name for name in names if name in frame.columns]
        quantiles = [pl.col("latency_s").quantile(0.95).alias("p95"), pl.col("latency_s").count().alias("answers")]
        found = (
            frame.lazy()
            .filter(pl.col("outcome") == Outcome.ANSWERED.value)
            .group_by("model", "condition")
            .agg(*[pl.col(name).mean() for name in present], *(quantiles if "latency_s" in present else []))
            .collect()
        )
        for row in found.iter_rows(named=True):
            key = (row.pop("model"), row.pop("condition"))
            values = {name: math.nan if value is None else float(value) for name, value in row.items()}
            out.setdefault(key, {}).update(values)
    return out


def split_by(constraints: Constraints, scores: ModelScores, costs: CostsOf) -> tuple[list[str], dict[str, str]]:
    """The conditions that meet the constraints and have scores; and the reason for each other condition."""
    allowed: list[str] = []
    ruled_out: dict[str, str] = {}
    for condition in scores.conditions:
        cost = costs.get((scores.model, condition), {})
        reason = refusal(constraints, condition, cost.get("p95", math.nan), int(cost.get("answers", 0)))
        # Even an allowed condition can't be chosen without a score.
        if not (scores.scored[:, scores.column(condition)] > 0).any():
            reason = "no scores"
        if reason is None:
            allowed.append(condition)
        else:
            ruled_out[condition] = reason
    return allowed, ruled_out
