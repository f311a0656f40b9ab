"""Variance components of replicated scores, item, level (a voice, a font) and residual, by balanced ANOVA."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from omnigap_orchestrator.analysis.levels import varying
from omnigap_orchestrator.analysis.pairs import FloatArray, is_scored, ordered_conditions
from omnigap_orchestrator.analysis.table import Table, schema_of


@dataclass(frozen=True, slots=True)
class VarianceRow:
    """Variance components of a condition's scores, by one factor of its carriers or by replicate."""

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
    """Variances; a level's may come out negative, which says that it is about 0, and is not clipped."""

    item: float
    level: float
    residual: float


def crossed(scores: FloatArray) -> Components:
    """Items x levels, one score each: both random, residual = interaction and noise.

    Args:
        scores: shape (items, levels), no NaN.

    Raises:
        ValueError: fewer than two items or levels.
    """
    items, levels = scores.shape
    if items < 2 or levels < 2:
        raise ValueError(f"components need at least 2 items and 2 levels, not {items} and {levels}")
    grand = scores.mean()
    by_item, by_level = scores.mean(axis=1), scores.mean(axis=0)
    mean_item = levels * np.square(by_item - grand).sum() / (items - 1)
    mean_level = items * np.square(by_level - grand).sum() / (levels - 1)
    rest = np.square(scores - by_item[:, None] - by_level[None, :] + grand).sum() / ((items - 1) * (levels - 1))
    return Components(float((mean_item - rest) / levels), float((mean_level - rest) / items), float(rest))


def one_way(scores: FloatArray) -> Components:
    """Items x replicates that have nothing in common across items; shape as in `crossed`, `level` is NaN."""
    items, replicates = scores.shape
    if items < 2 or replicates < 2:
        raise ValueError(f"components need at least 2 items and 2 replicates, not {items} and {replicates}")
    by_item = scores.mean(axis=1)
    between = replicates * np.square(by_item - scores.mean()).sum() / (items - 1)
    within = np.square(scores - by_item[:, None]).sum() / (items * (replicates - 1))
    return Components(float((between - within) / replicates), math.nan, float(within))


def variance_components(results: pl.DataFrame) -> pl.DataFrame:
    """Components per model and condition, by every factor of the carriers that varies, else by replicate number.

    Only items with a score at every level count (the closed form is for balanced data); `items` and `left_out` say how
    many. Where several factors vary, each is taken alone, scores averaged over the others: their interactions are part
    of the residual.

    Returns:
        A frame of `VARIANCE_SCHEMA`. `share_level` is the level's part of the total, negative components taken as 0.
    """
    parts = results.filter(is_scored()).partition_by("model", "condition", as_dict=True)
    order = {name: place for place, name in enumerate(ordered_conditions([str(key[1]) for key in parts]))}
    rows: list[tuple[object, ...]] = []
    # In an order of their own, and not in that of the table's rows.
    for (model, condition), part in sorted(parts.items(), key=lambda p: (str(p[0][0]), order[str(p[0][1])])):
        # A named level explains the replicates: their number would only repeat it.
        replicated = "replicate" in part.columns and part["replicate"].drop_nulls().n_unique() > 1
        for factor in varying(part) or (("replicate",) if replicated else ()):
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
