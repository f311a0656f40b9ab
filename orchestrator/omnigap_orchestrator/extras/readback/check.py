"""Decides from the readbacks of a carrier whether it is kept, doubtful or lost, and counts carriers by verdict.

A reader (OCR or ASR) makes errors itself, so one bad readback does not make a carrier lost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from omnigap_orchestrator.extras.readback.compare import Comparison

# A carrier may be lost if this share of its words, or this many consecutive words, have no trace in the readback; in
# scripts that are compared by characters, twice as many characters. Single words are more often the reader's error.
LOST_SHARE = 0.5
LOST_RUN = 3

# A reader is reliable if it has read this many carriers of a kind, and this share of them is kept. Only a reliable
# reader can make a carrier lost: a reader that does not know a voice or font finds no trace of anything.
MIN_READ = 5
MIN_KEPT_SHARE = 0.5


class Verdict(StrEnum):
    """Verdict on one carrier; a column of verification.parquet."""

    KEPT = "kept"
    DOUBTFUL = "doubtful"
    LOST = "lost"
    # The carrier comes with the item: nothing was converted, and its text is unknown.
    OWN = "own"
    UNREAD = "unread"


@dataclass(frozen=True, slots=True)
class Readback:
    """The text that one reader read from one carrier, compared with the expected text.

    Attributes:
        reader: name, unique among the readers of the run.
        digest: digest of the reader.
        characters: the units of `comparison` are characters instead of words.
    """

    reader: str
    digest: str
    text: str
    comparison: Comparison
    characters: bool = False

    def kept(self, limit: float) -> bool:
        """Whether the question was read back completely, up to a word error rate of `limit`."""
        return not self.comparison.missing and self.comparison.word_error <= limit


@dataclass(frozen=True, slots=True)
class ReaderStats:
    """How many carriers of one kind a reader has read, and how many of them are kept."""

    read: int = 0
    kept: int = 0

    @property
    def reliable(self) -> bool:
        return self.read >= MIN_READ and self.kept >= MIN_KEPT_SHARE * self.read


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with its reason; the reason is empty for a kept carrier."""

    verdict: Verdict
    why: str = ""


def reader_stats(
    readbacks: Iterable[tuple[Hashable, Sequence[Readback]]], limit: float
) -> Mapping[Hashable, Mapping[str, ReaderStats]]:
    """Statistics of the readers for each group of carriers: group -> reader -> stats.

    Args:
        readbacks: for each carrier its group (such as modality, language and voice) and its readbacks.
        limit: largest word error rate of a kept carrier.
    """
    kept_of: dict[Hashable, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for group, of_carrier in readbacks:
        for readback in of_carrier:
            kept_of[group][readback.reader].append(readback.kept(limit))
    return {
        group: {reader: ReaderStats(len(kept), sum(kept)) for reader, kept in by_reader.items()}
        for group, by_reader in kept_of.items()
    }


def decide(
    readbacks: Sequence[Readback],
    same_rendering: Mapping[str, ReaderStats],
    same_language: Mapping[str, ReaderStats],
    limit: float,
) -> Decision:
    """The verdict on a carrier with at least one readback.

    Kept: one reader read the whole question. Lost: reliable readers find no trace of half of the words or of a run of
    words, or two reliable readers miss the same key piece. Otherwise doubtful.

    Args:
        same_rendering: reader -> stats for carriers of this modality, language and rendering (voice or font).
        same_language: reader -> stats for all carriers of this modality and language.
        limit: largest word error rate of a kept carrier.
    """
    if any(readback.kept(limit) for readback in readbacks):
        return Decision(Verdict.KEPT)
    best = min(readbacks, key=lambda r: (r.comparison.word_error, len(r.comparison.missing)))
    # A reader that returns nothing at all may be reliable with other fonts or voices only: even an unknown voice leaves
    # some text, so an empty readback means that the carrier is empty.
    reliable = [
        readback
        for readback in readbacks
        if (same_rendering if readback.text.strip() else same_language).get(readback.reader, ReaderStats()).reliable
    ]
    if reliable:
        losses = [_loss(readback) for readback in reliable]
        if all(losses):
            return Decision(Verdict.LOST, losses[0])
        # Readbacks without a trace are left out: they miss every key piece, so they agree with any other readback.
        partial = [readback for readback, loss in zip(reliable, losses, strict=True) if not loss]
        agreed = set.intersection(*(set(readback.comparison.missing) for readback in partial))
        if agreed and len({readback.reader for readback in partial}) > 1:
            return Decision(Verdict.LOST, f"{len(partial)} readers miss {', '.join(sorted(agreed))}")
    reason = _shortfall(best, limit)
    if not reliable:
        stats = same_rendering.get(best.reader, ReaderStats())
        reason += f"; {best.reader} kept {stats.kept} of {stats.read} such carriers, too few to decide that one is lost"
    return Decision(Verdict.DOUBTFUL, reason)


def _loss(readback: Readback) -> str:
    """How a readback shows that content is missing from the carrier, not only misread; empty if it does not."""
    compared, unit = readback.comparison, "characters" if readback.characters else "words"
    if not readback.text.strip():
        return "no text was read"
    if compared.words and compared.gone >= LOST_SHARE * compared.words:
        return f"no trace of {compared.gone} of {compared.words} {unit}"
    if compared.gap >= (2 * LOST_RUN if readback.characters else LOST_RUN):
        return f"no trace of {compared.gap} consecutive {unit}"
    return ""


def _shortfall(readback: Readback, limit: float) -> str:
    """Why a readback does not make the carrier kept."""
    compared = readback.comparison
    parts = [f"missing: {', '.join(compared.missing)}"] if compared.missing else []
    if compared.word_error > limit:
        parts.append(f"word error rate {100 * compared.word_error:.0f} %, limit {100 * limit:.0f} %")
    return "; ".join(parts)


_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "modality": pl.String,
    "language": pl.String,
    # The properties that vary within the run (voice and rate, or font, size and colour); else empty.
    "made_as": pl.String,
    "carriers": pl.Int64,
    **{verdict.value: pl.Int64 for verdict in Verdict},
    # Names of the readers, and the pooled word error rate of the best readbacks.
    "readers": pl.String,
    "word_error": pl.Float64,
}
COUNTS_SCHEMA = pl.Schema(_COLUMNS)
"""One row for each modality, language and rendering; carriers = kept + doubtful + lost + own + unread."""


