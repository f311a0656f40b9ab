"""Carriers by verdict, for tables, the terminal and the exit code."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from omnigap_orchestrator.extras.readback.verdict import Verdict

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
