"""The tables of the ASR scorer as an instrument and of human labels: their columns, in order, with their types."""

from __future__ import annotations

import polars as pl

RATES_SCHEMA = pl.Schema(
    {
        "answer_type": pl.String,
        # Null: all metrics of the type together; named only where it has several.
        "metric": pl.String,
        # q1 = P(scored right | truly right), q0 = P(scored wrong | truly wrong).
        "quantity": pl.String,
        # gold, plain, sound_alike or all_foils.
        "foil": pl.String,
        "estimate": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "method": pl.String,
        # Clips, different texts among them (the clusters), items, voices.
        "n": pl.Int64,
        "texts": pl.Int64,
        "items": pl.Int64,
        "voices": pl.Int64,
    }
)

HEARING_SCHEMA = pl.Schema(
    {
        # What the transcript is compared with: `calibration`, the text that was said; `own_text`, the model's own.
        "against": pl.String,
        # Null for the calibration.
        "model": pl.String,
        "condition": pl.String,
        "answer_type": pl.String,
        "clips": pl.Int64,
        # (I + D + S) / T, pooled.
        "wer": pl.Float64,
        "wer_errors": pl.Int64,
        "wer_words": pl.Int64,
        # (T - D) / T, pooled: the share of the words for which something was heard. A lost tail shows here.
        "coverage": pl.Float64,
        # Over the gold answers and aliases that the reference holds.
        "entities": pl.Int64,
        "ne_wer": pl.Float64,
        "ne_fnr": pl.Float64,
    }
)

HUMAN_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "condition": pl.String,
        # score, or gap against the reference condition.
        "quantity": pl.String,
        # By the ASR scorer alone, on all answers.
        "raw": pl.Float64,
        # Prediction-powered, from the labels and all scores.
        "estimate": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "se": pl.Float64,
        # The weight of the scorer's own mean, tuned; null where it makes no difference.
        "lam": pl.Float64,
        # Share of the labelled answers on which human and scorer agree, weighted.
        "agreement": pl.Float64,
        "n": pl.Int64,
        "labelled": pl.Int64,
        "undecided": pl.Int64,
        "reason": pl.String,
    }
)
"""`n` counts answers of the condition, `labelled` those with a label, `undecided` those marked "can't tell"."""

CALIBRATED_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "condition": pl.String,
        # Which ends of the gap the ASR scorer has heard, and which are corrected: condition, reference or both.
        "heard": pl.String,
        "raw": pl.Float64,
        "corrected": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        # Of the part of the interval that the items bring; the calibration's variance is added to it.
        "method": pl.String,
        # The part of the standard error that the calibration itself brings.
        "calibration_se": pl.Float64,
        "n": pl.Int64,
        "raw_gap": pl.Float64,
        "corrected_gap": pl.Float64,
        "gap_low": pl.Float64,
        "gap_high": pl.Float64,
        "gap_method": pl.String,
        "gap_calibration_se": pl.Float64,
        "gap_n": pl.Int64,
        # Corrected with q0 over plain foils alone, and over sound-alikes alone, as a sensitivity band.
        "corrected_plain": pl.Float64,
        "corrected_sound_alike": pl.Float64,
        "gap_plain": pl.Float64,
        "gap_sound_alike": pl.Float64,
        # By another ASR scorer, raw, and by the first on the same cells: on items of which both have heard answers.
        "second_scorer": pl.Float64,
        "second_first": pl.Float64,
        "second_n": pl.Int64,
        "second_cells": pl.Int64,
        # Second minus first.
        "second_difference": pl.Float64,
        "second_low": pl.Float64,
        "second_high": pl.Float64,
        "second_method": pl.String,
        "second_gap": pl.Float64,
        "second_first_gap": pl.Float64,
        "second_gap_n": pl.Int64,
        # Which metrics took rates that are not their own.
        "note": pl.String,
        "reason": pl.String,
    }
)
