"""The table `variance`: variance components of item, level (voice, font) and residual, by balanced ANOVA."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from omnigap_orchestrator.analysis.factor_levels import TwoWay, varying_factors
from omnigap_orchestrator.analysis.pairs import FloatArray, is_scored, ordered_conditions
from omnigap_orchestrator.analysis.table import Table, schema_of


@dataclass(frozen=True, slots=True)
class VarianceRow:
    """Variance components of a condition's scores, for one carrier factor or for replicates."""

    model: str
    condition: str
    factor: str
    levels: int
    items: int
    left_out: int
    item_variance: float | None
    level_variance: float | None
    residual_variance: float | None
    share_level: float | None


VARIANCE_SCHEMA = schema_of(VarianceRow)


@dataclass(frozen=True, slots=True)
class Components:
    """Variance components. Negative estimates, which mean about 0, are not clipped: clipping would bias them."""

    item: float
    level: float
    residual: float


def crossed(scores: FloatArray) -> Components:
    """Two-way random effects: the same levels for every item, residual = interaction and noise.

    Expected mean squares: Searle, Casella and McCulloch, Variance Components, 1992, chapter 4.

    Args:
        scores: shape (items, levels), without NaN.

    Raises:
        ValueError: fewer than two items or levels.
    """
    anova = TwoWay.of(scores)
    item = (anova.ms_item - anova.ms_residual) / anova.levels
    return Components(item, anova.level_variance, anova.ms_residual)


def one_way(scores: FloatArray) -> Components:
    """One-way random effects: replicates with nothing in common across items; `level` is NaN.

    Args:
        scores: shape (items, replicates), without NaN.

    Raises:
        ValueError: fewer than two items or replicates.
    """
    items, replicates = scores.shape
    if items < 2 or replicates < 2:
        raise ValueError(f"variance components need at least 2 items and 2 replicates, not {items} and {replicates}")
    by_item = scores.mean(axis=1)
    between = replicates * np.square(by_item - scores.mean()).sum() / (items - 1)
    within = np.square(scores - by_item[:, None]).sum() / (items * (replicates - 1))
    return Components(float((between - within) / replicates), math.nan, float(within))


def variance_components(results: pl.DataFrame) -> pl.DataFrame:
    """Components by model and condition, for every carrier factor that varies, otherwise for replicates.

    Only items with a score at every level are used, because the closed form is for balanced data; `items` and
    `left_out` count them. If several factors vary, each is analysed separately with scores averaged over the others, so
    their interactions are part of the residual.

    Returns:
        A frame of `VARIANCE_SCHEMA`. `share_level` is the level's share of the total, with negative components as 0.
    """
    parts = results.filter(is_scored()).partition_by("model", "condition", as_dict=True)
    order = {name: place for place, name in enumerate(ordered_conditions([str(key[1]) for key in parts]))}
    rows: list[tuple[object, ...]] = []
    # Sorted, so that the order of the table's rows does not matter.
    for (model, condition), part in sorted(parts.items(), key=lambda p: (str(p[0][0]), order[str(p[0][1])])):
        # Replicates that differ in a named factor are explained by it: their number would only repeat the factor.
        replicated = "replicate" in part.columns and part["replicate"].drop_nulls().n_unique() > 1
        for factor in varying_factors(part) or (("replicate",) if replicated else ()):
            means = part.drop_nulls(factor).group_by("item_id", factor).agg(pl.col("score").mean())
            wide = means.sort(factor, "item_id").pivot(factor, index="item_id", values="score")
            full = wide.drop_nulls()
            if full.height < 2:
                continue
            matrix = full.drop("item_id").to_numpy()
            found = one_way(matrix) if factor == "replicate" else crossed(matrix)
            total = sum(max(0.0, v) for v in (found.item, found.level, found.residual) if not math.isnan(v))
            share = max(0.0, found.level) / total if total > 0 and not math.isnan(found.level) else math.nan
            counts = (matrix.shape[1], full.height, wide.height - full.height)
            rows.append((model, condition, factor, *counts, found.item, found.level, found.residual, share))
    return pl.DataFrame(rows, schema=VARIANCE_SCHEMA, orient="row").fill_nan(None)


VARIANCE = Table(name="variance", row=VarianceRow, compute=lambda given: variance_components(given.results))
