"""Which items a verification leaves: an item stays in all its conditions or in none, so that pairs stay pairs."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from omnigap.vocabulary import Modality
from omnigap_orchestrator.extras.readback.verdict import Verdict

_WORST_FIRST = (Verdict.LOST, Verdict.UNREAD, Verdict.DOUBTFUL, Verdict.KEPT, Verdict.OWN)


@dataclass(frozen=True, slots=True)
class Verified:
    """Items by the worst verdict among the carriers that the results used.

    Attributes:
        items: item_id and verdict. An item that brings all its carriers along is `own`: nothing of it was converted.
    """

    items: pl.DataFrame

    @property
    def verified(self) -> pl.Series:
        """Items of which every made carrier was read back whole."""
        return self._of(Verdict.KEPT, Verdict.OWN)

    @property
    def not_lost(self) -> pl.Series:
        """All items but those with a lost carrier."""
        return self._of(*(verdict for verdict in Verdict if verdict is not Verdict.LOST))

    def count(self, *verdicts: Verdict) -> int:
        return self._of(*verdicts).len()

    def _of(self, *verdicts: Verdict) -> pl.Series:
        return self.items.filter(pl.col("verdict").is_in([verdict.value for verdict in verdicts]))["item_id"]


def verified_items(results: pl.DataFrame, verification: pl.DataFrame) -> Verified:
    """Judges each item of the results by the carriers that its cells used.

    Args:
        results: `RESULTS_SCHEMA`; columns item_id, input and input_media are read.
        verification: `VERIFICATION_SCHEMA`. A carrier that it does not hold counts as unread.
    """
    used = results.filter(pl.col("input") != Modality.TEXT.value).select("item_id", "input", "input_media").unique()
    known = verification.select("item_id", "modality", "media", "verdict").unique()
    found = used.join(
        known,
        left_on=["item_id", "input", "input_media"],
        right_on=["item_id", "modality", "media"],
        how="left",
        nulls_equal=True,
    ).with_columns(pl.col("verdict").fill_null(Verdict.UNREAD.value))
    rank = {verdict.value: place for place, verdict in enumerate(_WORST_FIRST)}
    worst = found.group_by("item_id").agg(pl.col("verdict").replace_strict(rank, return_dtype=pl.Int64).min())
    # An item that is only typed has no carrier to lose anything.
    every = results.select("item_id").unique(maintain_order=True).join(worst, on="item_id", how="left")
    names = {place: verdict for verdict, place in rank.items()}
    own = rank[Verdict.OWN.value]
    verdicts = pl.col("verdict").fill_null(own).replace_strict(names, return_dtype=pl.String)
    return Verified(every.with_columns(verdicts).sort("item_id"))


def only(results: pl.DataFrame, items: pl.Series) -> pl.DataFrame:
    """The rows of some items, in all their conditions."""
    return results.filter(pl.col("item_id").is_in(items.implode()))
