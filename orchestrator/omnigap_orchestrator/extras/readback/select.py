"""Selects verified items, and compares the gaps over all items, without lost carriers, and over verified items.

An item is kept in all its conditions or in none, so that gaps stay paired.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from omnigap.vocabulary import Modality
from omnigap_orchestrator.analysis import AnalysisOptions
from omnigap_orchestrator.analysis.contrasts import ANSWERED_PAIRS, ITEM_WEIGHTED
from omnigap_orchestrator.analysis.gap import gaps
from omnigap_orchestrator.analysis.options import IntervalOptions, MissingRule
from omnigap_orchestrator.analysis.pairs import item_scores, score_matrices
from omnigap_orchestrator.extension import Selection
from omnigap_orchestrator.extras.readback.check import Verdict, carriers_of, count_all
from omnigap_orchestrator.extras.readback.table import read_verification
from omnigap_orchestrator.pipeline.folder import FolderError, RunFolder
from omnigap_orchestrator.report import formatting

# An item gets the first of these verdicts among its carriers.
_WORST_FIRST = (Verdict.LOST, Verdict.UNREAD, Verdict.DOUBTFUL, Verdict.KEPT, Verdict.OWN)


@dataclass(frozen=True, slots=True)
class Verified:
    """Items by the worst verdict among the carriers that the results used.

    Attributes:
        items: item_id and verdict; `own` if all carriers come with the item, so that nothing was converted.
    """

    items: pl.DataFrame

    @property
    def verified(self) -> pl.Series:
        """Items whose generated carriers are all kept."""
        return self._of(Verdict.KEPT, Verdict.OWN)

    @property
    def not_lost(self) -> pl.Series:
        """Items without a lost carrier."""
        return self._of(*(verdict for verdict in Verdict if verdict is not Verdict.LOST))

    def count(self, *verdicts: Verdict) -> int:
        return self._of(*verdicts).len()

    def _of(self, *verdicts: Verdict) -> pl.Series:
        return self.items.filter(pl.col("verdict").is_in([verdict.value for verdict in verdicts]))["item_id"]


def verified_items(results: pl.DataFrame, verification: pl.DataFrame) -> Verified:
    """The verdict on each item of the results, from the carriers that its cells used.

    Args:
        results: `RESULTS_SCHEMA`; columns item_id, input and input_media are used.
        verification: `VERIFICATION_SCHEMA`. A carrier that is not in it counts as unread.
    """
    used = results.filter(pl.col("input") != Modality.TEXT.value).select("item_id", "input", "input_media").unique()
    known = verification.select("item_id", "modality", "media", "verdict").unique()
    with_verdict = used.join(
        known,
        left_on=["item_id", "input", "input_media"],
        right_on=["item_id", "modality", "media"],
        how="left",
        # Carriers that were not generated have no media hash on either side.
        nulls_equal=True,
    ).with_columns(pl.col("verdict").fill_null(Verdict.UNREAD.value))
    rank = {verdict.value: place for place, verdict in enumerate(_WORST_FIRST)}
    worst = with_verdict.group_by("item_id").agg(pl.col("verdict").replace_strict(rank, return_dtype=pl.Int64).min())
    # An item with text questions only has no carrier that could lose content.
    every = results.select("item_id").unique(maintain_order=True).join(worst, on="item_id", how="left")
    names = {place: verdict for verdict, place in rank.items()}
    own = rank[Verdict.OWN.value]
    verdicts = pl.col("verdict").fill_null(own).replace_strict(names, return_dtype=pl.String)
    return Verified(every.with_columns(verdicts).sort("item_id"))


def only(results: pl.DataFrame, items: pl.Series) -> pl.DataFrame:
    """The rows of some items, in all their conditions."""
    return results.filter(pl.col("item_id").is_in(items.implode()))


ALL, NOT_LOST, VERIFIED = "all", "not_lost", "verified"

_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    # all, not_lost or verified; a selection with the same items as the one before is omitted.
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
"""Item-weighted gaps on answered pairs, for each selection of items."""


def kept_gaps(
    results: pl.DataFrame, verified: Verified, reference: str, rule: MissingRule, options: IntervalOptions
) -> pl.DataFrame:
    """The gaps of each selection of items (`KEPT_GAPS_SCHEMA`), in the order all, not_lost, verified."""
    every = verified.items["item_id"]
    frames, seen = [pl.DataFrame(schema=KEPT_GAPS_SCHEMA)], set()
    for name, items in ((ALL, every), (NOT_LOST, verified.not_lost), (VERIFIED, verified.verified)):
        if items.len() == 0 or items.len() in seen:
            continue
        # Each selection is a subset of the one before, so the same number means the same items.
        seen.add(items.len())
        rows = gaps(score_matrices(item_scores(only(results, items))), reference, rule, options)
        rows = rows.filter((pl.col("pooling") == ITEM_WEIGHTED) & (pl.col("missing") == ANSWERED_PAIRS))
        rows = rows.with_columns(pl.lit(name).alias("items_kept"), pl.lit(items.len(), pl.Int64).alias("items"))
        frames.append(rows.select(KEPT_GAPS_SCHEMA.names()))
    return pl.concat(frames)


LISTED = 200
"""Maximum number of carriers of a verdict in the report."""


@dataclass(frozen=True, slots=True)
class CarrierCheck:
    """A verification and its consequences for the results of the run.

    Attributes:
        table: `VERIFICATION_SCHEMA`.
        verified: items by the worst verdict among their carriers.
        gaps: `KEPT_GAPS_SCHEMA`.
    """

    table: pl.DataFrame
    verified: Verified
    gaps: pl.DataFrame

    def sentence(self) -> str:
        """The sentence for the methods: readers, threshold and counts; empty if nothing was read."""
        kinds = (("image", "images"), ("speech", "recordings"))
        read = self.table.filter(pl.col("reader").is_not_null())
        by = [
            f"{what} by {formatting.listed(sorted(read.filter(modality=kind)['reader'].unique()))}"
            for kind, what in kinds
            if not read.filter(modality=kind).is_empty()
        ]
        if not by:
            return ""
        total, limit = count_all(self.table), 100 * read["max_word_error"][0]
        return (
            f"Generated carriers were read back ({formatting.listed(by)}); a carrier was kept if its word error rate "
            f"was at most {limit:g} % and every number, name, negation, choice and choice letter was read back: "
            f"{total.kept:,} of {total.generated:,} ({total.doubtful:,} doubtful, {total.lost:,} lost, "
            f"{total.unread:,} unread)."
        )

    def listed(self, *verdicts: Verdict) -> pl.DataFrame:
        """The carriers of some verdicts, one row each, at most `LISTED`."""
        found = carriers_of(self.table).filter(pl.col("verdict").is_in([verdict.value for verdict in verdicts]))
        return found.sort("modality", "item_id", "variant").head(LISTED)

    def media(self) -> Iterator[str]:
        """The media that the report section shows, lost carriers first."""
        for verdict in (Verdict.LOST, Verdict.DOUBTFUL):
            yield from self.listed(verdict)["media"].drop_nulls()


def carrier_check(folder: RunFolder, results: pl.DataFrame, options: AnalysisOptions) -> CarrierCheck | None:
    """The verification and the gaps of its selections; None if the run has no verification."""
    table = read_verification(folder)
    if table is None:
        return None
    verified = verified_items(results, table)
    gaps = kept_gaps(results, verified, options.reference, options.missing, options.intervals)
    return CarrierCheck(table, verified, gaps)


def select_verified(folder: RunFolder, results: pl.DataFrame, controls: pl.DataFrame | None) -> Selection:
    """The results and control cells of the verified items.

    Raises:
        FolderError: the run has no verification, or no verified items.
    """
    verification = read_verification(folder)
    items, total = _items(folder, None if verification is None else verified_items(results, verification))
    note = (
        f"All tables and charts use only the {items.len()} of {total} items whose generated carriers are all kept "
        "(--verified-only); results.parquet has all items."
    )
    return Selection(only(results, items), None if controls is None else only(controls, items), note)


def verified_part(table: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of verified items in the table of results of a run.

    Args:
        table: the file that the frame was read from; verification.parquet must be in the same folder.

    Raises:
        FolderError: there are no verified items, or the table is not the results.parquet of a run.
    """
    folder = RunFolder(table.parent)
    needed = ("input", "input_media")
    if lacking := [name for name in needed if name not in frame.columns]:
        raise FolderError(
            f"--verified-only: {table} has no column {', '.join(lacking)}: give the results.parquet of a run"
        )
    verification = read_verification(folder)
    items, _ = _items(folder, None if verification is None else verified_items(frame, verification))
    return only(frame, items)


def _items(folder: RunFolder, verified: Verified | None) -> tuple[pl.Series, int]:
    """The verified items, and the number of all items; raises FolderError if there are none."""
    command = f"`omnigap-orchestrate verify --run-dir {folder.root}`"
    if verified is None:
        raise FolderError(f"--verified-only: the carriers of {folder.root} were not read back: run {command} first")
    items, total = verified.verified, verified.items.height
    if items.is_empty():
        raise FolderError(
            f"--verified-only: none of the {total} items of {folder.root} is verified: {command} lists the reasons"
        )
    return items, total
