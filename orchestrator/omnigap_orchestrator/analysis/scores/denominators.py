"""What became of the planned cells, per model and condition: every later denominator is counted here."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from omnigap.vocabulary import Outcome
from omnigap_orchestrator.analysis.rows import schema_of
from omnigap_orchestrator.analysis.scores.pairs import CONDITION_ORDER, is_scored
from omnigap_orchestrator.analysis.table import Table


@dataclass(frozen=True, slots=True)
class ConditionRow:
    """Per model and condition: cells = planned + unsupported, planned = answered + failed + pending,
    answered = scored + unscored."""

    model: str
    architecture: str | None
    condition: str
    support: str | None
    items: int
    cells: int
    planned: int
    answered: int
    scored: int
    unscored: int
    unsupported: int
    failed: int
    pending: int


CONDITIONS_SCHEMA = schema_of(ConditionRow)


def condition_rank() -> pl.Expr:
    """Sorts the six conditions in their order, any others after them."""
    return pl.col("condition").replace_strict(
        list(CONDITION_ORDER), list(range(len(CONDITION_ORDER))), default=len(CONDITION_ORDER), return_dtype=pl.Int64
    )


def condition_counts(results: pl.DataFrame) -> pl.DataFrame:
    """Counts cells by outcome.

    Returns:
        A frame of `CONDITIONS_SCHEMA`. `unscored` are answers without a score yet, missing until they have one.
        `support` is what the model declares: native, assisted, unsupported, or mixed.
    """

    def cells(outcome: Outcome) -> pl.Expr:
        return (pl.col("outcome") == outcome.value).sum().cast(pl.Int64)

    frame = results.with_columns(
        pl.lit(None, pl.String).alias(name) for name in ("architecture", "support") if name not in results.columns
    )
    return (
        frame.lazy()
        .group_by("model", "condition")
        .agg(
            architecture=pl.col("architecture").drop_nulls().first(),
            support=pl.when(pl.col("support").drop_nulls().n_unique() > 1)
            .then(pl.lit("mixed"))
            .otherwise(pl.col("support").drop_nulls().first()),
            items=pl.col("item_id").n_unique().cast(pl.Int64),
            cells=pl.len().cast(pl.Int64),
            answered=cells(Outcome.ANSWERED),
            scored=is_scored().sum().cast(pl.Int64),
            unsupported=cells(Outcome.UNSUPPORTED),
            failed=cells(Outcome.FAILED),
            pending=cells(Outcome.PENDING),
        )
        .with_columns(
            planned=pl.col("cells") - pl.col("unsupported"),
            unscored=pl.col("answered") - pl.col("scored"),
        )
        .sort(pl.col("model"), condition_rank(), pl.col("condition"))
        .select(CONDITIONS_SCHEMA.names())
        .collect()
        .cast(CONDITIONS_SCHEMA)
    )


CONDITION_COUNTS = Table(name="conditions", row=ConditionRow, compute=lambda given: condition_counts(given.results))
