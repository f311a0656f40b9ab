"""Selects the entries of the item browser: a stratified sample, flips first, if a run has more than a page can hold."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from omnigap.vocabulary import REFERENCE, Outcome

RIGHT_FROM = 0.5
"""A score of at least this counts as right in the browser. Tables use the score itself."""

FLIP_SHARE = 0.75
"""Largest share of flips in a sample: answers that did not flip must be visible too."""

ENTRY = ("model", "item_id", "replicate")


@dataclass(frozen=True, slots=True)
class EntrySample:
    """The entries of the browser; an entry is one item, model and replicate: up to six cells.

    Attributes:
        entries: columns model, item_id, replicate, flips (number of conditions that are wrong while t2t is right);
            most flips first.
        total: number of entries of the run.
        flipped: number of those with a flip.
    """

    entries: pl.DataFrame
    total: int
    flipped: int

    @property
    def is_partial(self) -> bool:
        return self.entries.height < self.total


def sample_entries(results: pl.DataFrame, limit: int) -> EntrySample:
    """Sorts all entries by their number of flips, and keeps `limit` of them, balanced over model x task."""
    right = pl.col("score") >= RIGHT_FROM
    wrong = (pl.col("score") < RIGHT_FROM) & (pl.col("outcome") == Outcome.ANSWERED.value)
    is_reference = pl.col("condition") == REFERENCE.name
    entries = (
        results.group_by(*ENTRY)
        .agg(
            pl.col("task").first(),
            (right & is_reference).any().fill_null(False).alias("known"),
            wrong.fill_null(False).sum().alias("wrong"),
        )
        .with_columns(pl.when("known").then("wrong").otherwise(0).cast(pl.Int32).alias("flips"))
        # A seeded hash of the item id instead of a random draw: the same report from the same run, on every machine,
        # and independent of the order of the items file.
        .with_columns((pl.col("flips") > 0).alias("flipped"), pl.col("item_id").hash(seed=7).alias("draw"))
        # Rank within the stratum; taking entries by rank takes them round-robin over the strata.
        .with_columns(
            pl.struct(-pl.col("flips"), "draw", "item_id", "replicate")
            .rank("ordinal")
            .over("model", "task", "flipped")
            .alias("rank")
        )
    )
    total, flipped = entries.height, int(entries["flipped"].sum())
    ordered = entries.sort("rank", "task", "model", "item_id", "replicate")
    if total > limit:
        flips, others = ordered.filter("flipped"), ordered.filter(~pl.col("flipped"))
        # Each part may use the places that the other leaves empty.
        places = max(round(limit * FLIP_SHARE), limit - others.height)
        ordered = pl.concat([flips.head(places), others.head(limit - min(places, flips.height))])
    ordered = ordered.sort("flips", "rank", "task", "model", "item_id", "replicate", descending=[True] + [False] * 5)
    return EntrySample(ordered.select(*ENTRY, "flips"), total, flipped)
