"""How many items a study takes to show a gap: from a pilot's own scores, or from assumed accuracies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from omnigap_orchestrator.analysis.power.sample_size import (
    paired_variance,
    pairs_needed,
    pairs_needed_for_equivalence,
    phi_range,
    power_table,
)
from omnigap_orchestrator.analysis.rows import schema_of
from omnigap_orchestrator.analysis.scores.pairs import ModelScores


@dataclass(frozen=True, slots=True)
class NeedRow:
    """Items that one gap takes."""

    # Null where nothing was measured: the row is an assumption.
    model: str | None
    condition: str | None
    # Items of the pilot that had both scores.
    n: int | None
    reference_accuracy: float | None
    accuracy: float | None
    phi: float | None
    design_effect: float | None
    # Items for the gap alone, for it in the worst place of Holm's procedure, and to show that there is none.
    needed: int | None
    needed_holm: int | None
    needed_for_equivalence: int | None


NEEDS_SCHEMA = schema_of(NeedRow)

ASSUMED_PHIS = (0.0, 0.15, 0.3, 0.5, 0.7)
"""From independent to strongly paired. On real omni models 0.15 to 0.25 was measured between distant conditions."""


def pilot_needs(
    pilot: Sequence[ModelScores], reference: str, target_gap: float, power: float = 0.8, alpha: float = 0.05
) -> pl.DataFrame:
    """What each gap of a pilot asks for at `target_gap`, with the pilot's own phi, variance and clusters.

    `needed_holm` holds in the worst place of Holm's procedure, at alpha over the number of the model's contrasts.

    Returns:
        A frame of `NEEDS_SCHEMA`.
    """
    single = power_table(pilot, reference, target_gap, power, alpha)
    parts = [single.head(0).with_columns(needed_holm=pl.lit(None, pl.Int64))]
    for scores in pilot:
        ours = single.filter(pl.col("model") == scores.model)
        if not ours.is_empty():
            strict = power_table([scores], reference, target_gap, power, alpha / ours.height)
            parts.append(ours.with_columns(needed_holm=strict["needed"]))
    return pl.concat(parts).select(NEEDS_SCHEMA.names()).cast(NEEDS_SCHEMA)


def assumed_needs(
    accuracy: float, target_gap: float, power: float = 0.8, alpha: float = 0.05, contrasts: int = 5
) -> pl.DataFrame:
    """What a gap takes where nothing was measured yet: `accuracy` falls by `target_gap`, for each of `ASSUMED_PHIS`.

    Raises:
        ValueError: an accuracy or a gap that leaves [0, 1].
    """
    lower = accuracy - target_gap
    paired_variance(accuracy, lower, 0.0)  # refuses what is no accuracy
    low, high = phi_range(accuracy, lower)
    rows: list[tuple[object, ...]] = []
    for phi in ASSUMED_PHIS:
        if low <= phi <= high:
            variance = paired_variance(accuracy, lower, phi)
            needed = [pairs_needed(variance, target_gap, power, level) for level in (alpha, alpha / contrasts)]
            none = pairs_needed_for_equivalence(variance, target_gap, power, alpha)
            rows.append((None, None, None, accuracy, lower, phi, 1.0, *needed, none))
    return pl.DataFrame(rows, schema=NEEDS_SCHEMA, orient="row")
