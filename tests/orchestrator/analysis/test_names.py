"""Renaming models and tasks changes no number of an analysis: no seed and no order depends on a name."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings

from omnigap_orchestrator.analysis import AnalysisOptions, IntervalOptions, MissingRule, analyse
from tests.orchestrator.analysis.random_results import random_results

OPTIONS = AnalysisOptions(intervals=IntervalOptions(draws=199), missing=MissingRule(allow=True))

# In another order than the old names.
MODELS = {"alpha": "zeta", "beta": "a model"}
TASKS = {"places": "zoo", "science": "math", "language": "arts"}
BACK = {new: old for old, new in (*MODELS.items(), *TASKS.items())}

NAMED = ("family", "reason", "most_influential")
"""Texts that quote a name."""


def rows(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows sorted by everything that is not a measured number."""
    keys = [name for name in frame.columns if name not in NAMED and not frame[name].dtype.is_float()]
    own = ("quantile",) if "quantile" in frame.columns else ()
    return frame.drop(NAMED, strict=False).sort([*keys, *own], nulls_last=True)


@given(random_results(models=("alpha", "beta")))
@settings(max_examples=10, deadline=None)
def test_other_names_give_the_same_numbers(results: pl.DataFrame) -> None:
    renamed = results.with_columns(pl.col("model").replace(MODELS), pl.col("task").replace(TASKS))
    first, second = analyse(results, OPTIONS), analyse(renamed, OPTIONS)
    for name, frame in first.frames.items():
        back = second.frames[name].with_columns(
            pl.col(column).replace(BACK) for column in ("model", "task") if column in frame.columns
        )
        one, other = rows(frame), rows(back)
        for column in one.columns:
            if one[column].dtype.is_float():
                # Sums over tasks in another order may differ in the last digit.
                values = [f[column].fill_null(float("nan")).to_numpy() for f in (one, other)]
                assert np.allclose(*values, rtol=1e-9, atol=1e-12, equal_nan=True), (name, column)
            else:
                assert one[column].equals(other[column]), (name, column)
