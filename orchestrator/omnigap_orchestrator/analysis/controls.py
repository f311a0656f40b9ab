"""What the control cells say: what is guessed from a blank carrier, and what changes when asked again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from omnigap.vocabulary import Control
from omnigap_orchestrator.analysis.accuracy import ACCURACY_SCHEMA, ANSWERED_ONLY, accuracy
from omnigap_orchestrator.analysis.choose_interval import Sample, mean_interval
from omnigap_orchestrator.analysis.contrasts import ITEM_WEIGHTED
from omnigap_orchestrator.analysis.denominators import ConditionRow, condition_counts, condition_rank
from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.pairs import NEEDED_COLUMNS, is_scored, item_scores, score_matrices
from omnigap_orchestrator.analysis.table import IntervalColumns, Table, schema_of


@dataclass(frozen=True, slots=True)
class RepeatRow:
    """What changed in one condition when the same was asked again."""

    model: str
    condition: str
    # Share of items whose score changed when asked again.
    changed: float | None
    changed_low: float | None
    changed_high: float | None
    changed_method: str | None
    # Score when asked again minus score at first.
    drift: float | None
    drift_low: float | None
    drift_high: float | None
    drift_method: str | None
    n: int
    clusters: int


REPEAT_SCHEMA = schema_of(RepeatRow)

_AGAIN = " again"


def blank_accuracy(controls: pl.DataFrame, options: IntervalOptions) -> pl.DataFrame:
    """Accuracy on carriers that hold nothing: what guessing, and leaks, are worth (`ACCURACY_SCHEMA`)."""
    held = controls.filter(pl.col("control") == Control.BLANK.value)
    if held.is_empty():
        return pl.DataFrame(schema=ACCURACY_SCHEMA)
    return accuracy(score_matrices(item_scores(held)), options)


def repeat_noise(results: pl.DataFrame, controls: pl.DataFrame, options: IntervalOptions) -> pl.DataFrame:
    """How often the same cell, asked again, is scored otherwise, and whether it is scored higher or lower.

    Replicates are compared one by one where they have numbers, and then averaged within the item: two that change
    places have both changed.

    A gap smaller than this noise may still be real (it is a mean), but a flip list below it is not worth reading.

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
                interval = mean_interval(sample, options, scores.model, condition, "repeat", str(is_difference))
                numbers += [float(values.mean()), interval.low, interval.high, interval.method]
            rows.append((scores.model, condition, *numbers, len(changed), len(np.unique(part.cluster))))
    return pl.DataFrame(rows, schema=REPEAT_SCHEMA, orient="row").fill_nan(None)


def _changed(results: pl.DataFrame, again: pl.DataFrame) -> dict[tuple[str, str, str], float]:
    """By model, condition and item the share of the replicates scored in both that changed; none without numbers."""
    if "replicate" not in results.columns or "replicate" not in again.columns:
        return {}
    keys = ["model", "condition", "item_id", "replicate"]
    first = results.filter(is_scored()).select(*keys, "score").unique(keys, keep="none")
    second = again.filter(is_scored()).with_columns(pl.col("condition").str.strip_suffix(_AGAIN)).select(*keys, "score")
    both = first.join(second.unique(keys, keep="none"), on=keys, suffix=_AGAIN, nulls_equal=True)
    shares = both.group_by(keys[:3]).agg((pl.col("score") != pl.col(f"score{_AGAIN}")).mean())
    return {(model, condition, item): share for model, condition, item, share in shares.iter_rows()}


def control_names(controls: pl.DataFrame) -> Sequence[str]:
    """The kinds of control cells that a table holds, sorted."""
    return sorted(controls["control"].drop_nulls().unique().to_list())


REPEAT = Table(
    name="repeat",
    row=RepeatRow,
    compute=lambda given: repeat_noise(given.results, given.control_cells, given.options.intervals),
)


# Tables of the control cells: denominators, what is guessed, and what the first passes heard or read.


@dataclass(frozen=True)
class _GuessingKey:
    model: str
    condition: str
    # all, or choices: those of the items that offer choices, where some do and some do not.
    items: str


