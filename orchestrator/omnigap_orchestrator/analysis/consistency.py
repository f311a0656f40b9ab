"""The tables `consistency` (RER, CFR, MMC of REST) and `flips` (items right in one condition only).

REST, arXiv 2512.08923, defines the measures; here they are extended to six conditions:
- RER: share of items whose normalised answers agree in all conditions, right or wrong
- CFR: among items right in at least one condition, the share not right in all
- MMC: share of items right in at least one condition, the ceiling of any per-item routing
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import stats

from omnigap.vocabulary import Outcome
from omnigap_orchestrator.analysis.chance import CHANCES, chance_array
from omnigap_orchestrator.analysis.choose_interval import Sample, mean_interval
from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.pairs import MODELS, BoolArray, FloatArray, IntArray, ModelScores, is_scored
from omnigap_orchestrator.analysis.table import AnalysisInput, Derived, IntervalColumns, Table, schema_of


@dataclass(frozen=True)
class _ConsistencyKey:
    model: str
    # RER, CFR, MMC, all_right or all_wrong.
    measure: str
    conditions: int


@dataclass(frozen=True, slots=True)
class ConsistencyRow(IntervalColumns, _ConsistencyKey):
    """One measure over all conditions of a model."""

    # The value for independent conditions of the same accuracies, and for guessing.
    if_independent: float | None
    if_guessing: float | None
    # Complete items whose chance is unknown; they count as 0 in `if_guessing`, which is null if it is unknown for all.
    chance_unknown: int


CONSISTENCY_SCHEMA = schema_of(ConsistencyRow)

RIGHT_AT = 0.5
"""Smallest graded or averaged score that counts as right."""


def has_answers(results: pl.DataFrame) -> bool:
    """Whether the table has a column of answers, so that they can be compared."""
    return bool({"answer_used", "normalised_answer"} & set(results.columns))


def comparable_answers(results: pl.DataFrame) -> pl.DataFrame:
    """The answers in a form in which equal ones are the same answer; of several replicates the first counts.

    Args:
        results: with the column normalised_answer, or, from another tool, only answer_used. The latter is compared in
            lower case without punctuation, so that "three" differs from "3".

    Returns:
        Columns model, item_id, condition, answer; cells without an answer are left out.
    """
    absent = [name for name in ("normalised_answer", "answer_used") if name not in results.columns]
    results = results.with_columns(pl.lit(None, pl.String).alias(name) for name in absent)
    if "replicate" not in results.columns:
        results = results.with_columns(replicate=pl.lit(0, pl.Int32))
    first = pl.col("replicate") == pl.col("replicate").min().over("model", "item_id", "condition")
    plain = pl.col("answer_used").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars()
    # One form for all answers of an item, also in a table that was joined from several sources.
    known = pl.col("normalised_answer").is_not_null().all().over("model", "item_id")
    return (
        results.lazy()
        .filter(first & (pl.col("outcome") == Outcome.ANSWERED.value))
        .select("model", "item_id", "condition", answer=pl.when(known).then("normalised_answer").otherwise(plain))
        .drop_nulls("answer")
        .sort("model", "item_id", "condition")
        .collect()
    )


COMPARABLE = Derived(lambda given: comparable_answers(given.results))
"""The comparable answers, which two tables use."""


def agreeing_items(answers: pl.DataFrame) -> pl.DataFrame:
    """Items whose normalised answers agree in all conditions.

    Args:
        answers: `comparable_answers` of a table.

    Returns:
        Columns model, item_id, answers (number of conditions with an answer), agree (whether all are equal).
    """
    return (
        answers.lazy()
        .group_by("model", "item_id")
        .agg(answers=pl.col("condition").n_unique().cast(pl.Int64), agree=pl.col("answer").n_unique() == 1)
        .sort("model", "item_id")
        .collect()
    )


@dataclass(frozen=True, slots=True)
class _Right:
    """Right or wrong on the items with a score in every condition of the model.

    Attributes:
        right: shape (items, conditions).
        scored: number of replicates with a score, shape (items, conditions).
    """

    scores: ModelScores
    right: BoolArray
    scored: IntArray


def _complete(scores: ModelScores) -> _Right:
    used = np.flatnonzero(np.any(scores.planned > 0, axis=0))
    held = scores.where(~np.any(np.isnan(scores.score[:, used]), axis=1))
    return _Right(held, np.asarray(held.score[:, used] >= RIGHT_AT), held.scored[:, used])


def consistency(
    models: Sequence[ModelScores],
    agreement: pl.DataFrame | None,
    chances: Mapping[str, float],
    options: IntervalOptions,
) -> pl.DataFrame:
    """RER, CFR, MMC, all right and all wrong per model, on the items scored in all of its conditions.

    Args:
        agreement: `agreeing_items` of the same results; without it there is no RER.
        chances: probability of guessing an item right, by item id; items that are not in it count as 0.

    Returns:
        A frame of `CONSISTENCY_SCHEMA`, with the values for independent conditions and for guessing.
    """
    rows: list[tuple[object, ...]] = []
    for scores in models:
        held = _complete(scores)
        k = held.right.shape[1]
        accuracies = held.right.mean(axis=0) if len(held.right) else np.full(k, math.nan)
        single = chance_array(held.scores, chances)
        unknown = int(np.isnan(single).sum())
        # By item; empty if nothing is known about any item.
        single = np.nan_to_num(single) if unknown < len(single) else single[:0]
        # An item is right if at least half of its replicates are (`RIGHT_AT`): one of two guesses, two of three.
        tries = held.scored[: len(single)]
        luck = np.asarray(stats.binom.sf(np.ceil(RIGHT_AT * tries) - 1, tries, single[:, None]), dtype=np.float64)
        for measure, values, mask in _measures(scores.model, held, agreement):
            part = held.scores.where(mask)
            sample = Sample(values[mask], part.cluster, part.task, binary=True, difference=False)
            interval = mean_interval(sample, options)
            estimate = float(sample.values.mean()) if len(sample.values) else math.nan
            expected = _independent(measure, accuracies)
            guessed = _guessed(measure, luck)
            limits = (interval.low, interval.high, interval.method)
            clusters = len(np.unique(part.cluster))
            row = (
                scores.model,
                measure,
                k,
                estimate,
                *limits,
                len(sample.values),
                clusters,
                len(scores.task),
                expected,
                guessed,
                unknown,
            )
            rows.append(row)
    return pl.DataFrame(rows, schema=CONSISTENCY_SCHEMA, orient="row").fill_nan(None)


def _measures(model: str, held: _Right, agreement: pl.DataFrame | None) -> Iterator[tuple[str, FloatArray, BoolArray]]:
    """Name, value of each complete item, and mask of the items that the measure is a mean of."""
    everyone = np.ones(len(held.right), dtype=np.bool_)
    some, every = np.any(held.right, axis=1), np.all(held.right, axis=1)
    if agreement is not None and agreement.height:
        # Without an answer in every condition, agreement in all of them is unknown.
        known = agreement.filter((pl.col("model") == model) & (pl.col("answers") >= held.right.shape[1]))
        agree = dict(known.select("item_id", "agree").iter_rows())
        known_items = np.array([item in agree for item in held.scores.items], dtype=np.bool_)
        yield "RER", np.array([agree.get(item, False) for item in held.scores.items], dtype=np.float64), known_items
    yield "CFR", np.asarray(~every, np.float64), some
    yield "MMC", np.asarray(some, np.float64), everyone
    yield "all_right", np.asarray(every, np.float64), everyone
    yield "all_wrong", np.asarray(~some, np.float64), everyone


def _guessed(measure: str, luck: FloatArray) -> float:
    """The measure for guessing with success probabilities `luck`, shape (items, conditions); NaN without items."""
    if len(luck) == 0:
        return math.nan
    every, none = float(np.mean(luck.prod(axis=1))), float(np.mean((1 - luck).prod(axis=1)))
    if measure == "CFR":
        return 1 - every / (1 - none) if none < 1 else math.nan
    return {"MMC": 1 - none, "all_right": every, "all_wrong": none}.get(measure, math.nan)


def _independent(measure: str, accuracies: FloatArray) -> float:
    """The measure for independent conditions; NaN for RER, which does not follow from accuracies."""
    every, none = float(np.prod(accuracies)), float(np.prod(1 - accuracies))
    if measure == "CFR":
        return 1 - every / (1 - none) if none < 1 else math.nan
    return {"MMC": 1 - none, "all_right": every, "all_wrong": none}.get(measure, math.nan)


def _consistency(given: AnalysisInput) -> pl.DataFrame:
    agreement = agreeing_items(given[COMPARABLE]) if has_answers(given.results) else None
    return consistency(given[MODELS], agreement, given[CHANCES], given.options.intervals)


CONSISTENCY = Table(name="consistency", row=ConsistencyRow, compute=_consistency)


@dataclass(frozen=True, slots=True)
class FlipRow:
    """One cell that is right while the reference is wrong, or the reverse."""

    model: str
    item_id: str
    task: str | None
    condition: str
    replicate: int
    # lost: right in the reference only; gained: right in the condition only.
    direction: str
    score: float | None
    reference_score: float | None
    answer_used: str | None
    reference_answer: str | None
    own_text: str | None
    transcript: str | None
    input_media: str | None
    output_media: str | None
    reference_input_media: str | None


FLIPS_SCHEMA = schema_of(FlipRow)


def flips(results: pl.DataFrame, reference: str) -> pl.DataFrame:
    """Cells that are right while the reference is wrong (gained) or the reverse (lost), with answers and media.

    Each cell is compared with the first replicate of the reference.

    Returns:
        A frame of `FLIPS_SCHEMA`, lost ones first.
    """
    shown = ("answer_used", "own_text", "transcript", "input_media", "output_media")
    lacking = [pl.lit(None, pl.String).alias(name) for name in shown if name not in results.columns]
    if "replicate" not in results.columns:
        lacking.append(pl.lit(0, pl.Int32).alias("replicate"))
    cells = results.lazy().filter(is_scored()).with_columns(lacking)
    reference_cells = (
        cells.filter(pl.col("condition") == reference)
        .sort("replicate")
        .unique(subset=["model", "item_id"], keep="first", maintain_order=True)
        .select(
            "model",
            "item_id",
            reference_score="score",
            reference_answer="answer_used",
            reference_input_media="input_media",
        )
    )
    right, reference_right = pl.col("score") >= RIGHT_AT, pl.col("reference_score") >= RIGHT_AT
    return (
        cells.filter(pl.col("condition") != reference)
        .join(reference_cells, on=["model", "item_id"])
        .filter(right != reference_right)
        .with_columns(direction=pl.when(right).then(pl.lit("gained")).otherwise(pl.lit("lost")))
        .sort("model", "direction", "condition", "item_id", "replicate", descending=[False, True, False, False, False])
        .select(FLIPS_SCHEMA.names())
        .collect()
        .cast(FLIPS_SCHEMA)
    )
