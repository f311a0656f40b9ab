"""Tests of the Rogan-Gladen correction."""

import numpy as np
import pytest

from omnigap_orchestrator.analysis.intervals import clopper_pearson
from omnigap_orchestrator.extras.asr_correction.rogan_gladen import Calibration, correct, corrected


def data(
    rng: np.random.Generator, theta: float, q0: float, q1: float, n: int = 400, m: int = 200
) -> tuple[np.ndarray, np.ndarray, Calibration]:
    """The truth, the verdicts of the scorer, and a calibration of the same scorer."""
    truth = rng.random(n) < theta
    transcribed = np.where(truth, rng.random(n) < q1, rng.random(n) >= q0)
    counts = rng.binomial(m, q1), rng.binomial(m, q0)
    return truth.astype(float), transcribed.astype(float), Calibration("entity", int(counts[0]), m, int(counts[1]), m)


def test_correction_inverts_the_error_model() -> None:
    theta, q0, q1 = 0.6, 0.97, 0.85
    raw = theta * q1 + (1 - theta) * (1 - q0)
    assert corrected(raw, q0, q1) == pytest.approx(theta)


def test_q0_of_995_instead_of_95_shifts_the_score_by_two_points() -> None:
    raw = 0.6 * 0.9 + 0.4 * 0.05
    assert corrected(raw, 0.995, 0.9) - corrected(raw, 0.95, 0.9) == pytest.approx(0.02, abs=0.005)


def test_a_perfect_calibration_still_widens_the_interval() -> None:
    scores = np.array([1.0, 0, 1, 1, 0, 1] * 20)
    kind = np.zeros(120, dtype=np.int64)
    found = correct(scores, kind, (Calibration("entity", 50, 50, 50, 50),), np.arange(120))
    assert found.estimate == pytest.approx(found.raw)
    assert found.calibration_se > 0


def test_the_corrected_score_is_unbiased_and_its_interval_covers() -> None:
    rng = np.random.default_rng(3)
    theta, draws = 0.7, 1500
    found = []
    for _ in range(draws):
        _, transcribed, calibration = data(rng, theta, q0=0.96, q1=0.88)
        found.append(correct(transcribed, np.zeros(400, dtype=np.int64), (calibration,), np.arange(400)))
    raw, estimate = np.array([f.raw for f in found]), np.array([f.estimate for f in found])
    assert abs(raw.mean() - theta) > 0.05
    assert abs(estimate.mean() - theta) < 0.005
    covered = np.mean([f.low <= theta <= f.high for f in found])
    assert 0.93 - 3 * np.sqrt(0.95 * 0.05 / draws) <= covered <= 0.97 + 3 * np.sqrt(0.95 * 0.05 / draws)


def test_the_interval_of_a_gap_includes_the_covariance() -> None:
    rng = np.random.default_rng(4)
    truth, transcribed, calibration = data(rng, 0.7, 0.98, 0.95, n=1000, m=2000)
    kind, cluster = np.zeros(1000, dtype=np.int64), np.arange(1000)
    together = correct(transcribed, kind, (calibration,), cluster, reference=truth)
    apart = correct(transcribed, kind, (calibration,), cluster, reference=rng.permutation(truth))
    assert together.estimate == pytest.approx(apart.estimate)
    assert together.se < 0.6 * apart.se


def test_each_answer_type_has_its_own_calibration() -> None:
    scores, kind = np.array([1.0, 0, 1, 1] * 10), np.array([0, 0, 1, 1] * 10)
    calibrations = (Calibration("entity", 90, 100, 95, 100), Calibration("number", 80, 100, 99, 100))
    found = correct(scores, kind, calibrations, np.arange(40))
    expected = (corrected(0.5, 0.95, 0.9) + corrected(1.0, 0.99, 0.8)) / 2
    assert found.estimate == pytest.approx(expected)
    assert found.estimate > 0.8


def test_interval_of_twenty_right_answers_is_the_scaled_exact_one() -> None:
    calibration = Calibration("entity", 190, 200, 196, 200)
    found = correct(np.ones(20), np.zeros(20, dtype=np.int64), (calibration,), np.arange(20))
    exact = clopper_pearson(20, 20)
    assert found.method == exact.method
    assert found.low <= corrected(exact.low, calibration.q0, calibration.q1)
    assert found.low == pytest.approx(corrected(exact.low, calibration.q0, calibration.q1), abs=0.01)


def test_few_clusters_widen_a_corrected_gap() -> None:
    rng = np.random.default_rng(8)
    truth, transcribed, calibration = data(rng, 0.7, 0.98, 0.95, n=1000, m=2000)
    kind = np.zeros(1000, dtype=np.int64)
    apart = correct(transcribed, kind, (calibration,), np.arange(1000), reference=truth)
    together = correct(transcribed, kind, (calibration,), np.arange(1000) // 100, reference=truth)
    assert (apart.method, together.method) == ("cluster_t", "wild_cluster_webb")
    assert together.estimate == pytest.approx(apart.estimate)


def test_an_estimate_above_one_is_not_clipped() -> None:
    found = correct(np.ones(50), np.zeros(50, dtype=np.int64), (Calibration("n", 80, 100, 99, 100),), np.arange(50))
    assert found.estimate > 1


def test_an_unreliable_scorer_is_refused_with_the_answer_type() -> None:
    found = correct(
        np.ones(50), np.zeros(50, dtype=np.int64), (Calibration("letter", 60, 100, 55, 100),), np.arange(50)
    )
    assert np.isnan(found.estimate)
    assert "'letter'" in found.reason and "0.15" in found.reason
    assert found.raw == 1.0


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="impossible calibration"):
        Calibration("entity", 11, 10, 0, 5)
