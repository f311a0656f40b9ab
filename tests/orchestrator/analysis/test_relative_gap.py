"""Tests of gaps relative to what the reference shows above chance."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from omnigap_orchestrator.analysis import AnalysisOptions, analyse
from omnigap_orchestrator.analysis.relative_gap import ratio_limits
from tests.orchestrator.analysis.made_up_results import paired
from tests.orchestrator.analysis.random_results import random_results


def relative(frame: pl.DataFrame, chance: float | None = 0.25) -> dict[str, object]:
    return analyse(frame, AnalysisOptions(chance=chance)).frames["relative_gaps"].row(0, named=True)


def right(n: int, share: float) -> list[float]:
    return [float(i < round(share * n)) for i in range(n)]


def test_a_gap_is_divided_by_what_the_reference_shows_above_chance() -> None:
    """85 % against 55 % at four choices: half of the 60 points above chance is lost."""
    row = relative(paired(right(200, 0.85), right(200, 0.55)))
    assert row["estimate"] == pytest.approx(-0.5)
    assert (row["gap"], row["above_chance"], row["chance"]) == (pytest.approx(-0.3), pytest.approx(0.6), 0.25)
    assert row["low"] < -0.5 < row["high"] < 0 and row["method"] == "mover_ratio"


def test_models_of_different_strength_compare() -> None:
    strong = relative(paired(right(200, 0.85), right(200, 0.7)))
    weak = relative(paired(right(200, 0.45), right(200, 0.4)))
    assert strong["gap"] < weak["gap"]
    assert strong["estimate"] == pytest.approx(weak["estimate"])


def test_no_ratio_where_the_reference_is_not_shown_to_be_above_chance() -> None:
    row = relative(paired(right(40, 0.3), right(40, 0.2)))
    assert row["estimate"] is None and row["low"] is None
    assert row["reason"] == "t2t is not shown to be above chance (25.0 %)"
    assert row["gap"] == pytest.approx(-0.1)


def test_an_unknown_chance_is_named_and_a_free_answer_has_none() -> None:
    frame = paired(right(40, 0.8), right(40, 0.6), answer_type="letter")
    assert "chance of 40 of 40 items is unknown" in str(relative(frame, None)["reason"])
    assert relative(paired(right(40, 0.8), right(40, 0.6)), None)["estimate"] == pytest.approx(-0.25)


def test_a_refused_gap_has_no_ratio() -> None:
    frame = paired(right(40, 0.8), right(40, 0.6))
    gone = (pl.col("condition") == "s2t") & pl.col("item_id").is_in(["q0", "q1", "q2"])
    frame = frame.with_columns(
        score=pl.when(~gone).then("score"), outcome=pl.when(gone).then(pl.lit("failed")).otherwise("outcome")
    )
    row = relative(frame)
    assert row["estimate"] is None and str(row["reason"]).startswith("refused: 3 of 40 planned pairs lack a score")


@given(
    st.floats(-0.9, 0.9),
    st.floats(0.01, 0.3),
    st.floats(0.05, 0.9),
    st.floats(0.01, 0.04),
    st.floats(-0.95, 0.95),
)
@settings(max_examples=200, deadline=None)
def test_symmetric_limits_give_fiellers_interval(a: float, half_a: float, b: float, half_b: float, rho: float) -> None:
    low, high = ratio_limits((a, a - half_a, a + half_a), (b, b - half_b, b + half_b), rho)
    z = stats.norm.ppf(0.975)
    se_a, se_b = half_a / z, half_b / z
    for limit in (low, high):
        # Fieller: the ratios that a z test of a - r b = 0 just accepts.
        spread = se_a**2 + (limit * se_b) ** 2 - 2 * limit * rho * se_a * se_b
        assert (a - limit * b) ** 2 == pytest.approx(z * z * spread, rel=1e-6, abs=1e-12)
    assert low <= a / b <= high


@given(st.floats(-0.9, 0.9), st.floats(0, 0.4), st.floats(0, 0.4), st.floats(0.1, 0.9), st.floats(-1, 1))
@settings(max_examples=200, deadline=None)
def test_the_ratio_excludes_zero_exactly_where_the_gap_does(
    a: float, below: float, above: float, b: float, rho: float
) -> None:
    limits = ratio_limits((a, a - below, a + above), (b, 0.6 * b, 1.2 * b), rho)
    assume(min(abs(a - below), abs(a + above)) > 1e-6)
    assert [np.sign(limit) for limit in limits] == [np.sign(a - below), np.sign(a + above)]


def test_a_denominator_that_may_double_has_no_limits() -> None:
    assert all(math.isnan(x) for x in ratio_limits((-0.1, -0.2, 0.0), (0.1, 0.01, 0.2), 0.0))


@given(random_results())
@settings(max_examples=20, deadline=None)
def test_the_estimate_lies_within_its_limits(results: pl.DataFrame) -> None:
    frame = analyse(results).frames["relative_gaps"].drop_nulls("low")
    assert ((frame["low"] <= frame["estimate"] + 1e-9) & (frame["estimate"] <= frame["high"] + 1e-9)).all()


def test_the_gap_and_its_interval_are_those_of_the_table_of_gaps() -> None:
    analysis = analyse(paired(right(60, 0.85), right(60, 0.75)), AnalysisOptions(chance=0.25))
    gap = analysis.frames["gaps"].filter(pooling="item_weighted", missing="answered_pairs").row(0, named=True)
    row = analysis.frames["relative_gaps"].row(0, named=True)
    assert row["gap"] == gap["estimate"] and (row["high"] < 0) == (gap["high"] < 0)
