"""The tables of an analysis: their columns, in order, with their types."""

from __future__ import annotations

import polars as pl

Columns = dict[str, pl.DataType | type[pl.DataType]]

ESTIMATE_COLUMNS: Columns = {
    # Null together with the limits when refused; `reason` then says why. With an estimate, `reason` says on what
    # part of the plan it stands, and is null when that is all of it.
    "estimate": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "method": pl.String,
    "se": pl.Float64,
    # Items (for contrasts: pairs) and clusters behind the estimate.
    "n": pl.Int64,
    "clusters": pl.Int64,
    # Items planned and supported in all the conditions involved, and those of them that lack a score somewhere.
    "planned": pl.Int64,
    "lacking": pl.Int64,
    # What the estimate can become when the missing scores are filled in the worst and the best way.
    "bound_low": pl.Float64,
    "bound_high": pl.Float64,
    "reason": pl.String,
}
"""What every estimated number of a table carries."""

CONTRAST_COLUMNS: Columns = {
    **ESTIMATE_COLUMNS,
    # Discordant pairs of a binary two-condition contrast: b lost (right in the reference only), c gained.
    "b": pl.Int64,
    "c": pl.Int64,
    "mcnemar_p": pl.Float64,
    # The p that enters the family: exact McNemar where valid, else the interval's own test.
    "p": pl.Float64,
    "p_method": pl.String,
    "p_adjusted": pl.Float64,
    "adjustment": pl.String,
    "family": pl.String,
}

CONDITIONS_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "architecture": pl.String,
        "condition": pl.String,
        "support": pl.String,
        "items": pl.Int64,
        "cells": pl.Int64,
        "planned": pl.Int64,
        "answered": pl.Int64,
        "scored": pl.Int64,
        "unscored": pl.Int64,
        "unsupported": pl.Int64,
        "failed": pl.Int64,
        "pending": pl.Int64,
    }
)
"""Per model and condition: cells = planned + unsupported, planned = answered + failed + pending,
answered = scored + unscored."""

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
