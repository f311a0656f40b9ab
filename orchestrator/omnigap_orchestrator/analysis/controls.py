"""Tables of the control cells: `controls`, `blank` (guessing), `repeat` (noise), `first_passes` (transcription).

Blank carriers show what is guessed without a question, repeats what changes between two runs of the same cell, and the
first pass of two-pass cells how well a model transcribes or reads its carrier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from omnigap.vocabulary import Control
from omnigap_orchestrator.analysis.accuracy import ACCURACY_SCHEMA, ANSWERED_ONLY, accuracy
from omnigap_orchestrator.analysis.choose_interval import Sample, mean_interval
from omnigap_orchestrator.analysis.contrasts import ITEM_WEIGHTED
from omnigap_orchestrator.analysis.denominators import (
    WER_COLUMNS,
    ConditionRow,
    condition_counts,
    condition_rank,
    pooled_word_errors,
    word_error_rates,
)
from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.pairs import NEEDED_COLUMNS, is_scored, item_scores, score_matrices
from omnigap_orchestrator.analysis.table import IntervalColumns, Table, schema_of


@dataclass(frozen=True, slots=True)
class RepeatRow:
    """Changes between the cells of one condition and their repetitions."""

    model: str
    condition: str
    # Share of items whose score changed.
    changed: float | None
    changed_low: float | None
    changed_high: float | None
    changed_method: str | None
    # Score of the repetition minus first score.
    drift: float | None
    drift_low: float | None
    drift_high: float | None
    drift_method: str | None
    n: int
    clusters: int


REPEAT_SCHEMA = schema_of(RepeatRow)

_AGAIN = " again"


def blank_accuracy(controls: pl.DataFrame, options: IntervalOptions) -> pl.DataFrame:
    """Accuracy on blank carriers, from guessing and leaks (`ACCURACY_SCHEMA`)."""
    held = controls.filter(pl.col("control") == Control.BLANK.value)
    if held.is_empty():
        return pl.DataFrame(schema=ACCURACY_SCHEMA)
    return accuracy(score_matrices(item_scores(held)), options)


def repeat_noise(results: pl.DataFrame, controls: pl.DataFrame, options: IntervalOptions) -> pl.DataFrame:
    """Share of items whose score changes in a repetition, and the mean change.

    A gap smaller than this noise may still be real, since it is a mean; single flips below it mean nothing.

    Returns:
        A frame of `REPEAT_SCHEMA`.
    """
    again = controls.filter(pl.col("control") == Control.REPEAT.value).with_columns(pl.col("condition") + _AGAIN)
    if again.is_empty():
        return pl.DataFrame(schema=REPEAT_SCHEMA)
    both = pl.concat([results.select(NEEDED_COLUMNS), again.select(NEEDED_COLUMNS)])
    by_cell = _changed(results, again)
    rows: list[tuple[object, ...]] = []
    for scores in score_matrices(item_scores(both)):
        for condition in scores.conditions:
            if condition + _AGAIN not in scores.conditions:
                continue
            ends = scores.score[:, [scores.column(condition + _AGAIN), scores.column(condition)]]
            held = ~np.any(np.isnan(ends), axis=1)
            if not held.any():
                continue
            part, difference = scores.where(held), ends[held, 0] - ends[held, 1]
            means = (difference != 0).astype(np.float64)
            changed = np.array(
                [by_cell.get((scores.model, condition, i), m) for i, m in zip(part.items, means, strict=True)]
            )
            numbers: list[object] = []
            for values, is_difference in ((changed, False), (difference, True)):
                binary = bool(np.isin(ends[held] if is_difference else changed, (0.0, 1.0)).all())
                sample = Sample(values, part.cluster, part.task, binary, difference=is_difference)
                interval = mean_interval(sample, options)
                numbers += [float(values.mean()), interval.low, interval.high, interval.method]
            rows.append((scores.model, condition, *numbers, len(changed), len(np.unique(part.cluster))))
    return pl.DataFrame(rows, schema=REPEAT_SCHEMA, orient="row").fill_nan(None)


def _changed(results: pl.DataFrame, again: pl.DataFrame) -> dict[tuple[str, str, str], float]:
    """Share of changed replicates by model, condition and item; empty without replicate numbers.

    Replicates are compared by number before they are averaged: two that swap their scores have both changed.
    """
    if "replicate" not in results.columns or "replicate" not in again.columns:
        return {}
    keys = ["model", "condition", "item_id", "replicate"]
    first = results.filter(is_scored()).select(*keys, "score").unique(keys, keep="none")
    second = again.filter(is_scored()).with_columns(pl.col("condition").str.strip_suffix(_AGAIN)).select(*keys, "score")
    both = first.join(second.unique(keys, keep="none"), on=keys, suffix=_AGAIN, nulls_equal=True)
    shares = both.group_by(keys[:3]).agg((pl.col("score") != pl.col(f"score{_AGAIN}")).mean())
    return {(model, condition, item): share for model, condition, item, share in shares.iter_rows()}


def control_names(controls: pl.DataFrame) -> Sequence[str]:
    """The kinds of control cells in a table, sorted."""
    return sorted(controls["control"].drop_nulls().unique().to_list())


REPEAT = Table(
    name="repeat",
    row=RepeatRow,
    compute=lambda given: repeat_noise(given.results, given.control_cells, given.options.intervals),
)


@dataclass(frozen=True)
class _GuessingKey:
    model: str
    condition: str
    # all, or choices: only the items with choices, if there are others.
    items: str


@dataclass(frozen=True, slots=True)
class GuessingRow(IntervalColumns, _GuessingKey):
    """Accuracy on the blank carrier, with its interval."""

    lacking: int
    # Expected accuracy of a guess; null if it is unknown for some of these items.
    chance: float | None
    # Accuracy on the real carriers of these items.
    accuracy: float | None


GUESSING_SCHEMA = schema_of(GuessingRow)


@dataclass(frozen=True, slots=True)
class FirstPassRow:
    """Transcripts or readings from the first pass of the two-pass control, in one condition."""

    model: str
    # s2t: transcripts of speech; i2t: readings of images.
    condition: str
    written: int
    # Empty ones among them.
    empty: int
    # Share without a word error, of those whose carrier's words are known.
    exact: float | None
    # Pooled: errors over words.
    wer: float | None
    wer_errors: int
    wer_words: int
    wer_cells: int
    # The same by Whisper's normaliser.
    wer_whisper: float | None
    wer_errors_whisper: int
    wer_words_whisper: int


FIRST_PASS_SCHEMA = schema_of(FirstPassRow)

ALL, CHOICES = "all", "choices"


@dataclass(frozen=True)
class _ControlKey:
    control: str


@dataclass(frozen=True, slots=True)
class ControlRow(ConditionRow, _ControlKey):
    """Counts of the planned cells of one kind of control, in one condition."""


CONTROL_COUNTS_SCHEMA = schema_of(ControlRow)


def control_counts(controls: pl.DataFrame) -> pl.DataFrame:
    """Planned, answered and missing control cells, for each kind of control (`CONTROL_COUNTS_SCHEMA`)."""
    frames = [pl.DataFrame(schema=CONTROL_COUNTS_SCHEMA)]
    for name in [control.value for control in Control if control.value in control_names(controls)]:
        counts = condition_counts(controls.filter(pl.col("control") == name))
        frames.append(counts.select(pl.lit(name).alias("control"), pl.all()))
    return pl.concat(frames)


def guessing(results: pl.DataFrame, controls: pl.DataFrame, options: IntervalOptions) -> pl.DataFrame:
    """Accuracy on blank carriers, with chance and the accuracy on real carriers (`GUESSING_SCHEMA`).

    Args:
        controls: the optional column `chance` is 1 / number of choices, 0 for answers in free form, null if unknown.
    """
    # Other tools write NaN for an unknown chance.
    known = _with(controls, "chance", pl.Float64).with_columns(pl.col("chance").cast(pl.Float64).fill_nan(None))
    blanks = known.filter(pl.col("control") == Control.BLANK.value)
    offered = blanks.filter(pl.col("chance") > 0)
    parts = {ALL: blanks}
    if 0 < offered.height < blanks.height:
        parts[CHOICES] = offered
    frames = [pl.DataFrame(schema=GUESSING_SCHEMA)]
    frames += [_guessed(name, part, results, options) for name, part in parts.items() if part.height]
    keys = ["model", condition_rank(), "condition", "items"]
    return pl.concat(frames).sort(keys)


def _guessed(name: str, blanks: pl.DataFrame, results: pl.DataFrame, options: IntervalOptions) -> pl.DataFrame:
    found = blank_accuracy(blanks, options).filter(
        (pl.col("pooling") == ITEM_WEIGHTED) & (pl.col("missing") == ANSWERED_ONLY)
    )
    of_real = (
        item_scores(results.join(blanks.select("item_id").unique(), on="item_id", how="semi"))
        .group_by("model", "condition")
        .agg(accuracy=pl.col("score").mean())
    )
    chance = blanks.group_by("model", "condition").agg(
        chance=pl.when(pl.col("chance").is_not_null().all()).then(pl.col("chance").mean())
    )
    return (
        found.join(of_real, on=["model", "condition"], how="left")
        .join(chance, on=["model", "condition"], how="left")
        .with_columns(items=pl.lit(name))
        .select(GUESSING_SCHEMA.names())
        .cast(GUESSING_SCHEMA)
    )


def first_passes(controls: pl.DataFrame) -> pl.DataFrame:
    """Word errors of the models' own transcripts and readings against the carriers' words (`FIRST_PASS_SCHEMA`)."""
    frame = controls
    columns: dict[str, type[pl.DataType]] = {"first_pass": pl.String, **WER_COLUMNS}
    for column, dtype in columns.items():
        frame = _with(frame, column, dtype)
    known = pl.col("wer_errors").is_not_null() & (pl.col("wer_words") > 0)
    return (
        frame.lazy()
        .filter((pl.col("control") == Control.TWO_PASS.value) & pl.col("first_pass").is_not_null())
        .group_by("model", "condition")
        .agg(
            written=pl.len().cast(pl.Int64),
            empty=(pl.col("first_pass").str.strip_chars() == "").sum().cast(pl.Int64),
            exact=(pl.col("wer_errors") == 0).filter(known).mean(),
            **pooled_word_errors(),
        )
        .with_columns(**word_error_rates())
        .sort("model", condition_rank(), "condition")
        .select(FIRST_PASS_SCHEMA.names())
        .collect()
        .cast(FIRST_PASS_SCHEMA)
    )


def _with(frame: pl.DataFrame, column: str, dtype: pl.DataType | type[pl.DataType]) -> pl.DataFrame:
    """The frame with a column that tables of other tools may lack, filled with null."""
    return frame if column in frame.columns else frame.with_columns(pl.lit(None, dtype).alias(column))


CONTROLS = Table(name="controls", row=ControlRow, compute=lambda given: control_counts(given.control_cells))


BLANK = Table(
    name="blank",
    row=GuessingRow,
    compute=lambda given: guessing(given.results, given.control_cells, given.options.intervals),
)

FIRST_PASSES = Table(name="first_passes", row=FirstPassRow, compute=lambda given: first_passes(given.control_cells))
