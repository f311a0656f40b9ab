"""The headline gaps on all items, without those that lost content, and on verified items alone, side by side."""

from __future__ import annotations

import polars as pl

from omnigap_orchestrator.analysis.gaps.contrasts import ANSWERED_PAIRS, ITEM_WEIGHTED
from omnigap_orchestrator.analysis.gaps.gap import gaps
from omnigap_orchestrator.analysis.options import IntervalOptions, MissingRule
from omnigap_orchestrator.analysis.scores.pairs import item_scores, score_matrices
from omnigap_orchestrator.extras.readback.chosen import Verified, only

ALL, NOT_LOST, VERIFIED = "all", "not_lost", "verified"

_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    # all, not_lost or verified; a choice that leaves the same items as the one before is left out.
    "items_kept": pl.String,
    "items": pl.Int64,
    "model": pl.String,
    "condition": pl.String,
    "reference": pl.String,
    "estimate": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "method": pl.String,
    "n": pl.Int64,
    "lacking": pl.Int64,
    "reason": pl.String,
}
KEPT_GAPS_SCHEMA = pl.Schema(_COLUMNS)
"""Item-weighted gaps on answered pairs, once for each choice of items."""


def kept_gaps(
    results: pl.DataFrame, verified: Verified, reference: str, rule: MissingRule, options: IntervalOptions
) -> pl.DataFrame:
    """The gaps of each choice of items (`KEPT_GAPS_SCHEMA`), in the order all, not_lost, verified."""
    every = verified.items["item_id"]
    frames, seen = [pl.DataFrame(schema=KEPT_GAPS_SCHEMA)], set()
    for name, items in ((ALL, every), (NOT_LOST, verified.not_lost), (VERIFIED, verified.verified)):
        if items.len() == 0 or items.len() in seen:
            continue
        seen.add(items.len())  # Each choice is a part of the one before: as many items are the same items.
        rows = gaps(score_matrices(item_scores(only(results, items))), reference, rule, options)
        rows = rows.filter((pl.col("pooling") == ITEM_WEIGHTED) & (pl.col("missing") == ANSWERED_PAIRS))
        rows = rows.with_columns(pl.lit(name).alias("items_kept"), pl.lit(items.len(), pl.Int64).alias("items"))
        frames.append(rows.select(KEPT_GAPS_SCHEMA.names()))
    return pl.concat(frames)
