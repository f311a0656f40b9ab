"""The tables of routing: their columns, in order, with their types."""

from __future__ import annotations

import polars as pl

ROUTES_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        # Null in the rows of conditions that a constraint rules out; `reason` says which.
        "task": pl.String,
        "condition": pl.String,
        # answered_only or missing_as_wrong; null beside a null task.
        "missing": pl.String,
        # On all items, so optimistic; what the policy is worth held out stands in the policy table.
        "accuracy": pl.Float64,
        # Share of the calibration splits that chose the same.
        "votes": pl.Float64,
        "n": pl.Int64,
        "reason": pl.String,
    }
)

POLICY_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "policy": pl.String,
        # answered_only: on the items with a score in every allowed condition; or missing_as_wrong.
        "missing": pl.String,
        "accuracy": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "method": pl.String,
        "regret": pl.Float64,
        "regret_low": pl.Float64,
        "regret_high": pl.Float64,
        "regret_method": pl.String,
        "gain": pl.Float64,
        "gain_low": pl.Float64,
        "gain_high": pl.Float64,
        "gain_method": pl.String,
        "mean_latency_s": pl.Float64,
        "mean_audio_seconds": pl.Float64,
        "mean_compute_s": pl.Float64,
        "n": pl.Int64,
        # Items planned in all the allowed conditions; those of them that lack a score in one.
        "planned": pl.Int64,
        "lacking": pl.Int64,
        "allowed": pl.String,
        # Why there are no numbers; beside numbers, how many items were left out.
        "reason": pl.String,
    }
)
