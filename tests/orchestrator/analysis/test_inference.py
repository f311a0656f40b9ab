"""Tests that the interval of a difference and its test agree, and that neither depends on names."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from statsmodels.stats.contingency_tables import mcnemar

from omnigap_orchestrator.analysis import AnalysisOptions, IntervalOptions, analyse
from omnigap_orchestrator.analysis.choose_interval import Sample
from omnigap_orchestrator.analysis.inference import agreeing, infer
from omnigap_orchestrator.analysis.intervals import Interval
from tests.orchestrator.analysis.made_up_results import drawn

OPTIONS = IntervalOptions(draws=399)


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """Differences of any kind: binary or graded, single items or clusters, dense or sparse, one-sided or not."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    clusters, size = draw(st.integers(2, 60)), draw(st.sampled_from([1, 1, 2, 5, 12]))
    gained, lost = draw(st.sampled_from([0.0, 0.02, 0.1, 0.3])), draw(st.sampled_from([0.0, 0.02, 0.1, 0.4]))
    spread = draw(st.sampled_from([0.0, 1.0]))
    n = clusters * size
    risk = np.repeat(rng.gamma(1.0, 1.0, clusters) if spread else np.ones(clusters), size)
    place = rng.random(n)
    values = np.where(place < np.minimum(lost * risk, 0.9), -1.0, np.where(place > 1 - gained, 1.0, 0.0))
    binary = draw(st.booleans())
    if not binary:
        values = np.clip(values * rng.uniform(0.3, 1, n) + rng.normal(0, draw(st.sampled_from([0.0, 0.02])), n), -1, 1)
    task = np.repeat(rng.integers(0, 2, clusters), size)
    return Sample(values, np.repeat(np.arange(clusters), size), task, binary, difference=True)


@settings(max_examples=150, deadline=None)
@given(samples(), st.booleans())
def test_an_interval_excludes_0_exactly_if_the_test_rejects(sample: Sample, macro: bool) -> None:
    found = infer(sample, OPTIONS, macro=macro)
    if not np.isnan(found.low):
        assert (not found.low <= 0 <= found.high) == (found.p < 0.05)
        assert found.low <= found.high


@settings(deadline=None)
@given(b=st.integers(0, 60), c=st.integers(0, 60), ties=st.integers(0, 200))
def test_p_of_single_binary_items_is_mcnemars(b: int, c: int, ties: int) -> None:
    values = np.concatenate([-np.ones(b), np.ones(c), np.zeros(ties + 2)])
    sample = Sample(values, np.arange(len(values)), np.zeros(len(values), dtype=np.int64), True, difference=True)
    theirs = mcnemar([[0, b], [c, 0]], exact=True).pvalue if b + c else 1.0
    assert infer(sample, OPTIONS).p == pytest.approx(theirs, rel=1e-9)


@settings(deadline=None)
@given(b=st.integers(0, 40), c=st.integers(0, 40))
def test_a_pair_of_items_without_a_difference_changes_neither_test_nor_interval_much(b: int, c: int) -> None:
    values = np.concatenate([-np.ones(b), np.ones(c), np.zeros(60)])
    n = len(values)
    single = Sample(values, np.arange(n), np.zeros(n, dtype=np.int64), True, difference=True)
    paired = Sample(values, np.append(np.arange(n - 1), n - 2), np.zeros(n, dtype=np.int64), True, difference=True)
    one, other = infer(single, OPTIONS), infer(paired, OPTIONS)
    assert (one.p, one.p_method) == (other.p, other.p_method)
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=0.015)


def test_the_stricter_of_interval_and_test_decides() -> None:
    extended = agreeing(Interval(0.01, 0.2, "tango"), 0.1, 0.06, "sign_flip_exact", 0.95)
    assert (extended.low, extended.high, extended.p, extended.p_method) == (0.0, 0.2, 0.06, "sign_flip_exact")
    at_the_level = agreeing(Interval(0.01, 0.2, "tango"), 0.1, 0.05, "sign_flip_monte_carlo", 0.95)
    assert (at_the_level.low, at_the_level.p) == (0.0, 0.05)
    kept = agreeing(Interval(-0.1, 0.3, "augmented_t"), 0.1, 0.001, "sign_flip_exact", 0.95)
    # The lower side is 0.2, 1.96 standard errors, so the estimate is 0.98 of them from 0.
    assert (kept.low, kept.p_method) == (-0.1, "augmented_t")
    assert kept.p == pytest.approx(0.327, abs=0.001)


@settings(max_examples=8, deadline=None)
@given(
    st.permutations(["alpha", "beta", "M-9", "z" * 40]),
    st.permutations(["places", "science", "language", "A task", "b"]),
    st.sampled_from([(24, 1, True), (30, 3, True), (36, 3, False), (20, 1, False)]),
)
def test_numbers_do_not_depend_on_the_names_of_models_and_tasks(
    models: list[str], tasks: list[str], kind: tuple[int, int, bool]
) -> None:
    items, size, graded = kind
    results = drawn(items, models=("alpha", "beta"), cluster_size=size, graded=graded)
    new = {
        "model": dict(zip(("alpha", "beta"), models, strict=False)),
        "task": dict(zip(("places", "science", "language"), tasks, strict=False)),
    }
    renamed = results.with_columns(pl.col(name).replace_strict(to) for name, to in new.items())
    options = AnalysisOptions(intervals=OPTIONS)
    one, other = analyse(results, options).frames, analyse(renamed, options).frames
    for table in ("gaps", "effects", "gaps_by_task", "accuracy", "accuracy_by_task", "agreement", "waterfall"):
        names = [name for name in new if name in one[table].columns]
        mapped = one[table].with_columns(
            pl.col(name).replace_strict(new[name], default=None).alias(name) for name in names
        )
        numbers = [name for name, kind in one[table].schema.items() if kind.is_numeric()]
        keys = [name for name in one[table].columns if name not in numbers and name not in ("family", "reason")]
        by = [name for name in keys if not name.endswith("method")]
        first, second = (frame.sort(by).select(keys + numbers) for frame in (mapped, other[table]))
        assert_frame_equal(first, second, check_exact=False, abs_tol=1e-9)


def test_one_cluster_has_neither_interval_nor_test() -> None:
    values = np.array([-1.0, -1.0, 0.0])
    found = infer(Sample(values, np.zeros(3, np.int64), np.zeros(3, np.int64), True, difference=True), OPTIONS)
    assert np.isnan(found.p) == np.isnan(found.low)
