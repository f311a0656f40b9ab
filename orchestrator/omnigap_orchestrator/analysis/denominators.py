"""The tables `conditions` (cells by outcome, the denominators), `asr`, `flags` and `errors`."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from omnigap.vocabulary import Flag, Outcome
from omnigap_orchestrator.analysis.pairs import CONDITION_ORDER, is_scored
from omnigap_orchestrator.analysis.table import Table, schema_of


@dataclass(frozen=True, slots=True)
class ConditionRow:
    """Cells of one model and condition by outcome.

    cells = planned + unsupported, planned = answered + failed + pending, answered = scored + unscored.
    """

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
    """Sort key that puts the six conditions in their order and any others after them."""
    return pl.col("condition").replace_strict(
        list(CONDITION_ORDER), list(range(len(CONDITION_ORDER))), default=len(CONDITION_ORDER), return_dtype=pl.Int64
    )


def condition_counts(results: pl.DataFrame) -> pl.DataFrame:
    """Counts cells by outcome.

    Returns:
        A frame of `CONDITIONS_SCHEMA`. `unscored` are answers that have no score yet and count as missing. `support` is
        the model's declaration: native, assisted, unsupported, or mixed.
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
            # One declaration per model and condition in a run; a table joined from several runs can have more.
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


@dataclass(frozen=True, slots=True)
class AsrRow:
    """Diagnostics of the ASR scorer on one condition."""

    model: str
    condition: str
    transcribed: int
    empty: int
    silent: int
    truncated: int
    suspect: int
    other_language: int
    mean_avg_logprob: float | None
    mean_no_speech_prob: float | None
    mean_compression_ratio: float | None
    audio_seconds: float | None
    # Word error rate against the model's own text, pooled; null without these counts.
    wer: float | None
    wer_errors: int
    wer_words: int
    wer_cells: int
    # The same by Whisper's normaliser.
    wer_whisper: float | None
    wer_errors_whisper: int
    wer_words_whisper: int


ASR_SCHEMA = schema_of(AsrRow)


@dataclass(frozen=True, slots=True)
class FlagRow:
    """Number of answers with one flag."""

    model: str
    condition: str
    flag: str
    cells: int
    answered: int
    share: float


FLAGS_SCHEMA = schema_of(FlagRow)


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """Cells without an answer, by outcome and error reason."""

    model: str
    condition: str
    outcome: str
    error_reason: str | None
    cells: int
    example: str | None


ERRORS_SCHEMA = schema_of(ErrorRow)

WER_COLUMNS: dict[str, type[pl.DataType]] = dict.fromkeys(
    ("wer_errors", "wer_words", "wer_errors_whisper", "wer_words_whisper"), pl.Int64
)
"""Columns of word errors of a cell, by omnigap's normaliser and by Whisper's; tables of other tools may lack them."""

# Columns that tables of other tools may lack.
_OPTIONAL: dict[str, pl.DataType | type[pl.DataType]] = {
    "flags": pl.List(pl.String),
    **WER_COLUMNS,
    "asr_avg_logprob": pl.Float64,
    "asr_no_speech_prob": pl.Float64,
    "asr_compression_ratio": pl.Float64,
    "asr_language": pl.String,
    "audio_seconds": pl.Float64,
    "language": pl.String,
    "transcript": pl.String,
    "output": pl.String,
    "error_reason": pl.String,
    "error_message": pl.String,
}


def _with_optional(results: pl.DataFrame) -> pl.LazyFrame:
    lacking = [pl.lit(None, dtype).alias(name) for name, dtype in _OPTIONAL.items() if name not in results.columns]
    return results.lazy().with_columns(lacking)


