"""The tables `answers` (length and flags of answers by condition) and `metrics` (mean scores by metric)."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from omnigap.vocabulary import Flag, Outcome
from omnigap_orchestrator.analysis.denominators import condition_rank
from omnigap_orchestrator.analysis.pairs import gives_own_text, is_scored
from omnigap_orchestrator.analysis.table import Table, schema_of


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """Length and flags of the answers of one condition; the flags are shares of the answered cells."""

    model: str
    condition: str
    answered: int
    with_text: int
    mean_words: float | None
    median_words: float | None
    refused: float | None
    unparsable: float | None
    wrong_language: float | None
    truncated: float | None
    silent: float | None


ANSWERS_SCHEMA = schema_of(AnswerRow)


def answer_shapes(results: pl.DataFrame) -> pl.DataFrame:
    """Words of the own text (of the transcript for a model without own texts) and flags, by model and condition.

    Image and speech inputs tend to shorten a model's reasoning, which can look like a modality gap.

    Returns:
        A frame of `ANSWERS_SCHEMA`.
    """
    if "own_text" in results.columns:
        results = results.with_columns(own_text=pl.when(gives_own_text()).then("own_text"))
    text = pl.coalesce(
        [pl.col(name) for name in ("own_text", "transcript", "answer_used") if name in results.columns]
        or [pl.lit(None)]
    )
    words = text.cast(pl.String).str.extract_all(r"\S+").list.len().cast(pl.Float64)

    def share(flag: Flag) -> pl.Expr:
        if "flags" not in results.columns:
            return pl.lit(None, pl.Float64)
        return pl.col("flags").list.contains(flag.value).fill_null(False).mean()

    return (
        results.lazy()
        .filter(pl.col("outcome") == Outcome.ANSWERED.value)
        .group_by("model", "condition")
        .agg(
            answered=pl.len().cast(pl.Int64),
            with_text=words.count().cast(pl.Int64),
            mean_words=words.mean(),
            median_words=words.median(),
            refused=share(Flag.REFUSED),
            unparsable=share(Flag.UNPARSABLE),
            wrong_language=share(Flag.WRONG_LANGUAGE),
            truncated=share(Flag.TRUNCATED),
            silent=share(Flag.SILENT),
        )
        .sort("model", condition_rank(), "condition")
        .select(ANSWERS_SCHEMA.names())
        .collect()
        .cast(ANSWERS_SCHEMA)
    )


ANSWERS = Table(name="answers", row=AnswerRow, compute=lambda given: answer_shapes(given.results))


@dataclass(frozen=True, slots=True)
class MetricRow:
    """Mean score of the items of one metric in one condition; descriptive, without interval."""

    model: str
    metric: str
    condition: str
    items: int
    # Cells of these items, those with a score, and those that failed (with a judge also those without a verdict).
    planned: int
    scored: int
    failed: int
    mean_score: float | None
    # Mean rating on the scale of the rubric; null without a judge.
    mean_rating: float | None
    # Shares of the scored cells; null if the table has no flags.
    refused: float | None
    unparsable: float | None


METRICS_SCHEMA = schema_of(MetricRow)


def by_metric(results: pl.DataFrame) -> pl.DataFrame:
    """Mean scores, ratings and flags by model, metric and condition (`METRICS_SCHEMA`); empty without metrics."""
    if "metric" not in results.columns or results["metric"].null_count() == results.height:
        return pl.DataFrame(schema=METRICS_SCHEMA)
    # A cell without a score has no metric: it gets that of the other cells of its item.
    known = results.drop_nulls("metric").group_by("item_id").agg(metric=pl.col("metric").first())
    cells = results.drop("metric").join(known, on="item_id").filter(pl.col("outcome") != Outcome.UNSUPPORTED.value)

    def share(flag: Flag) -> pl.Expr:
        if "flags" not in results.columns:
            return pl.lit(None, pl.Float64)
        return pl.col("flags").list.contains(flag.value).fill_null(False).filter(is_scored()).mean()

    rating = pl.col("judge_rating").mean() if "judge_rating" in results.columns else pl.lit(None, pl.Float64)
    return (
        cells.lazy()
        .group_by("model", "metric", "condition")
        .agg(
            items=pl.col("item_id").n_unique(),
            planned=pl.len(),
            scored=is_scored().sum(),
            failed=(pl.col("outcome") == Outcome.FAILED.value).sum(),
            mean_score=pl.col("score").filter(is_scored()).mean(),
            mean_rating=rating,
            refused=share(Flag.REFUSED),
            unparsable=share(Flag.UNPARSABLE),
        )
        .sort("model", "metric", condition_rank(), "condition")
        .select(METRICS_SCHEMA.names())
        .collect()
        .cast(METRICS_SCHEMA)
    )


METRICS = Table(name="metrics", row=MetricRow, compute=lambda given: by_metric(given.results))