@dataclass(frozen=True, slots=True)
class VerdictCounts:
    """Number of carriers by verdict, over all modalities."""

    kept: int
    doubtful: int
    lost: int
    own: int
    unread: int

    @property
    def generated(self) -> int:
        """Carriers that omnigap generated: all but those that come with the items."""
        return self.kept + self.doubtful + self.lost + self.unread


def carriers_of(verification: pl.DataFrame) -> pl.DataFrame:
    """One row per carrier, with its best readback: the lowest word error rate, then the fewest missing pieces."""
    # The best readback, because a good one proves that the content is there. Nulls are carriers without a readback.
    order = ["word_error", pl.col("missing").list.len()]
    return verification.sort(order, nulls_last=True, maintain_order=True).unique(
        ["item_id", "modality", "variant"], keep="first", maintain_order=True
    )


def count_by_rendering(verification: pl.DataFrame) -> pl.DataFrame:
    """Number of carriers by verdict, for each modality, language and rendering (`COUNTS_SCHEMA`)."""
    keys = ["modality", "language", "made_as"]
    verification = verification.with_columns(_rendering(verification).alias("made_as"))
    readers = verification.group_by(keys).agg(
        pl.col("reader").drop_nulls().unique().sort().str.join(", ").alias("readers")
    )
    by = carriers_of(verification).group_by(keys)
    table = by.agg(
        pl.len().cast(pl.Int64).alias("carriers"),
        *((pl.col("verdict") == verdict.value).sum().cast(pl.Int64).alias(verdict.value) for verdict in Verdict),
        pl.when(pl.col("words").sum() > 0).then(pl.col("errors").sum() / pl.col("words").sum()).alias("word_error"),
    )
    joined = table.join(readers, on=keys).select(list(COUNTS_SCHEMA))
    # Speech before image, as in the tables of conditions.
    return joined.sort(keys, descending=[True, False, False])


def _rendering(verification: pl.DataFrame) -> pl.Expr:
    """The properties of a carrier that vary within the run: voice, rate, font, size, colour."""
    properties = (
        ("voice", pl.col("voice")),
        ("words_per_minute", pl.format("{} words a minute", pl.col("words_per_minute").round().cast(pl.Int64))),
        ("font", pl.col("font").str.split("/").list.last()),
        ("font_size", pl.format("{} px", "font_size")),
        ("colour", pl.col("colour")),
    )
    varied = [words for name, words in properties if verification[name].drop_nulls().n_unique() > 1]
    return pl.concat_str(varied, separator=", ", ignore_nulls=True) if varied else pl.lit("")


def count_all(verification: pl.DataFrame) -> VerdictCounts:
    """Number of carriers by verdict."""
    table = count_by_rendering(verification)
    return VerdictCounts(*(int(table[verdict.value].sum()) for verdict in Verdict))
