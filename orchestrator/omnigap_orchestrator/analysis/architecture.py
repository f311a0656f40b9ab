"""Gaps by architecture type: each model, the mean of each type, leave-one-model-out, and permutation tests."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from omnigap_orchestrator.analysis.contrasts import ANSWERED_PAIRS, ITEM_WEIGHTED
from omnigap_orchestrator.analysis.denominators import CONDITION_COUNTS, condition_rank
from omnigap_orchestrator.analysis.gap import HEADLINE_GAPS
from omnigap_orchestrator.analysis.pairs import FloatArray
from omnigap_orchestrator.analysis.table import Table, schema_of
from omnigap_orchestrator.results import not_representative


@dataclass(frozen=True, slots=True)
class ArchitectureRow:
    """The gaps of the models of one architecture type."""

    architecture: str | None
    condition: str
    models: int
    mean_gap: float | None
    min_gap: float | None
    max_gap: float | None
    # The lowest and highest mean with one model left out, and the model whose removal changes the mean most.
    leave_one_out_low: float | None
    leave_one_out_high: float | None
    most_influential: str | None


ARCHITECTURES_SCHEMA = schema_of(ArchitectureRow)


@dataclass(frozen=True, slots=True)
class ArchitectureModelRow:
    """The gap of one model and its architecture type."""

    architecture: str | None
    model: str
    condition: str
    gap: float
    low: float | None
    high: float | None
    n: int
    method: str | None
    # Mean of the type without this model; null for a single model.
    mean_without: float | None


ARCHITECTURE_MODELS_SCHEMA = schema_of(ArchitectureModelRow)


@dataclass(frozen=True, slots=True)
class ArchitectureTestRow:
    """Permutation test between two types; `p` is null, with a `reason`, under `MIN_MODELS` models per type."""

    first: str
    second: str
    condition: str
    first_models: int
    second_models: int
    difference: float | None
    p: float | None
    method: str | None
    reason: str | None


ARCHITECTURE_TESTS_SCHEMA = schema_of(ArchitectureTestRow)

MIN_MODELS = 4
"""Models per type that a test needs: 3 against 3 have 20 permutations and can't reach p < .10 two-sided."""

_MAX_PERMUTATIONS = 200_000


def architecture_models(gaps: pl.DataFrame, conditions: pl.DataFrame) -> pl.DataFrame:
    """Item-weighted gap of every model with its type, and the type's mean without it.

    Returns:
        A frame of `ARCHITECTURE_MODELS_SCHEMA`.
    """
    types = conditions.group_by("model").agg(pl.col("architecture").drop_nulls().first())
    shown = gaps.filter(
        (pl.col("pooling") == ITEM_WEIGHTED) & (pl.col("missing") == ANSWERED_PAIRS) & pl.col("estimate").is_not_null()
    )
    group = ("architecture", "condition")
    # Leave-one-out means in closed form: (sum - own) / (n - 1).
    others = pl.len().over(group) - 1
    return (
        shown.join(types, on="model", how="left")
        .with_columns(gap=pl.col("estimate"))
        .with_columns(
            mean_without=pl.when(others > 0).then((pl.col("gap").sum().over(group) - pl.col("gap")) / others),
        )
        .sort("architecture", condition_rank(), "condition", "model")
        .select(ARCHITECTURE_MODELS_SCHEMA.names())
        .cast(ARCHITECTURE_MODELS_SCHEMA)
    )


def architectures(models: pl.DataFrame) -> pl.DataFrame:
    """Mean gap of each type and condition (`ARCHITECTURES_SCHEMA`); unweighted, because the model is the unit."""
    return (
        models.group_by("architecture", "condition", maintain_order=True)
        .agg(
            models=pl.len().cast(pl.Int64),
            mean_gap=pl.col("gap").mean(),
            min_gap=pl.col("gap").min(),
            max_gap=pl.col("gap").max(),
            leave_one_out_low=pl.col("mean_without").min(),
            leave_one_out_high=pl.col("mean_without").max(),
            most_influential=pl.when(pl.len() > 1).then(
                pl.col("model").get((pl.col("mean_without") - pl.col("gap").mean()).abs().fill_null(0.0).arg_max())
            ),
        )
        .select(ARCHITECTURES_SCHEMA.names())
        .cast(ARCHITECTURES_SCHEMA)
    )


def architecture_tests(models: pl.DataFrame) -> pl.DataFrame:
    """Exact permutation tests between every two types, with the model as the unit.

    Returns:
        A frame of `ARCHITECTURE_TESTS_SCHEMA`.
    """
    rows: list[tuple[object, ...]] = []
    for part in models.drop_nulls("architecture").partition_by("condition", maintain_order=True):
        by_type = {
            str(p["architecture"][0]): p["gap"].to_numpy()
            for p in part.partition_by("architecture", maintain_order=True)
        }
        for (first, a), (second, b) in itertools.combinations(by_type.items(), 2):
            p, method, reason = math.nan, None, None
            permutations = math.comb(len(a) + len(b), len(a))
            # Exact or nothing: a random sample of permutations would make p depend on a seed.
            if min(len(a), len(b)) < MIN_MODELS:
                reason = f"descriptive only: {len(a)} and {len(b)} models, a test needs {MIN_MODELS} per type"
            elif permutations > _MAX_PERMUTATIONS:
                reason = f"{permutations} permutations, more than the limit of {_MAX_PERMUTATIONS}"
            else:
                p, method = permutation_p(a, b), "exact_permutation"
            rows.append(
                (first, second, part["condition"][0], len(a), len(b), float(a.mean() - b.mean()), p, method, reason)
            )
    return pl.DataFrame(rows, schema=ARCHITECTURE_TESTS_SCHEMA, orient="row").fill_nan(None)


def permutation_p(a: FloatArray, b: FloatArray) -> float:
    """Two-sided p of the exact permutation test of equal means; `a` and `b` hold one value per model."""
    values = np.concatenate([a, b])
    observed = abs(a.mean() - b.mean())
    picks = np.array(list(itertools.combinations(range(len(values)), len(a))))
    first = values[picks].sum(axis=1)
    differences = first / len(a) - (values.sum() - first) / len(b)
    # The tolerance keeps ties: the observed permutation itself must count as extreme despite rounding.
    return float((np.abs(differences) >= observed - 1e-12).mean())


ARCHITECTURE_MODELS = Table(
    name="architecture_models",
    row=ArchitectureModelRow,
    compute=lambda given: architecture_models(
        given[HEADLINE_GAPS].filter(~pl.col("model").is_in(sorted(not_representative(given.results)))),
        given[CONDITION_COUNTS],
    ),
)

ARCHITECTURES = Table(
    name="architectures", row=ArchitectureRow, compute=lambda given: architectures(given[ARCHITECTURE_MODELS])
)

ARCHITECTURE_TESTS = Table(
    name="architecture_tests",
    row=ArchitectureTestRow,
    compute=lambda given: architecture_tests(given[ARCHITECTURE_MODELS]),
)
