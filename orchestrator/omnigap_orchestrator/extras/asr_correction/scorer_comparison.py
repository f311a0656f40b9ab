"""Compares the scores from two ASR scorers on the answers that both have transcribed, paired by item."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from omnigap_orchestrator.analysis.choose_interval import Sample, mean_interval
from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray, is_scored


@dataclass(frozen=True, slots=True)
class ScorerComparison:
    """Two scorers on one condition; replicates are averaged within the item, NaN without common answers.

    Attributes:
        score, first_score, n: mean over items from the second and from the first scorer, and the number of items.
        cells: number of answers that both have transcribed.
        difference: second minus first, with its interval and the interval's method.
        gap, first_gap, gap_n: mean gap from each scorer, over the items that have a reference score as well.
    """

    score: float = np.nan
    first_score: float = np.nan
    n: int = 0
    cells: int = 0
    difference: float = np.nan
    low: float = np.nan
    high: float = np.nan
    method: str | None = None
    gap: float = np.nan
    first_gap: float = np.nan
    gap_n: int = 0


def scorer_comparisons(
    results: pl.DataFrame, reference: str, spoken: Iterable[tuple[str, str]], options: IntervalOptions
) -> dict[tuple[str, str], ScorerComparison]:
    """The comparison of every spoken condition, by (model, condition); empty without a column `second_score`.

    Args:
        results: `second_score` is the score of the second scorer's transcript, null where it has none.
        spoken: (model, condition) pairs whose answers are transcribed. If the reference is among them, each scorer's
            gap uses its own reference scores; a text reference is the same for both.
    """
    if "second_score" not in results.columns:
        return {}
    scored = results.filter(is_scored()).with_columns(pl.col("cluster").fill_null(pl.col("item_id")))
    both = _by_item(scored.filter(pl.col("second_score").is_not_null()))
    written = _by_item(scored.filter(condition=reference).with_columns(second_score=pl.col("score")))
    pairs = set(spoken)
    out: dict[tuple[str, str], ScorerComparison] = {}
    for model, condition in sorted(pairs):
        held = both.filter(model=model, condition=condition)
        if held.is_empty():
            continue
        # A text reference needs no transcript: the second scorer's score is the first one's.
        ends = (both if (model, reference) in pairs else written).filter(model=model, condition=reference)
        paired = held.join(ends.select("item_id", base="score", second_base="second_score"), on="item_id")
        out[model, condition] = _comparison(held, paired.clear() if condition == reference else paired, options)
    return out


def _by_item(cells: pl.DataFrame) -> pl.DataFrame:
    return (
        cells.group_by("model", "condition", "item_id", "task", "cluster")
        .agg(pl.col("score").mean(), pl.col("second_score").mean(), cells=pl.len())
        .sort("model", "condition", "item_id")
    )


def _comparison(held: pl.DataFrame, paired: pl.DataFrame, options: IntervalOptions) -> ScorerComparison:
    first, second = _values(held, "score"), _values(held, "second_score")
    # Paired by item: both scorers judged the same audio, so most of the variance cancels.
    apart = second - first
    binary = bool((held["cells"] == 1).all() and np.isin(np.concatenate([first, second]), (0.0, 1.0)).all())
    sample = Sample(apart, _codes(held["cluster"]), _codes(held["task"]), binary, difference=True)
    interval = mean_interval(sample, options)
    base, second_base = _values(paired, "base"), _values(paired, "second_base")
    return ScorerComparison(
        score=float(second.mean()),
        first_score=float(first.mean()),
        n=held.height,
        cells=int(held["cells"].sum()),
        difference=float(apart.mean()),
        low=interval.low,
        high=interval.high,
        method=interval.method,
        gap=_mean(_values(paired, "second_score") - second_base),
        first_gap=_mean(_values(paired, "score") - base),
        gap_n=paired.height,
    )


def _values(frame: pl.DataFrame, name: str) -> FloatArray:
    return frame[name].cast(pl.Float64).to_numpy()


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if len(values) else np.nan


def _codes(labels: pl.Series) -> IntArray:
    _, codes = np.unique(labels.to_numpy().astype(str), return_inverse=True)
    return np.asarray(codes, dtype=np.int64)