@dataclass(frozen=True, slots=True)
class GuessingRow(IntervalColumns, _GuessingKey):
    """Accuracy on the blank carrier, with its interval."""

    lacking: int
    # What picking a choice at random gives; null unless all of these items offer choices.
    chance: float | None
    # Accuracy on the real carrier, over these items.
    accuracy: float | None


GUESSING_SCHEMA = schema_of(GuessingRow)


@dataclass(frozen=True, slots=True)
class FirstPassRow:
    """What the first pass of a two-pass control wrote down, in one condition."""

    model: str
    # s2t: what was heard; i2t: what was read.
    condition: str
    written: int
    # Of those, the ones where the model wrote nothing.
    empty: int
    # Of those with known words, the ones without a word error, as a share.
    exact: float | None
    # Pooled: errors over words.
    wer: float | None
    wer_errors: int
    wer_words: int
    wer_cells: int


FIRST_PASS_SCHEMA = schema_of(FirstPassRow)

ALL, CHOICES = "all", "choices"


@dataclass(frozen=True)
class _ControlKey:
    control: str


@dataclass(frozen=True, slots=True)
class ControlRow(ConditionRow, _ControlKey):
    """What became of the planned cells of one kind of control, in one condition."""


CONTROL_COUNTS_SCHEMA = schema_of(ControlRow)


def control_counts(controls: pl.DataFrame) -> pl.DataFrame:
    """Planned, answered and missing control cells, for each kind of control (`CONTROL_COUNTS_SCHEMA`)."""
    frames = [pl.DataFrame(schema=CONTROL_COUNTS_SCHEMA)]
    for name in [control.value for control in Control if control.value in control_names(controls)]:
        counts = condition_counts(controls.filter(pl.col("control") == name))
        frames.append(counts.select(pl.lit(name).alias("control"), pl.all()))
    return pl.concat(frames)


def guessing(results: pl.DataFrame, controls: pl.DataFrame, options: IntervalOptions) -> pl.DataFrame:
    """Accuracy on blank carriers, beside chance and beside the accuracy on the real ones (`GUESSING_SCHEMA`).

    Args:
        controls: its column `chance`, if there is one, holds 1 / choices; null where an item offers none.
    """
    # Other programs write NaN where nothing is known.
    known = _with(controls, "chance", pl.Float64).with_columns(pl.col("chance").cast(pl.Float64).fill_nan(None))
    blanks = known.filter(pl.col("control") == Control.BLANK.value)
    offered = blanks.filter(pl.col("chance").is_not_null())
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
    """How well the models wrote down what they heard or read, against the carriers' words (`FIRST_PASS_SCHEMA`)."""
    frame = controls
    for column, dtype in (("first_pass", pl.String), ("wer_errors", pl.Int64), ("wer_words", pl.Int64)):
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
            wer_errors=pl.col("wer_errors").filter(known).sum().cast(pl.Int64),
            wer_words=pl.col("wer_words").filter(known).sum().cast(pl.Int64),
            wer_cells=known.sum().cast(pl.Int64),
        )
        .with_columns(wer=pl.when(pl.col("wer_words") > 0).then(pl.col("wer_errors") / pl.col("wer_words")))
        .sort("model", condition_rank(), "condition")
        .select(FIRST_PASS_SCHEMA.names())
        .collect()
        .cast(FIRST_PASS_SCHEMA)
    )


def _with(frame: pl.DataFrame, column: str, dtype: pl.DataType | type[pl.DataType]) -> pl.DataFrame:
    """The frame with a column that tables made elsewhere may lack."""
    return frame if column in frame.columns else frame.with_columns(pl.lit(None, dtype).alias(column))


CONTROLS = Table(name="controls", row=ControlRow, compute=lambda given: control_counts(given.control_cells))


BLANK = Table(
    name="blank",
    row=GuessingRow,
    compute=lambda given: guessing(given.results, given.control_cells, given.options.intervals),
)

FIRST_PASSES = Table(name="first_passes", row=FirstPassRow, compute=lambda given: first_passes(given.control_cells))
