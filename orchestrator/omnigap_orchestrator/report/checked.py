"""What the report is told of the carriers: who read them back, what became of each, and the gaps that this leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from omnigap_orchestrator.extras.readback.chosen import Verified
from omnigap_orchestrator.extras.readback.counts import carriers_of, found
from omnigap_orchestrator.extras.readback.verdict import Verdict
from omnigap_orchestrator.report import words

MEDIA_BUDGET = 4_000_000
"""Bytes of base64 that pictures and recordings of the section may add to the page; the others are linked."""

LISTED = 200


@dataclass(frozen=True, slots=True)
class CarrierCheck:
    """A verification, and what follows from it for these results.

    Attributes:
        table: `VERIFICATION_SCHEMA`.
        verified: items by the worst verdict among their carriers.
        gaps: `KEPT_GAPS_SCHEMA`.
    """

    table: pl.DataFrame
    verified: Verified
    gaps: pl.DataFrame

    def sentence(self) -> str:
        """For the methods paragraph: who read what back, by which rule, and what came of it."""
        kinds = (("image", "images"), ("speech", "recordings"))
        read = self.table.filter(pl.col("reader").is_not_null())
        by = [
            f"{what} by {words.listed(sorted(read.filter(modality=kind)['reader'].unique()))}"
            for kind, what in kinds
            if not read.filter(modality=kind).is_empty()
        ]
        if not by:
            return ""
        total, limit = found(self.table), 100 * read["max_word_error"][0]
        made = total.kept + total.doubtful + total.lost + total.unread
        return (
            f"Made carriers were read back, {words.listed(by)}, and kept where word error was at most {limit:g} % and "
            f"every number, name, negation, choice and choice letter came back: {total.kept:,} of {made:,} "
            f"({total.doubtful:,} doubtful, {total.lost:,} lost, {total.unread:,} unread)."
        )

    def listed(self, *verdicts: Verdict) -> pl.DataFrame:
        """The carriers of some verdicts, one row each, at most so many as a page can list."""
        found = carriers_of(self.table).filter(pl.col("verdict").is_in([verdict.value for verdict in verdicts]))
        return found.sort("modality", "item_id", "variant").head(LISTED)

    def media(self) -> Iterator[str]:
        """The media that the section shows, what was lost first."""
        for verdict in (Verdict.LOST, Verdict.DOUBTFUL):
            yield from self.listed(verdict)["media"].drop_nulls()
