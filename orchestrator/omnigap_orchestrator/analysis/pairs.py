"""From a table of results to one score per item and condition, as matrices that contrasts are computed from.

Replicates are averaged within the item; items are paired by id, never by position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from omnigap.errors import OmnigapError
from omnigap.vocabulary import CONDITIONS, Outcome
from omnigap_orchestrator.analysis.table import Derived

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

CONDITION_ORDER = tuple(c.name for c in CONDITIONS)

NEEDED_COLUMNS = ("model", "item_id", "task", "cluster", "condition", "outcome", "score")

ITEM_SCORES_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "item_id": pl.String,
        "task": pl.String,
        "cluster": pl.String,
        "condition": pl.String,
        # Planned replicates that the model supports.
        "planned": pl.Int64,
        # Those of them with a score.
        "scored": pl.Int64,
        # Mean over the scored replicates; null without any.
        "score": pl.Float64,
        # Mean over the planned replicates with missing ones as wrong, and as right.
        "low": pl.Float64,
        "high": pl.Float64,
    }
)
"""One row per model, item and condition."""


class ResultsError(OmnigapError, ValueError):
    """A table of results can't be paired by item; the message names the column or the item."""


def is_scored() -> pl.Expr:
    """True for an answered cell with a score."""
    return (pl.col("outcome") == Outcome.ANSWERED.value) & pl.col("score").is_not_null() & ~pl.col("score").is_nan()


def item_scores(results: pl.DataFrame) -> pl.DataFrame:
    """Averages the replicates of each (model, item, condition).

    Args:
        results: table of a run, or any frame with `NEEDED_COLUMNS`; a null cluster is the item itself.

    Returns:
        A frame of `ITEM_SCORES_SCHEMA`, sorted, without unsupported cells.

    Raises:
        ResultsError: a column is missing, a score lies outside [0, 1], or one item has two tasks or two clusters.
    """
    missing = [name for name in NEEDED_COLUMNS if name not in results.columns]
    if missing:
        raise ResultsError(
            f"the results lack the column(s) {', '.join(missing)}: map them with --column, or export the run again"
        )
    # Items without a cluster are independent of each other.
    cells = results.lazy().select(NEEDED_COLUMNS).with_columns(pl.col("cluster").fill_null(pl.col("item_id"))).collect()
    outside = cells.filter(is_scored() & ~pl.col("score").is_between(0.0, 1.0))
    if outside.height:
        row = outside.row(0, named=True)
        raise ResultsError(f"score {row['score']} of item {row['item_id']!r} in {row['condition']} lies outside [0, 1]")
    _check_items(cells)
    scored = is_scored().cast(pl.Int64)
    return (
        cells.lazy()
        .filter(pl.col("outcome") != Outcome.UNSUPPORTED.value)
        .group_by("model", "item_id", "task", "cluster", "condition")
        .agg(
            planned=pl.len().cast(pl.Int64),
            scored=scored.sum(),
            total=pl.when(is_scored()).then(pl.col("score")).otherwise(0.0).sum(),
        )
        .with_columns(
            # Averaged within the item before anything else: replicates of an item are not independent items.
            score=pl.when(pl.col("scored") > 0).then(pl.col("total") / pl.col("scored")),
            low=pl.col("total") / pl.col("planned"),
            high=(pl.col("total") + pl.col("planned") - pl.col("scored")) / pl.col("planned"),
        )
        .select(ITEM_SCORES_SCHEMA.names())
        .sort("model", "item_id", "condition")
        .collect()
    )


def _check_items(cells: pl.DataFrame) -> None:
    """Raises ResultsError for an item with two tasks or two clusters."""
    kinds = cells.group_by("item_id").agg(pl.col("task").n_unique(), pl.col("cluster").n_unique())
    for column in ("task", "cluster"):
        bad = kinds.filter(pl.col(column) > 1)
        if bad.height:
            raise ResultsError(
                f"item {bad['item_id'][0]!r} has more than one {column}: items are paired by id, so make the ids unique"
            )


