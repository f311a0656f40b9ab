"""The table `cross_modal`: cross-modal consistency, whether the same question in another modality gets the same answer.

Defined by arXiv 2411.09273 for a pair of modalities a and b: a model M is consistent on an instance d with query q if
M(d, q) = M(K(d), q), where the converter K turns d from a into b and keeps the information; the score of a task is the
mean over its instances. Here K is the carrier: typed, spoken and shown forms of one question. Only the input differs
within a pair, so both answers are given in the same modality.

It differs from its neighbours:
- RER asks for one answer in *all* conditions, spoken answers included; it is at most the smallest of these shares
- CFR and MMC look at right and wrong only, and CFR leaves out items that are wrong everywhere: two equal wrong answers
  are consistent here, two different wrong answers are not
- kappa compares right and wrong of a pair beyond the agreement that its two accuracies give by chance; this share does
  not subtract anything: a model that always answers "Paris" has 100 % here, and no kappa
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from omnigap_orchestrator.analysis.choose_interval import Sample, mean_interval
from omnigap_orchestrator.analysis.consistency import RIGHT_AT, comparable_answers, has_answers
from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.pairs import MODELS, BoolArray, ModelScores
from omnigap_orchestrator.analysis.table import AnalysisInput, IntervalColumns, Table, schema_of


@dataclass(frozen=True)
class _PairKey:
    model: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class CrossModalRow(IntervalColumns, _PairKey):
    """Share of items with the same answer in two conditions that differ in the input modality only.

    The shares of right and wrong answers are of the same `n` items.
    """

    same_right: float | None
    same_wrong: float | None
    # Different answers of which one is right, and of which none is.
    one_right: float | None
    both_wrong: float | None


CROSS_MODAL_SCHEMA = schema_of(CrossModalRow)


def input_pairs(conditions: Sequence[str]) -> list[tuple[str, str]]:
    """The pairs of conditions with the same output; all pairs if a condition is not named input, 2, output."""
    pairs = list(itertools.combinations(conditions, 2))
    if all(len(name) == 3 and name[1] == "2" for name in conditions):
        return [(first, second) for first, second in pairs if first[2] == second[2]]
    return pairs


def cross_modal(models: Sequence[ModelScores], answers: pl.DataFrame, options: IntervalOptions) -> pl.DataFrame:
    """Cross-modal consistency of every pair of input modalities, on the items with an answer and a score in both.

    Args:
        answers: `comparable_answers` of the same results.

    Returns:
        A frame of `CROSS_MODAL_SCHEMA`; models without answers have no rows.
    """
    parts = answers.partition_by("model", "condition", as_dict=True)
    texts = {key: dict(part.select("item_id", "answer").iter_rows()) for key, part in parts.items()}
    rows: list[tuple[object, ...]] = []
    for scores in models:
        for first, second in input_pairs(scores.conditions):
            one, other = (texts.get((scores.model, name), {}) for name in (first, second))
            columns = [scores.column(first), scores.column(second)]
            planned = scores.where(np.all(scores.planned[:, columns] > 0, axis=1))
            answered = np.array([item in one and item in other for item in planned.items], dtype=np.bool_)
            held = planned.where(answered & ~np.any(np.isnan(planned.score[:, columns]), axis=1))
            if not one or not other or not len(held.items):
                continue
            same = np.array([one[item] == other[item] for item in held.items], dtype=np.bool_)
            right = np.asarray(held.score[:, columns] >= RIGHT_AT)
            sample = Sample(same.astype(np.float64), held.cluster, held.task, binary=True, difference=False)
            interval = mean_interval(sample, options)
            limits = (interval.low, interval.high, interval.method)
            counts = (len(same), len(np.unique(held.cluster)), len(planned.items))
            any_right = np.any(right, axis=1)
            shares = [_share(part) for part in (same & any_right, same & ~any_right, ~same & any_right)]
            rows.append(
                (scores.model, first, second, _share(same), *limits, *counts, *shares, _share(~same & ~any_right))
            )
    return pl.DataFrame(rows, schema=CROSS_MODAL_SCHEMA, orient="row").fill_nan(None)


def _share(mask: BoolArray) -> float:
    return float(mask.mean()) if len(mask) else math.nan


def _cross_modal(given: AnalysisInput) -> pl.DataFrame:
    if not has_answers(given.results):
        return CROSS_MODAL_SCHEMA.to_frame()
    return cross_modal(given[MODELS], comparable_answers(given.results), given.options.intervals)


CROSS_MODAL = Table(name="cross_modal", row=CrossModalRow, compute=_cross_modal)
