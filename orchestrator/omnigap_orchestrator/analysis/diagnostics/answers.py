"""How the answers themselves differ by condition: length, refusals, wrong language, unparsable ones."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from omnigap.vocabulary import Flag, Outcome
from omnigap_orchestrator.analysis.rows import schema_of
from omnigap_orchestrator.analysis.scores.denominators import condition_rank
from omnigap_orchestrator.analysis.scores.own_text import gives_own_text
from omnigap_orchestrator.analysis.table import Table


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """The shape of the answers of one condition."""

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
    """Words of the own text (of the transcript where a model gives no own text), and flags, per model and condition.

    Image and speech inputs tend to shorten what a model writes before it answers: shown so that a reader can tell.

    Returns:
        A frame of `ANSWERS_SCHEMA`; shares are of the answered cells.
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