@dataclass(frozen=True, slots=True)
class ModelScores:
    """The scores of one model.

    Attributes:
        items: item ids, shape (items,).
        task: index into `tasks`, shape (items,).
        cluster: cluster code, shape (items,).
        planned, scored: number of planned replicates and of those with a score, shape (items, conditions); `planned` is
            0 for a cell that is not in the plan or not supported.
        score: mean score, NaN without a score, shape (items, conditions).
        low, high: mean with missing replicates as wrong, and as right, shape (items, conditions).
    """

    model: str
    conditions: tuple[str, ...]
    tasks: tuple[str, ...]
    items: npt.NDArray[np.object_]
    task: IntArray
    cluster: IntArray
    planned: IntArray
    scored: IntArray
    score: FloatArray
    low: FloatArray
    high: FloatArray

    def column(self, condition: str) -> int:
        return self.conditions.index(condition)

    def lacking(self, columns: Sequence[int]) -> BoolArray:
        """Whether an item lacks a planned score in one of these conditions, shape (items,)."""
        return np.asarray(np.any(self.scored[:, columns] < self.planned[:, columns], axis=1))

    def where(self, mask: BoolArray) -> ModelScores:
        """The scores of the items in `mask`, shape (items,)."""
        if mask.all():
            return self
        return ModelScores(
            self.model,
            self.conditions,
            self.tasks,
            self.items[mask],
            self.task[mask],
            self.cluster[mask],
            self.planned[mask],
            self.scored[mask],
            self.score[mask],
            self.low[mask],
            self.high[mask],
        )


def ordered_conditions(names: Sequence[str]) -> tuple[str, ...]:
    """The six conditions in their order, then any others by name."""
    known = [name for name in CONDITION_ORDER if name in names]
    return (*known, *sorted(set(names) - set(known)))


def score_matrices(scores: pl.DataFrame) -> list[ModelScores]:
    """Converts a frame of `ITEM_SCORES_SCHEMA` to matrices, one `ModelScores` per model, sorted by name."""
    out: list[ModelScores] = []
    for frame in scores.sort("model", "item_id").partition_by("model", maintain_order=True):
        conditions = ordered_conditions(frame["condition"].unique().to_list())
        items = frame.select("item_id", "task", "cluster").unique(subset="item_id", maintain_order=True)
        tasks = tuple(sorted(items["task"].unique().to_list()))
        rows = _codes(frame["item_id"])
        columns = frame["condition"].replace_strict(list(conditions), list(range(len(conditions)))).to_numpy()
        shape = (items.height, len(conditions))

        def matrix(
            name: str,
            empty: float,
            frame: pl.DataFrame = frame,
            rows: IntArray = rows,
            columns: IntArray = columns,
            shape: tuple[int, int] = shape,
        ) -> FloatArray:
            values = np.full(shape, empty, dtype=np.float64)
            values[rows, columns] = frame[name].cast(pl.Float64).fill_null(empty).to_numpy()
            return values

        out.append(
            ModelScores(
                model=frame["model"][0],
                conditions=conditions,
                tasks=tasks,
                items=items["item_id"].to_numpy().astype(np.object_),
                task=items["task"].replace_strict(list(tasks), list(range(len(tasks)))).to_numpy().astype(np.int64),
                cluster=_codes(items["cluster"]),
                planned=matrix("planned", 0).astype(np.int64),
                scored=matrix("scored", 0).astype(np.int64),
                score=matrix("score", np.nan),
                low=matrix("low", np.nan),
                high=matrix("high", np.nan),
            )
        )
    return out


def _codes(labels: pl.Series) -> IntArray:
    """Dense integer codes in the order of first appearance."""
    _, first, inverse = np.unique(labels.to_numpy(), return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return np.asarray(rank[inverse], dtype=np.int64)


MODELS = Derived(lambda given: score_matrices(item_scores(given.results)))
"""The scores of every model, which most tables are computed from."""

_BLANK = pl.col("own_text").str.strip_chars() == ""


def gives_own_text(by: tuple[str, ...] = ("model", "condition")) -> pl.Expr:
    """True for the conditions in which a model gives own texts next to its speech: at least one is not empty.

    A service without own texts leaves all of them empty, because the contract has no event for "no text". One text
    among the answers shows that the empty ones are empty answers.
    """
    answered = pl.col("outcome") == Outcome.ANSWERED.value
    return (answered & ~_BLANK).fill_null(False).any().over(by)


def own_text_scored(results: pl.DataFrame) -> pl.DataFrame:
    """The results with an `own_text_score` of 0 for an empty own text of a model that gives own texts.

    Null stays null where no text was sent, or where the table has no column `own_text`.
    """
    if "own_text" not in results.columns:
        return results
    empty = (pl.col("outcome") == Outcome.ANSWERED.value) & _BLANK & gives_own_text()
    filled = pl.when(empty.fill_null(False)).then(0.0).otherwise(pl.col("own_text_score"))
    return results.with_columns(own_text_score=pl.coalesce("own_text_score", filled))