def asr_diagnostics(results: pl.DataFrame) -> pl.DataFrame:
    """Diagnostics of the ASR scorer on the speech answers (`ASR_SCHEMA`).

    The word error rate is pooled, sum of errors over sum of words, so that a short answer does not count like a long
    one.
    """

    def flagged(flag: Flag) -> pl.Expr:
        return pl.col("flags").list.contains(flag.value).fill_null(False).sum().cast(pl.Int64)

    return (
        _with_optional(results)
        .filter((pl.col("outcome") == Outcome.ANSWERED.value) & (pl.col("output") == "speech"))
        .group_by("model", "condition")
        .agg(
            transcribed=pl.col("transcript").is_not_null().sum().cast(pl.Int64),
            empty=(pl.col("transcript").str.strip_chars() == "").fill_null(False).sum().cast(pl.Int64),
            silent=flagged(Flag.SILENT),
            truncated=flagged(Flag.TRUNCATED),
            suspect=flagged(Flag.SUSPECT_TRANSCRIPT),
            other_language=(pl.col("asr_language") != pl.col("language")).fill_null(False).sum().cast(pl.Int64),
            mean_avg_logprob=pl.col("asr_avg_logprob").mean(),
            mean_no_speech_prob=pl.col("asr_no_speech_prob").mean(),
            mean_compression_ratio=pl.col("asr_compression_ratio").mean(),
            audio_seconds=pl.col("audio_seconds").sum(),
            **pooled_word_errors(),
        )
        .with_columns(**word_error_rates())
        .sort("model", condition_rank(), "condition")
        .select(ASR_SCHEMA.names())
        .collect()
        .cast(ASR_SCHEMA)
    )


def pooled_word_errors() -> dict[str, pl.Expr]:
    """Aggregates of `WER_COLUMNS`: the sums under the same names, and `wer_cells`, the cells counted in the first."""

    def summed(name: str, counted: pl.Expr) -> pl.Expr:
        return pl.col(name).filter(counted).sum().cast(pl.Int64)

    sums: dict[str, pl.Expr] = {}
    for suffix in ("", "_whisper"):
        errors, words = f"wer_errors{suffix}", f"wer_words{suffix}"
        counted = (pl.col(errors).is_not_null() & (pl.col(words) > 0)).fill_null(False)
        sums |= {errors: summed(errors, counted), words: summed(words, counted)}
        if not suffix:
            sums["wer_cells"] = counted.sum().cast(pl.Int64)
    return sums


def word_error_rates() -> dict[str, pl.Expr]:
    """`wer` and `wer_whisper` of such sums; null without words."""
    return {
        f"wer{suffix}": pl.when(pl.col(f"wer_words{suffix}") > 0).then(
            pl.col(f"wer_errors{suffix}") / pl.col(f"wer_words{suffix}")
        )
        for suffix in ("", "_whisper")
    }


def flag_counts(results: pl.DataFrame) -> pl.DataFrame:
    """Flagged answers and their share of the answered cells (`FLAGS_SCHEMA`); unused flags have no row."""
    answered = _with_optional(results).filter(pl.col("outcome") == Outcome.ANSWERED.value)
    totals = answered.group_by("model", "condition").agg(answered=pl.len().cast(pl.Int64))
    return (
        answered.select("model", "condition", flag=pl.col("flags").list.unique())
        .explode("flag")
        .drop_nulls("flag")
        .group_by("model", "condition", "flag")
        .agg(cells=pl.len().cast(pl.Int64))
        .join(totals, on=["model", "condition"])
        .with_columns(share=pl.col("cells") / pl.col("answered"))
        .sort("model", condition_rank(), "condition", "flag")
        .select(FLAGS_SCHEMA.names())
        .collect()
    )


def error_counts(results: pl.DataFrame) -> pl.DataFrame:
    """Cells without an answer by outcome and reason, with one example message (`ERRORS_SCHEMA`)."""
    return (
        _with_optional(results)
        .filter(pl.col("outcome") != Outcome.ANSWERED.value)
        .group_by("model", "condition", "outcome", "error_reason")
        # The alphabetically first message, so that the example does not depend on the order of rows.
        .agg(cells=pl.len().cast(pl.Int64), example=pl.col("error_message").drop_nulls().min())
        .sort("model", condition_rank(), "condition", "outcome", "error_reason")
        .select(ERRORS_SCHEMA.names())
        .collect()
    )


ASR = Table(name="asr", row=AsrRow, compute=lambda given: asr_diagnostics(given.results))


FLAGS = Table(name="flags", row=FlagRow, compute=lambda given: flag_counts(given.results))


ERRORS = Table(name="errors", row=ErrorRow, compute=lambda given: error_counts(given.results))
