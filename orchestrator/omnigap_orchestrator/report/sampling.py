"""Which cells the item browser shows when a run has more than a page can hold: a stratified part, flips first."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from omnigap.vocabulary import REFERENCE, Outcome

RIGHT_FROM = 0.5
"""A score of at least this counts as right in the browser. Tables use the score itself."""

FLIP_SHARE = 0.75
"""At most this part of a cut selection are flips, so that what did not flip can be seen too."""

ENTRY = ("model", "item_id", "replicate")


@dataclass(frozen=True, slots=True)
class Picked:
    """The browser's entries; an entry is one item, asked of one model once: six cells.

    Attributes:
        entries: columns model, item_id, replicate, flips (conditions wrong where t2t is right), in order, flips first.
        total: entries that the run has. flipped: those among them with a flip.
    """

    entries: pl.DataFrame
    total: int
    flipped: int

    @property
    def cut(self) -> bool:
        return self.entries.height < self.total


def pick_entries(results: pl.DataFrame, limit: int) -> Picked:
    """Orders all entries, most flipped conditions first, and keeps `limit`, evenly over model x task.

    Within a stratum the order is by a hash of the item's id: the same on every machine, and not the order of the file.
    """
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
        .with_columns((pl.col("flips") > 0).alias("flipped"), pl.col("item_id").hash(seed=7).alias("draw"))
        .with_columns(
            pl.struct(-pl.col("flips"), "draw", "item_id", "replicate")
            .rank("ordinal")
            .over("model", "task", "flipped")
            .alias("turn")
        )
    )
    total, flipped = entries.height, int(entries["flipped"].sum())
    ordered = entries.sort("turn", "task", "model", "item_id", "replicate")
    if total > limit:
        flips, others = ordered.filter("flipped"), ordered.filter(~pl.col("flipped"))
        room = max(round(limit * FLIP_SHARE), limit - others.height)
        ordered = pl.concat([flips.head(room), others.head(limit - min(room, flips.height))])
    ordered = ordered.sort("flips", "turn", "task", "model", "item_id", "replicate", descending=[True] + [False] * 5)
    return Picked(ordered.select(*ENTRY, "flips"), total, flipped)
