"""The tables of what a study can show: their columns, in order, with their types."""

from __future__ import annotations

import polars as pl

POWER_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "condition": pl.String,
        "reference": pl.String,
        "n": pl.Int64,
        "clusters": pl.Int64,
        "reference_accuracy": pl.Float64,
        "accuracy": pl.Float64,
        "phi": pl.Float64,
        "variance": pl.Float64,
        "design_effect": pl.Float64,
        "target_gap": pl.Float64,
        "power": pl.Float64,
        "alpha": pl.Float64,
        # Items that the target gap takes, q = n / needed, and the gap that n items show with this power.
        "needed": pl.Int64,
        "q": pl.Float64,
        "detectable_gap": pl.Float64,
        # To show that there is none of +-target_gap.
        "needed_for_equivalence": pl.Int64,
    }
)

EQUIVALENCE_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "condition": pl.String,
        "reference": pl.String,
        "margin": pl.Float64,
        "alpha": pl.Float64,
        "estimate": pl.Float64,
        # At level 1 - 2 alpha.
        "low": pl.Float64,
        "high": pl.Float64,
        "method": pl.String,
        "n": pl.Int64,
        "p": pl.Float64,
        "needed": pl.Int64,
        "verdict": pl.String,
    }
)

NEEDS_SCHEMA = pl.Schema(
    {
        # Null where nothing was measured: the row is an assumption.
        "model": pl.String,
        "condition": pl.String,
        # Items of the pilot that had both scores.
        "n": pl.Int64,
        "reference_accuracy": pl.Float64,
        "accuracy": pl.Float64,
        "phi": pl.Float64,
        "design_effect": pl.Float64,
        # Items for the gap alone, for it in the worst place of Holm's procedure, and to show that there is none.
        "needed": pl.Int64,
        "needed_holm": pl.Int64,
        "needed_for_equivalence": pl.Int64,
    }
)
