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
from omnigap_orchestrator.analysis.consistency import COMPARABLE, RIGHT_AT, has_answers
from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.pairs import MODELS, BoolArray, IntArray, ModelScores
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
    # Equal answers have equal codes, from 1.
    coded = answers.with_columns(code=pl.col("answer").rank("dense").cast(pl.Int64))
    rows: list[tuple[object, ...]] = []
    for scores in models:
        codes = _codes(scores, coded.filter(model=scores.model))
        for first, second in input_pairs(scores.conditions):
            columns = [scores.column(first), scores.column(second)]
            planned = np.all(scores.planned[:, columns] > 0, axis=1)
            answered = np.all((codes[:, columns] > 0) & ~np.isnan(scores.score[:, columns]), axis=1)
            used = planned & answered
            if not used.any():
                continue
            held, texts = scores.where(used), codes[used][:, columns]
            same = np.asarray(texts[:, 0] == texts[:, 1])
            right = np.asarray(held.score[:, columns] >= RIGHT_AT)
            sample = Sample(same.astype(np.float64), held.cluster, held.task, binary=True, difference=False)
            interval = mean_interval(sample, options)
            limits = (interval.low, interval.high, interval.method)
            counts = (len(same), len(np.unique(held.cluster)), int(planned.sum()))
            any_right = np.any(right, axis=1)
            shares = [_share(part) for part in (same & any_right, same & ~any_right, ~same & any_right)]
            rows.append(
                (scores.model, first, second, _share(same), *limits, *counts, *shares, _share(~same & ~any_right))
            )
    return pl.DataFrame(rows, schema=CROSS_MODAL_SCHEMA, orient="row").fill_nan(None)


def _codes(scores: ModelScores, coded: pl.DataFrame) -> IntArray:
    """The code of each answer of a model, 0 without one, shape (items, conditions)."""
    places = pl.DataFrame({"item_id": scores.items.astype(str), "_row": np.arange(len(scores.items))})
    columns = pl.DataFrame({"condition": scores.conditions, "_column": range(len(scores.conditions))})
    found = coded.join(places, on="item_id").join(columns, on="condition")
    out = np.zeros((len(scores.items), len(scores.conditions)), dtype=np.int64)
    out[found["_row"].to_numpy(), found["_column"].to_numpy()] = found["code"].to_numpy()
    return out


def _share(mask: BoolArray) -> float:
    return float(mask.mean()) if len(mask) else math.nan


def _cross_modal(given: AnalysisInput) -> pl.DataFrame:
    if not has_answers(given.results):
        return CROSS_MODAL_SCHEMA.to_frame()
    return cross_modal(given[MODELS], given[COMPARABLE], given.options.intervals)


CROSS_MODAL = Table(name="cross_modal", row=CrossModalRow, compute=_cross_modal)
