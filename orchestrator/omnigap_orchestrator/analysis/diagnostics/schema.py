"""The tables of what stands beside the scores: their columns, in order, with their types."""

from __future__ import annotations

import polars as pl

ASR_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "condition": pl.String,
        "transcribed": pl.Int64,
        "empty": pl.Int64,
        "silent": pl.Int64,
        "truncated": pl.Int64,
        "suspect": pl.Int64,
        "other_language": pl.Int64,
        "mean_avg_logprob": pl.Float64,
        "mean_no_speech_prob": pl.Float64,
        "mean_compression_ratio": pl.Float64,
        "audio_seconds": pl.Float64,
        # Against the model's own text, pooled: errors over words. Null without these counts.
        "wer": pl.Float64,
        "wer_errors": pl.Int64,
        "wer_words": pl.Int64,
        "wer_cells": pl.Int64,
    }
)

FLAGS_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "condition": pl.String,
        "flag": pl.String,
        "cells": pl.Int64,
        "answered": pl.Int64,
        "share": pl.Float64,
    }
)

ERRORS_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "condition": pl.String,
        "outcome": pl.String,
        "error_reason": pl.String,
        "cells": pl.Int64,
        "example": pl.String,
    }
)

LATENCY_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "condition": pl.String,
        "measure": pl.String,
        "quantile": pl.Float64,
        # Seconds. Null where n is too small for a distribution-free interval; `needed` says how many it takes.
        "seconds": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "method": pl.String,
        "n": pl.Int64,
        "needed": pl.Int64,
    }
)

ANSWERS_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "condition": pl.String,
        "answered": pl.Int64,
        "with_text": pl.Int64,
        "mean_words": pl.Float64,
        "median_words": pl.Float64,
        "refused": pl.Float64,
        "unparsable": pl.Float64,
        "wrong_language": pl.Float64,
        "truncated": pl.Float64,
        "silent": pl.Float64,
    }
)

METRICS_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "metric": pl.String,
        "condition": pl.String,
        "items": pl.Int64,
        # Cells of these items; those with a score; those that failed, in the judge's case for want of a verdict too.
        "planned": pl.Int64,
        "scored": pl.Int64,
        "failed": pl.Int64,
        "mean_score": pl.Float64,
        # On the rubric's own scale; null but for a judge with one.
        "mean_rating": pl.Float64,
        # Shares of the scored cells; null where the table has no flags.
        "refused": pl.Float64,
        "unparsable": pl.Float64,
    }
)
"""Descriptive; the shares are of the scored cells."""
