"""Families of tests. A contrast belongs to one family, so that it has one adjusted p in every table.

The first screen calls gaps and main effects significant, so these are one family: adjusting the two separately made
false statements in 8 % of the runs without any difference.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from omnigap_orchestrator.analysis.contrasts import ITEM_WEIGHTED, benjamini_hochberg, holm


@dataclass(frozen=True, slots=True)
class Tests:
    """The rows of one table that test contrasts.

    Attributes:
        frame: with model, pooling, missing, p, and the columns of `FamilyColumns` to fill.
        contrast: name of the contrast of each row; equal names mean the same hypothesis about the same scores.
        family: name of the family that the row belongs to, with `{model}` for the name of the model; a contrast of
            several families belongs to the one whose name comes first in the order of `adjust_families`.
        exploratory: Benjamini-Hochberg over all models instead of Holm within each.
    """

    frame: pl.DataFrame
    contrast: pl.Expr
    family: pl.Expr
    exploratory: bool = False


def adjust_families(tables: Sequence[Tests], order: Sequence[str], random: Collection[str] = ()) -> list[pl.DataFrame]:
    """Fills `p_adjusted`, `adjustment`, `family` and `p_adjusted_models` of the item-weighted rows of all tables.

    Holm's procedure within a model, and over the same family of all models for `p_adjusted_models`.

    Args:
        random: models with random weights. Their tests form families of their own: a test of noise would make the
            correction of the other models stricter.
    """
    marked = [
        part.frame.with_row_index("_row").with_columns(
            part.contrast.alias("_contrast"),
            part.family.alias("_family"),
            pl.lit(part.exploratory).alias("_exploratory"),
            pl.lit(place).alias("_table"),
        )
        for place, part in enumerate(tables)
    ]
    key = ["model", "missing", "_contrast"]
    # Item-weighted and task-macro rows state the same hypothesis: only one of them is a test.
    every = pl.concat(
        part.filter((pl.col("pooling") == ITEM_WEIGHTED) & pl.col("p").is_not_null()).select(
            "_table", "_row", *key, "_family", "_exploratory", "p"
        )
        for part in marked
    )
    rank = pl.col("_family").replace_strict(list(order), list(range(len(order))), return_dtype=pl.Int64)
    tests = every.sort(rank, "_table", "_row").unique(key, keep="first", maintain_order=True)
    tests = tests.with_columns(pl.col("model").is_in(list(random)).alias("_random"))
    done = [_adjusted(part) for part in tests.partition_by("_family", "missing", "_random", maintain_order=True)]
    filled = pl.concat(done) if done else _adjusted(tests)
    new = ["p_adjusted", "adjustment", "family", "p_adjusted_models"]
    at = every.select("_table", "_row", *key).join(filled.select(*key, *new), on=key, how="left")
    out = []
    for place, (part, original) in enumerate(zip(marked, tables, strict=True)):
        mine = at.filter(pl.col("_table") == place).select("_row", *new)
        rows = part.drop(new).join(mine, on="_row", how="left", maintain_order="left")
        out.append(rows.select(original.frame.columns).cast(original.frame.schema))
    return out


def _adjusted(tests: pl.DataFrame) -> pl.DataFrame:
    """The unique tests of one kind of family and one treatment of missing answers, with their adjusted p-values."""
    p = tests["p"].to_numpy()
    exploratory = bool(tests["_exploratory"].any())
    over_models = benjamini_hochberg(p) if exploratory else holm(p)
    by_model, counts = over_models.copy(), np.full(len(p), len(p))
    if not exploratory:
        models = tests["model"].to_numpy()
        for model in np.unique(models):
            mine = np.flatnonzero(models == model)
            by_model[mine], counts[mine] = holm(p[mine]), len(mine)
    names = [
        f"{family.replace('{model}', model)} ({count})"
        for family, model, count in zip(tests["_family"], tests["model"], counts, strict=True)
    ]
    return tests.with_columns(
        pl.Series("p_adjusted", by_model, dtype=pl.Float64),
        pl.lit("benjamini_hochberg" if exploratory else "holm").alias("adjustment"),
        pl.Series("family", names, dtype=pl.String),
        pl.Series("p_adjusted_models", over_models, dtype=pl.Float64),
    )
