"""The tables `accuracy` and `accuracy_by_task`: mean score per model and condition, with intervals and bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from functools import partial

import numpy as np
import polars as pl

from omnigap_orchestrator.analysis.choose_interval import Sample, macro_interval, mean_interval
from omnigap_orchestrator.analysis.contrasts import ITEM_WEIGHTED, MISSING_AS_WRONG, TASK_MACRO, Estimate, pooled_mean
from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.own_text import HEADLINE_MODELS, SOURCES
from omnigap_orchestrator.analysis.pairs import MODELS, ModelScores
from omnigap_orchestrator.analysis.table import AnalysisInput, EstimateColumns, Table, schema_of


@dataclass(frozen=True)
class _AccuracyKey:
    model: str
    condition: str
    task: str | None
    pooling: str
    missing: str


@dataclass(frozen=True, slots=True)
class AccuracyRow(EstimateColumns, _AccuracyKey):
    """Accuracy of one condition.

    `task` is null over all tasks, `pooling` is item_weighted or task_macro, `missing` answered_only or
    missing_as_wrong.
    """


ACCURACY_SCHEMA = schema_of(AccuracyRow)

ANSWERED_ONLY = "answered_only"


Chosen = Callable[[str, str], bool]
"""Whether the accuracy of the named model in the named condition is computed."""


def _every(model: str, condition: str) -> bool:
    return True


def accuracy(
    models: Sequence[ModelScores],
    options: IntervalOptions,
    chosen: Chosen = _every,
    poolings: Sequence[str] = (ITEM_WEIGHTED, TASK_MACRO),
) -> pl.DataFrame:
    """Mean score of every condition, item-weighted and task-macro, on answered items and with missing as wrong.

    Returns:
        A frame of `ACCURACY_SCHEMA`. The bounds count all missing scores as wrong, and as right.
    """
    rows = [
        (scores.model, condition, None, pooling, missing, *_columns(estimate))
        for scores in models
        for condition in scores.conditions
        if chosen(scores.model, condition)
        for pooling in poolings
        for missing, estimate in _estimates(scores, condition, pooling, options)
    ]
    return pl.DataFrame(rows, schema=ACCURACY_SCHEMA, orient="row").fill_nan(None)


def accuracy_by_task(models: Sequence[ModelScores], options: IntervalOptions, chosen: Chosen = _every) -> pl.DataFrame:
    """Mean score of every condition within each task, item-weighted (`ACCURACY_SCHEMA`)."""
    rows = [
        (scores.model, condition, name, ITEM_WEIGHTED, missing, *_columns(estimate))
        for scores in models
        for code, name in enumerate(scores.tasks)
        for part in (scores.where(scores.task == code),)
        for condition in scores.conditions
        if chosen(scores.model, condition)
        for missing, estimate in _estimates(part, condition, ITEM_WEIGHTED, options)
    ]
    return pl.DataFrame(rows, schema=ACCURACY_SCHEMA, orient="row").fill_nan(None)


def _columns(estimate: Estimate) -> tuple[object, ...]:
    return astuple(estimate)[: len(fields(EstimateColumns))]


def _estimates(
    scores: ModelScores, condition: str, pooling: str, options: IntervalOptions
) -> Iterator[tuple[str, Estimate]]:
    column = scores.column(condition)
    # Unsupported cells are in no denominator: a model is not wrong in a modality that it doesn't have.
    planned = scores.where(scores.planned[:, column] > 0)
    if len(planned.task) == 0:
        return
    one_replicate = bool((planned.planned[:, column] == 1).all())
    lacking = int(planned.lacking([column]).sum())
    low, high = (pooled_mean(side[:, column], planned, pooling) for side in (planned.low, planned.high))
    # Without missing scores both treatments are the same number: computed once, so that also the draws are the same.
    first: Estimate | None = None
    for missing, values in ((ANSWERED_ONLY, planned.score[:, column]), (MISSING_AS_WRONG, planned.low[:, column])):
        if first is not None and lacking == 0:
            yield missing, first
            continue
        part = planned.where(~np.isnan(values))
        used = values[~np.isnan(values)]
        # A mean over replicates is not a binomial count, so the exact intervals need one replicate per item.
        sample = Sample(
            used, part.cluster, part.task, one_replicate and bool(np.isin(used, (0.0, 1.0)).all()), difference=False
        )
        choose = mean_interval if pooling == ITEM_WEIGHTED else macro_interval
        interval = choose(sample, options)
        first = Estimate(
            estimate=pooled_mean(used, part, pooling) if len(used) else math.nan,
            low=interval.low,
            high=interval.high,
            method=interval.method,
            se=interval.se,
            n=len(used),
            clusters=len(np.unique(part.cluster)),
            planned=len(planned.task),
            lacking=lacking,
            bound_low=low,
            bound_high=high,
            reason=None if len(used) else f"none of {len(planned.task)} planned items has a score",
        )
        yield missing, first


ACCURACY = Table(
    name="accuracy", row=AccuracyRow, compute=lambda given: accuracy(given[MODELS], given.options.intervals)
)

ACCURACY_BY_TASK = Table(
    name="accuracy_by_task",
    row=AccuracyRow,
    compute=lambda given: accuracy_by_task(given[MODELS], given.options.intervals),
)


@dataclass(frozen=True, slots=True)
class HeadlineAccuracyRow(AccuracyRow):
    """An item-weighted accuracy of the first screen; `source` is own_text or transcript, null for other tools."""

    source: str | None


HEADLINE_ACCURACY_SCHEMA = schema_of(HeadlineAccuracyRow)


def _headline(given: AnalysisInput, table: Table[AccuracyRow], compute: Callable[..., pl.DataFrame]) -> pl.DataFrame:
    """The item-weighted rows of a table, those of replaced conditions computed from the own text."""
    found, base = given[SOURCES], given[table].filter(pl.col("pooling") == ITEM_WEIGHTED)
    own = compute(given[HEADLINE_MODELS], given.options.intervals, lambda *cell: cell in found.replaced)
    key = ["model", "condition", "task", "pooling", "missing"]
    kept = base.join(own.select("model", "condition").unique(), on=["model", "condition"], how="anti")
    order = base.select(key).with_row_index("_place")
    rows = pl.concat([kept, own]).join(order, on=key, how="left", nulls_equal=True).sort("_place")
    source = [found.by_condition.get(cell) for cell in rows.select("model", "condition").iter_rows()]
    return rows.with_columns(pl.Series("source", source, dtype=pl.String)).select(HEADLINE_ACCURACY_SCHEMA.names())


HEADLINE_ACCURACY = Table(
    name="headline_accuracy",
    row=HeadlineAccuracyRow,
    compute=lambda given: _headline(given, ACCURACY, partial(accuracy, poolings=(ITEM_WEIGHTED,))),
)

HEADLINE_ACCURACY_BY_TASK = Table(
    name="headline_accuracy_by_task",
    row=HeadlineAccuracyRow,
    compute=lambda given: _headline(given, ACCURACY_BY_TASK, accuracy_by_task),
)
