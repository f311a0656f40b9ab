"""Tests of kappa and phi."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.inter_rater import cohens_kappa

from omnigap_orchestrator.analysis import IntervalOptions, item_scores, score_matrices
from omnigap_orchestrator.analysis.agreement import BOOTSTRAP, JEFFREYS, agreement, kappa_and_phi, pairwise_agreement
from tests.orchestrator.analysis.made_up_results import drawn


def test_kappa_and_phi_match_statsmodels_and_scipy() -> None:
    results = drawn(300)
    frame = pairwise_agreement(score_matrices(item_scores(results)), IntervalOptions(draws=499))
    assert frame.height == 15
    row = frame.filter(first="t2t", second="i2s").row(0, named=True)
    counts = np.array([[row["both_right"], row["first_only"]], [row["second_only"], row["both_wrong"]]])
    assert counts.sum() == row["n"] == 300
    assert row["kappa"] == pytest.approx(cohens_kappa(counts).kappa, abs=1e-10)
    assert row["phi"] == pytest.approx(stats.contingency.association(counts, method="cramer"), abs=1e-10)
    assert row["kappa_low"] < row["kappa"] < row["kappa_high"]


def test_kappa_and_phi_are_undefined_without_variation() -> None:
    kappa, phi = kappa_and_phi(np.array([[10.0, 5, 0, 0], [10, 5, 3, 6]]))
    assert np.isnan([kappa[0], phi[0]]).all()
    assert np.isfinite([kappa[1], phi[1]]).all()


def test_kappa_is_symmetric_in_the_conditions() -> None:
    cells = np.repeat(np.eye(4), [300, 3, 30, 67], axis=0)
    options = IntervalOptions(draws=499)
    first, second = agreement(cells, 1, options), agreement(cells[:, [0, 2, 1, 3]], 1, options)
    assert first.method == second.method == BOOTSTRAP
    assert first.kappa == pytest.approx(second.kappa)


def test_few_disagreements_get_the_jeffreys_posterior() -> None:
    cells = np.repeat(np.eye(4), [330, 3, 3, 64], axis=0)
    assert agreement(cells, 1, IntervalOptions(draws=499)).method == JEFFREYS
