"""From readings to a verdict on each carrier: kept, doubtful or lost; a reader's error is not yet a carrier's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from omnigap_orchestrator.extras.readback.compare import Comparison

"""Word error up to which a reading counts as the whole question, if no key piece is missing."""

LOST_SHARE = 0.5
LOST_RUN = 3
"""Words in a row for which nothing came back, from which the carrier itself is held to lack them; in scripts that are
counted in characters twice as many."""

ENOUGH_READ = 5
ABLE_SHARE = 0.5
"""A reader may call a carrier lost where it read so many made the same way, and kept so large a share of them."""


class Verdict(StrEnum):
    """What became of one carrier."""

    KEPT = "kept"
    DOUBTFUL = "doubtful"
    LOST = "lost"
    # The item brought it along: nothing was converted, and its words are not known.
    OWN = "own"
    UNREAD = "unread"


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reader made of one carrier; `reader` is its name, and tells it from others."""

    reader: str
    digest: str
    text: str
    comparison: Comparison
    characters: bool = False

    def kept(self, limit: float) -> bool:
        """Whether the whole question came back."""
        return not self.comparison.missing and self.comparison.word_error <= limit


@dataclass(frozen=True, slots=True)
class Ability:
    """How many carriers made in one way a reader read, and how many of them it read back whole."""

    read: int = 0
    kept: int = 0

    @property
    def able(self) -> bool:
        return self.read >= ENOUGH_READ and self.kept >= ABLE_SHARE * self.read


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict with its reason, empty where the carrier was kept."""

    verdict: Verdict
    why: str = ""


def abilities(
    readings: Iterable[tuple[Hashable, Sequence[Reading]]], limit: float
) -> Mapping[Hashable, Mapping[str, Ability]]:
    """What each reader showed it can do with the carriers of each group: group -> reader -> its ability.

    Args:
        readings: of each carrier its group (how it was made, and in which language) and its readings.
    """
    read: dict[Hashable, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for group, found in readings:
        for reading in found:
            read[group][reading.reader].append(reading.kept(limit))
    return {
        group: {reader: Ability(len(kept), sum(kept)) for reader, kept in by_reader.items()}
        for group, by_reader in read.items()
    }


def judge(
    readings: Sequence[Reading], alike: Mapping[str, Ability], at_all: Mapping[str, Ability], limit: float
) -> Judged:
    """The verdict on a carrier that at least one reader read.

    One reader that reads the whole question back proves that it is there. That none does proves little: only a reader
    that can read others of its kind may say that content is lost, and only where at least half of the words, or a run
    of them, have no trace; or where two such readers miss the same key piece.

    Args:
        alike: reader -> its ability with carriers of this modality, language and making.
        at_all: with all of this modality and language. Who reads nothing at all in a carrier need not know its font or
            voice, as long as it reads others.
    """
    if any(reading.kept(limit) for reading in readings):
        return Judged(Verdict.KEPT)
    best = min(readings, key=lambda r: (r.comparison.word_error, len(r.comparison.missing)))
    judges = [
        reading
        for reading in readings
        if (at_all if not reading.text.strip() else alike).get(reading.reader, Ability()).able
    ]
    if judges:
        traces = [_without_trace(reading) for reading in judges]
        if all(traces):
            return Judged(Verdict.LOST, traces[0])
        # A reading without a trace misses everything, and agrees with any other.
        read = [reading for reading, gone in zip(judges, traces, strict=True) if not gone]
        agreed = set.intersection(*(set(reading.comparison.missing) for reading in read))
        if agreed and len({reading.reader for reading in read}) > 1:
            return Judged(Verdict.LOST, f"{len(read)} readers miss {', '.join(sorted(agreed))}")
    why = _shortfall(best, limit)
    if not judges:
        shown = alike.get(best.reader, Ability())
        why += f"; {best.reader} read {shown.kept} of {shown.read} such carriers back whole, and can't call one lost"
    return Judged(Verdict.DOUBTFUL, why)


def _without_trace(reading: Reading) -> str:
    """Why a reading shows content to be gone, and not merely misread; empty where it does not."""
    compared, unit = reading.comparison, "characters" if reading.characters else "words"
    if not reading.text.strip():
        return "nothing was read in it"
    if compared.words and compared.gone >= LOST_SHARE * compared.words:
        return f"{compared.gone} of {compared.words} {unit} left no trace"
    if compared.gap >= (2 * LOST_RUN if reading.characters else LOST_RUN):
        return f"{compared.gap} {unit} in a row left no trace"
    return ""


def _shortfall(reading: Reading, limit: float) -> str:
    compared = reading.comparison
    parts = [f"missing: {', '.join(compared.missing)}"] if compared.missing else []
    if compared.word_error > limit:
        parts.append(f"word error {100 * compared.word_error:.0f} %, over {100 * limit:.0f} %")
    return "; ".join(parts)


# Carriers by verdict, for tables, the terminal and the exit code.

_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "modality": pl.String,
    "language": pl.String,
    # Voice and rate, or font and size, as far as a run varies them; else empty.
    "made_as": pl.String,
    "carriers": pl.Int64,
    **{verdict.value: pl.Int64 for verdict in Verdict},
    # Names of who read, and pooled word errors of their best readings.
    "readers": pl.String,
    "word_error": pl.Float64,
}
COUNTS_SCHEMA = pl.Schema(_COLUMNS)
"""One row for each modality, language and way of making; carriers = kept + doubtful + lost + own + unread."""


@dataclass(frozen=True, slots=True)
class Found:
    """Carriers in all, over modalities."""

    kept: int
    doubtful: int
    lost: int
    own: int
    unread: int


def carriers_of(verification: pl.DataFrame) -> pl.DataFrame:
    """One row a carrier, with the reading of its that is nearest to what it should say."""
    order = ["word_error", pl.col("missing").list.len()]
    return verification.sort(order, nulls_last=True, maintain_order=True).unique(
        ["item_id", "modality", "variant"], keep="first", maintain_order=True
    )


def counts(verification: pl.DataFrame) -> pl.DataFrame:
    """Carriers by verdict, for each modality, language and way of making (`COUNTS_SCHEMA`)."""
    keys = ["modality", "language", "made_as"]
    verification = verification.with_columns(_made_as(verification).alias("made_as"))
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
    return joined.sort(keys, descending=[True, False, False])


def _made_as(verification: pl.DataFrame) -> pl.Expr:
    """What tells a carrier from others of its modality: what varies of voice, rate, font, size and colour."""
    making = (
        ("voice", pl.col("voice")),
        ("words_per_minute", pl.format("{} words a minute", pl.col("words_per_minute").round().cast(pl.Int64))),
        ("font", pl.col("font").str.split("/").list.last()),
        ("font_size", pl.format("{} px", "font_size")),
        ("colour", pl.col("colour")),
    )
    varied = [words for name, words in making if verification[name].drop_nulls().n_unique() > 1]
    return pl.concat_str(varied, separator=", ", ignore_nulls=True) if varied else pl.lit("")


def found(verification: pl.DataFrame) -> Found:
    """Carriers by verdict, all together."""
    table = counts(verification)
    return Found(*(int(table[verdict.value].sum()) for verdict in Verdict))
