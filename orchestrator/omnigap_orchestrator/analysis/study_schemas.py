"""The tables of the studies beyond the gaps: consistency, waterfall, power, equivalence, variance, routing."""

from __future__ import annotations

import polars as pl

from omnigap_orchestrator.analysis.schemas import CONTRAST_COLUMNS

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

CONSISTENCY_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        # RER, CFR, MMC, all_right or all_wrong.
        "measure": pl.String,
        "conditions": pl.Int64,
        "estimate": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "method": pl.String,
        "n": pl.Int64,
        "clusters": pl.Int64,
        "planned": pl.Int64,
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

WATERFALL_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "condition": pl.String,
        "order": pl.Int64,
        # A step's name, and last "gap", the sum of the steps.
        "step": pl.String,
        "formula": pl.String,
        "estimate": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "method": pl.String,
        "n": pl.Int64,
        "clusters": pl.Int64,
        "planned": pl.Int64,
        "lacking": pl.Int64,
        "reason": pl.String,
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
        # The part of the standard error that the calibration itself brings.
        "calibration_se": pl.Float64,
        "n": pl.Int64,
        "raw_gap": pl.Float64,
        "corrected_gap": pl.Float64,
        "gap_low": pl.Float64,
        "gap_high": pl.Float64,
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
