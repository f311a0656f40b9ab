"""Tests of gaps by architecture type."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from omnigap_orchestrator.analysis import analyse
from omnigap_orchestrator.analysis.architecture import permutation_p
from tests.orchestrator.analysis.made_up_results import drawn


def types(first: int, second: int) -> pl.DataFrame:
    models = [f"m{i}" for i in range(first + second)]
    frame = drawn(60, models=models)
    return frame.with_columns(
        architecture=pl.when(pl.col("model").is_in(models[:first])).then(pl.lit("cascade")).otherwise(pl.lit("moe"))
    )


def test_types_with_few_models_are_not_tested() -> None:
    result = analyse(types(2, 3))
    assert result.frames["architecture_models"].filter(condition="s2t").height == 5
    assert result.frames["architecture_tests"]["p"].null_count() == result.frames["architecture_tests"].height == 5
    assert "2 and 3 models" in result.frames["architecture_tests"]["reason"][0]


def test_the_mean_of_a_type_weights_models_equally() -> None:
    result = analyse(types(3, 1))
    each = result.frames["architecture_models"].filter(condition="s2t", architecture="cascade")
    row = result.frames["architectures"].filter(condition="s2t", architecture="cascade").row(0, named=True)
    values = each["gap"].to_numpy()
    assert row["mean_gap"] == pytest.approx(values.mean())
    assert each["mean_without"].to_list() == pytest.approx([np.delete(values, i).mean() for i in range(3)])
    assert row["leave_one_out_low"] == pytest.approx(each["mean_without"].min())
    lone = result.frames["architectures"].filter(condition="s2t", architecture="moe").row(0, named=True)
    assert lone["models"] == 1 and lone["leave_one_out_low"] is None and lone["most_influential"] is None


def test_four_models_per_type_get_a_permutation_test() -> None:
    tests = analyse(types(4, 4)).frames["architecture_tests"]
    assert tests["p"].null_count() == 0
    assert (tests["p"] >= 2 / 70 - 1e-12).all()


def test_three_against_three_cannot_reach_ten_percent() -> None:
    assert permutation_p(np.array([1.0, 1, 1]), np.array([0.0, 0, 0])) == pytest.approx(0.1)
