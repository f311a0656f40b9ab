"""The rows of the analysis that the report leads with: item-weighted, on answered cells and pairs."""

from __future__ import annotations

from typing import Any

import polars as pl

from omnigap_orchestrator.analysis import Analysis


def headline_gaps(analysis: Analysis, model: str | None = None) -> pl.DataFrame:
    """The gaps that the matrix and the forest show."""
    return _headline(analysis.gaps, "answered_pairs", model)


def headline_task_gaps(analysis: Analysis, model: str | None = None) -> pl.DataFrame:
    return _headline(analysis.gaps_by_task, "answered_pairs", model)


def headline_effects(analysis: Analysis, model: str | None = None) -> pl.DataFrame:
    return _headline(analysis.effects, "answered_pairs", model)


def headline_accuracy(analysis: Analysis, model: str | None = None) -> pl.DataFrame:
    return _headline(analysis.accuracy, "answered_only", model)


def headline_task_accuracy(analysis: Analysis, model: str | None = None) -> pl.DataFrame:
    return _headline(analysis.accuracy_by_task, "answered_only", model)


def models_of(analysis: Analysis) -> list[str]:
    """Every model that has planned cells, in the order of the denominators."""
    return analysis.conditions["model"].unique(maintain_order=True).to_list()


def alpha(analysis: Analysis) -> float:
    """1 - level, without the noise of the subtraction."""
    return round(1 - analysis.options.intervals.level, 10)


def level_words(analysis: Analysis) -> str:
    return f"{100 * analysis.options.intervals.level:g} %"


def by_condition(frame: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """One model's rows by condition, for look-ups while a matrix is drawn."""
    return {row["condition"]: row for row in frame.iter_rows(named=True)}


def _headline(frame: pl.DataFrame, missing: str, model: str | None) -> pl.DataFrame:
    chosen = frame.filter((pl.col("pooling") == "item_weighted") & (pl.col("missing") == missing))
    return chosen if model is None else chosen.filter(pl.col("model") == model)
