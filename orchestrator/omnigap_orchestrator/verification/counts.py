"""Carriers by verdict, for tables, the terminal and the exit code."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from omnigap_orchestrator.verification.verdict import Verdict

_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "modality": pl.String,
    "language": pl.String,
    "carriers": pl.Int64,
    **{verdict.value: pl.Int64 for verdict in Verdict},
    # Names of who read, and pooled word errors of their best readings.
    "readers": pl.String,
    "word_error": pl.Float64,
}
COUNTS_SCHEMA = pl.Schema(_COLUMNS)
"""One row for each modality and language; carriers = kept + doubtful + lost + own + unread."""


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
    """Carriers by verdict, for each modality and language (`COUNTS_SCHEMA`)."""
    readers = verification.group_by("modality", "language").agg(
        pl.col("reader").drop_nulls().unique().sort().str.join(", ").alias("readers")
    )
    by = carriers_of(verification).group_by("modality", "language")
    table = by.agg(
        pl.len().cast(pl.Int64).alias("carriers"),
        *((pl.col("verdict") == verdict.value).sum().cast(pl.Int64).alias(verdict.value) for verdict in Verdict),
        pl.when(pl.col("words").sum() > 0).then(pl.col("errors").sum() / pl.col("words").sum()).alias("word_error"),
    )
    joined = table.join(readers, on=["modality", "language"]).select(list(COUNTS_SCHEMA))
    return joined.sort("modality", "language", descending=[True, False])


def found(verification: pl.DataFrame) -> Found:
    """Carriers by verdict, all together."""
    table = counts(verification)
    return Found(*(int(table[verdict.value].sum()) for verdict in Verdict))
