"""Tests of the seeded cluster bootstraps."""

from __future__ import annotations

import numpy as np
import pytest

from omnigap_orchestrator.analysis.bootstrap import studentised_cluster, wild_cluster
from omnigap_orchestrator.analysis.intervals import (
    ClusterTotals,
    cluster_t,
)


@pytest.mark.parametrize("bootstrap", [wild_cluster, studentised_cluster])
def test_a_bootstrap_is_seeded_and_ignores_labels_and_order(bootstrap: object) -> None:
    rng = np.random.default_rng(2)
    values, cluster = rng.normal(0.2, 1, 60), np.repeat(np.arange(20), 3)
    order = rng.permutation(60)
    one = bootstrap(ClusterTotals.of(values, cluster), 0.95, 9, 999, 5.0)
    other = bootstrap(ClusterTotals.of(values[order], 100 - cluster[order]), 0.95, 9, 999, 5.0)
    assert (one.low, one.high, one.p) == pytest.approx((other.low, other.high, other.p), abs=1e-9)
    assert bootstrap(ClusterTotals.of(values, cluster), 0.95, 10, 999, 5.0).low != one.low


def test_studentised_bootstrap_mirrors_when_conditions_are_swapped() -> None:
    values = np.random.default_rng(4).normal(0.3, 1, 25)
    one = studentised_cluster(ClusterTotals.of(values, np.arange(25)), 0.95, 1, 999, 5.0)
    other = studentised_cluster(ClusterTotals.of(-values, np.arange(25)), 0.95, 1, 999, 5.0)
    assert (one.low, one.high) == (-other.high, -other.low)


def test_bootstraps_are_close_to_t_for_large_samples() -> None:
    values = np.random.default_rng(6).normal(0.1, 0.3, 400)
    totals = ClusterTotals.of(values, np.arange(400))
    t = cluster_t(totals)
    for other in (wild_cluster(totals, 0.95, 1, 4999), studentised_cluster(totals, 0.95, 1, 4999)):
        assert (other.low, other.high) == pytest.approx((t.low, t.high), abs=0.1 * (t.high - t.low))
        assert other.p == pytest.approx(t.p, abs=0.01)


def test_wild_interval_inverts_its_test() -> None:
    values, cluster = np.random.default_rng(8).normal(0.1, 0.3, 60), np.repeat(np.arange(15), 4)
    interval = wild_cluster(ClusterTotals.of(values, cluster), 0.95, 3, 1999)
    moved = wild_cluster(ClusterTotals.of(values - interval.low, cluster), 0.95, 3, 1999)
    assert moved.p == pytest.approx(0.05, abs=0.003)
