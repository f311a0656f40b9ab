"""Tests of the sign-flip test against McNemar, all choices of signs, and scipy's permutation test."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from omnigap_orchestrator.analysis.sign_flip import EXACT, MONTE_CARLO, sign_flip_p

SEED, DRAWS = 1, 1999


def by_hand(sums: list[float]) -> float:
    """The share of all choices of signs whose sum is at least as far from 0 as the observed one."""
    signs = np.array(list(itertools.product((-1, 1), repeat=len(sums))))
    return float(np.mean(np.abs(signs @ np.array(sums)) >= abs(sum(sums)) - 1e-9))


@settings(deadline=None)
@given(b=st.integers(0, 400), c=st.integers(0, 400), ties=st.integers(0, 50))
def test_single_binary_items_give_the_exact_mcnemar_test(b: int, c: int, ties: int) -> None:
    theirs = mcnemar([[ties, b], [c, ties]], exact=True).pvalue if b + c else 1.0
    p, method = sign_flip_p(np.concatenate([-np.ones(b), np.ones(c), np.zeros(ties)]), SEED, DRAWS)
    assert method == EXACT
    assert p == pytest.approx(theirs, rel=1e-9)


@settings(deadline=None)
@given(st.lists(st.integers(-4, 4), min_size=1, max_size=11), st.sampled_from([1.0, 0.5, 1 / 3, 0.07]))
def test_sums_on_a_lattice_are_exact(steps: list[int], unit: float) -> None:
    sums = [step * unit for step in steps]
    p, method = sign_flip_p(np.array(sums), SEED, DRAWS)
    assert method == EXACT
    assert p == pytest.approx(by_hand(sums), abs=1e-9)


@settings(deadline=None)
@given(st.lists(st.floats(-1, 1, allow_subnormal=False).filter(lambda x: abs(x) > 1e-3), min_size=1, max_size=11))
def test_few_clusters_are_exact(sums: list[float]) -> None:
    p, method = sign_flip_p(np.array(sums), SEED, DRAWS)
    assert method == EXACT
    assert p == pytest.approx(by_hand(sums), abs=1e-9)


def test_twenty_clusters_are_enumerated_and_more_are_drawn() -> None:
    values = np.random.default_rng(2).normal(0.3, 1, 30)
    assert sign_flip_p(values[:20], SEED, DRAWS)[1] == EXACT
    p, method = sign_flip_p(values, SEED, 19_999)
    theirs = stats.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=19_999, rng=3)
    assert method == MONTE_CARLO
    assert p == pytest.approx(theirs.pvalue, abs=0.015)


def test_monte_carlo_p_is_seeded_and_never_0() -> None:
    values = np.random.default_rng(4).normal(2, 1, 40)
    assert sign_flip_p(values, 7, 999) == (1 / 1000, MONTE_CARLO)
    noise = np.random.default_rng(5).normal(0.1, 1, 40)
    assert sign_flip_p(noise, 7, 999) == sign_flip_p(noise, 7, 999) != sign_flip_p(noise, 8, 999)


def test_many_clusters_of_few_sizes_are_drawn_by_size() -> None:
    # The weights of a mean of task means: two sizes without a common unit.
    rng = np.random.default_rng(6)
    sums = rng.choice([-1.0, 1.0], 3000, p=[0.48, 0.52]) * np.where(np.arange(3000) < 2000, 0.1, np.pi / 10)
    p, method = sign_flip_p(sums, SEED, 19_999)
    z = abs(sums.sum()) / np.sqrt(np.square(sums).sum())
    assert method == MONTE_CARLO
    assert p == pytest.approx(2 * stats.norm.sf(z), abs=0.015)


@settings(deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=40))
def test_a_cluster_without_a_difference_changes_nothing(sums: list[int]) -> None:
    values = np.array(sums, dtype=np.float64)
    assert sign_flip_p(np.append(values, 0.0), SEED, DRAWS) == sign_flip_p(values, SEED, DRAWS)


@settings(deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=40))
def test_p_does_not_depend_on_the_direction_or_the_order(sums: list[int]) -> None:
    values = np.array(sums, dtype=np.float64)
    assert sign_flip_p(-values[::-1], SEED, DRAWS) == sign_flip_p(values, SEED, DRAWS)


def test_p_is_uniform_or_larger_if_the_conditions_are_exchangeable() -> None:
    rng = np.random.default_rng(8)
    for size in (1, 5):
        p = []
        for _ in range(400):
            first, second = (rng.random((30, size)) < rng.random((30, 1)) for _ in range(2))
            swap = rng.random((30, 1)) < 0.5
            sums = (np.where(swap, first, second).astype(int) - np.where(swap, second, first)).sum(axis=1)
            p.append(sign_flip_p(sums.astype(np.float64), SEED, DRAWS)[0])
        assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)
