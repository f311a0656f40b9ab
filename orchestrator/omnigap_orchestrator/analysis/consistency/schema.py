"""The tables of consistency: their columns, in order, with their types."""

from __future__ import annotations

import polars as pl

from omnigap_orchestrator.analysis.columns import INTERVAL_COLUMNS

CONSISTENCY_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        # RER, CFR, MMC, all_right or all_wrong.
        "measure": pl.String,
        "conditions": pl.Int64,
        **INTERVAL_COLUMNS,
        # What independent conditions with the same accuracies would give, and what guessing would.
        "if_independent": pl.Float64,
        "if_guessing": pl.Float64,
    }
)

AGREEMENT_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "first": pl.String,
        "second": pl.String,
        "n": pl.Int64,
        "both_right": pl.Int64,
        "first_only": pl.Int64,
        "second_only": pl.Int64,
        "both_wrong": pl.Int64,
        "kappa": pl.Float64,
        "kappa_low": pl.Float64,
        "kappa_high": pl.Float64,
        "phi": pl.Float64,
        "phi_low": pl.Float64,
        "phi_high": pl.Float64,
        "method": pl.String,
    }
)

FLIPS_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "item_id": pl.String,
        "task": pl.String,
        "condition": pl.String,
        "replicate": pl.Int64,
        # lost: right in the reference only; gained: right here only.
        "direction": pl.String,
        "score": pl.Float64,
        "reference_score": pl.Float64,
        "answer_used": pl.String,
        "reference_answer": pl.String,
        "own_text": pl.String,
        "transcript": pl.String,
        "input_media": pl.String,
        "output_media": pl.String,
        "reference_input_media": pl.String,
    }
)
