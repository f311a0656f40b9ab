"""The tables of carriers as random factors: components, gaps by level, and what they say of the gap of a modality."""

from __future__ import annotations

import polars as pl

from omnigap_orchestrator.analysis.columns import INTERVAL_COLUMNS

VARIANCE_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "condition": pl.String,
        "factor": pl.String,
        "levels": pl.Int64,
        "items": pl.Int64,
        "left_out": pl.Int64,
        "item_variance": pl.Float64,
        "level_variance": pl.Float64,
        "residual_variance": pl.Float64,
        "share_level": pl.Float64,
    }
)

LEVELS_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "condition": pl.String,
        "reference": pl.String,
        # voice, words_per_minute, font, font_size, colour, background or image_width.
        "factor": pl.String,
        "level": pl.String,
        # The paired gap of the condition with the carriers of this level alone.
        **INTERVAL_COLUMNS,
        "lacking": pl.Int64,
        "p": pl.Float64,
        # Holm over the levels of one factor in one condition of one model.
        "p_adjusted": pl.Float64,
        "reason": pl.String,
    }
)

SPREADS_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "condition": pl.String,
        "reference": pl.String,
        "factor": pl.String,
        "levels": pl.Int64,
        # Items with a score at every level, and those without; the rest of the row stands on the former.
        "items": pl.Int64,
        "left_out": pl.Int64,
        # The mean gap over the levels. Its interval with these levels and no others in mind (items random), and with
        # the levels as a sample of all that could have been taken (items and levels random).
        "estimate": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "low_beyond": pl.Float64,
        "high_beyond": pl.Float64,
        # Of the gaps by level.
        "lowest": pl.Float64,
        "highest": pl.Float64,
        # Standard deviation between levels (a negative component counts as 0), and the F test that there is none.
        "level_sd": pl.Float64,
        "p_levels": pl.Float64,
        # Other factors whose levels do not meet these equally often: what is seen may be theirs.
        "mixed_with": pl.String,
        # no_gap, modality, these_levels, level or no_interval; see `levels.Finding`.
        "finding": pl.String,
    }
)
