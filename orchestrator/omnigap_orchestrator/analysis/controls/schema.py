"""The tables of the control cells and of the waterfall: their columns, in order, with their types."""

from __future__ import annotations

import polars as pl

from omnigap_orchestrator.analysis.columns import INTERVAL_COLUMNS
from omnigap_orchestrator.analysis.scores.schema import CONDITIONS_SCHEMA

CONTROL_COUNTS_SCHEMA = pl.Schema([("control", pl.String()), *CONDITIONS_SCHEMA.items()])
"""As the table of conditions, for each kind of control."""

GUESSING_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "condition": pl.String,
        # all, or choices: those of the items that offer choices, where some do and some do not.
        "items": pl.String,
        # Accuracy on the blank carrier, with its interval.
        **INTERVAL_COLUMNS,
        "lacking": pl.Int64,
        # What picking a choice at random gives; null unless all of these items offer choices.
        "chance": pl.Float64,
        # Accuracy on the real carrier, over these items.
        "accuracy": pl.Float64,
    }
)

FIRST_PASS_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        # s2t: what was heard; i2t: what was read.
        "condition": pl.String,
        "written": pl.Int64,
        # Of those, the ones where the model wrote nothing.
        "empty": pl.Int64,
        # Of those with known words, the ones without a word error, as a share.
        "exact": pl.Float64,
        # Pooled: errors over words.
        "wer": pl.Float64,
        "wer_errors": pl.Int64,
        "wer_words": pl.Int64,
        "wer_cells": pl.Int64,
    }
)

WATERFALL_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "condition": pl.String,
        "order": pl.Int64,
        # A step's name, and last "gap", the sum of the steps.
        "step": pl.String,
        "formula": pl.String,
        **INTERVAL_COLUMNS,
        "lacking": pl.Int64,
        "reason": pl.String,
    }
)

REPEAT_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "condition": pl.String,
        # Share of items whose score changed when asked again.
        "changed": pl.Float64,
        "changed_low": pl.Float64,
        "changed_high": pl.Float64,
        "changed_method": pl.String,
        # Score when asked again minus score at first.
        "drift": pl.Float64,
        "drift_low": pl.Float64,
        "drift_high": pl.Float64,
        "drift_method": pl.String,
        "n": pl.Int64,
        "clusters": pl.Int64,
    }
)
