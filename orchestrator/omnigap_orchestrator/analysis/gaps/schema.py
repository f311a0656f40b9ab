"""The tables of accuracies and gaps: their columns, in order, with their types."""

from __future__ import annotations

import polars as pl

from omnigap_orchestrator.analysis.columns import CONTRAST_COLUMNS, ESTIMATE_COLUMNS

ACCURACY_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "condition": pl.String,
        "task": pl.String,
        "pooling": pl.String,
        "missing": pl.String,
        **ESTIMATE_COLUMNS,
    }
)
"""`task` is null for all tasks; `pooling`: item_weighted, task_macro; `missing`: answered_only, missing_as_wrong."""

GAPS_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "condition": pl.String,
        "reference": pl.String,
        "task": pl.String,
        "pooling": pl.String,
        "missing": pl.String,
        **CONTRAST_COLUMNS,
    }
)
"""`missing` is answered_pairs or missing_as_wrong; the other two keys as in the accuracy table."""

EFFECTS_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "effect": pl.String,
        "kind": pl.String,
        "formula": pl.String,
        "pooling": pl.String,
        "missing": pl.String,
        **CONTRAST_COLUMNS,
    }
)
"""`kind` is main (mean over the other factor), simple (at one level of it) or interaction."""

ARCHITECTURES_SCHEMA = pl.Schema(
    {
        "architecture": pl.String,
        "condition": pl.String,
        "models": pl.Int64,
        "mean_gap": pl.Float64,
        "min_gap": pl.Float64,
        "max_gap": pl.Float64,
        # The lowest and highest mean with one model left out, and the model whose absence moves the mean most.
        "leave_one_out_low": pl.Float64,
        "leave_one_out_high": pl.Float64,
        "most_influential": pl.String,
    }
)

ARCHITECTURE_MODELS_SCHEMA = pl.Schema(
    {
        "architecture": pl.String,
        "model": pl.String,
        "condition": pl.String,
        "gap": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "n": pl.Int64,
        "method": pl.String,
        # The type's mean without this model; null when it is the only one.
        "mean_without": pl.Float64,
    }
)

ARCHITECTURE_TESTS_SCHEMA = pl.Schema(
    {
        "first": pl.String,
        "second": pl.String,
        "condition": pl.String,
        "first_models": pl.Int64,
        "second_models": pl.Int64,
        "difference": pl.Float64,
        "p": pl.Float64,
        "method": pl.String,
        "reason": pl.String,
    }
)
"""Permutation tests between types; the p is null, with the reason, under 4 models each."""

SET_LEVEL_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "measure": pl.String,
        "formula": pl.String,
        "value": pl.Float64,
        "conditions": pl.Int64,
        # The fewest items behind one of its accuracies.
        "n": pl.Int64,
    }
)

COMPARISON_SCHEMA = pl.Schema(
    {
        "first": pl.String,
        "second": pl.String,
        "condition": pl.String,
        # score, or gap against the reference condition; second minus first.
        "quantity": pl.String,
        "formula": pl.String,
        "pooling": pl.String,
        "missing": pl.String,
        # Items that only one of the tables holds.
        "only_first": pl.Int64,
        "only_second": pl.Int64,
        **CONTRAST_COLUMNS,
    }
)
