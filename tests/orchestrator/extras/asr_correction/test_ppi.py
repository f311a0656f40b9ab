"""Tests of PPI++: the formulas of the paper, survey weights, and coverage of the intervals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray
from omnigap_orchestrator.extras.asr_correction.influence import Labelled
from omnigap_orchestrator.extras.asr_correction.ppi import ppi_difference, ppi_mean

RNG = np.random.default_rng


def of_the_paper(
    y: FloatArray, f: FloatArray, rest: FloatArray, lam: float | None = None
) -> tuple[float, float, float]:
    """Lambda, estimate and SE as the package ppi-python (0.2.3) computes them for a mean.

    `ppi_mean_ci`: rectifier over n labelled answers, imputed mean over N others, lambda cut to [0, 1].
    """
    n, more = len(y), len(rest)
    if lam is None:
        pooled = np.concatenate([f, rest]).var(ddof=1)
        lam = float(np.clip(np.cov(y, f, bias=True)[0, 1] / ((1 + n / more) * pooled), 0, 1))
    estimate = lam * rest.mean() + (y - lam * f).mean()
    return lam, float(estimate), float(np.sqrt(lam**2 * rest.var() / more + (y - lam * f).var() / n))


def simple(f: FloatArray, y: FloatArray, n: int) -> Labelled:
    """The first n answers are labelled, all drawn alike."""
    label = np.full(len(f), np.nan)
    label[:n] = y[:n]
    zero = np.zeros(len(f), dtype=np.int64)
    return Labelled(f, label, np.ones(len(f)), zero, np.arange(len(f)))


def drawn(seed: int, total: int = 6000) -> tuple[FloatArray, FloatArray]:
    rng = RNG(seed)
    f = rng.normal(size=total)
    return f, 0.7 * f + 0.5 * rng.normal(size=total) + 1


def test_with_a_fixed_lambda_it_is_the_estimator_of_the_paper() -> None:
    f, y = drawn(1)
    for lam in (0.0, 0.4, 1.0):
        n, more = 500, len(f) - 500
        _, estimate, se = of_the_paper(y[:n], f[:n], f[n:], lam)
        # Their mean of the others is our mean of all: the same weight, scaled.
        found = ppi_mean(simple(f, y, n), lam=lam * len(f) / more)
        assert found.estimate == pytest.approx(estimate, abs=1e-12)
        assert found.se == pytest.approx(se, rel=0.02)


def test_the_tuned_lambda_is_close_to_that_of_the_paper() -> None:
    f, y = drawn(2, total=60_000)
    n = 20_000
    lam, estimate, se = of_the_paper(y[:n], f[:n], f[n:])
    found = ppi_mean(simple(f, y, n))
    assert found.lam[0] * (len(f) - n) / len(f) == pytest.approx(lam, rel=0.02)
    assert found.estimate == pytest.approx(estimate, abs=0.001)
    assert found.se == pytest.approx(se, rel=0.01)


def test_the_tuned_lambda_has_the_smallest_error() -> None:
    f, y = drawn(3)
    sample = simple(f, y, 300)
    tuned = ppi_mean(sample)
    # Not the very smallest: no label tunes its own weight.
    assert all(tuned.se <= ppi_mean(sample, lam=lam).se * 1.005 for lam in np.linspace(0, 1, 21))
    assert tuned.se < ppi_mean(sample, lam=0.0).se


def test_each_label_is_used_with_the_weight_that_the_other_labels_give() -> None:
    f, y = drawn(15, total=80)
    sample = simple(f, y, 8)
    expected = 0.0
    for left_out in range(8):
        label = sample.label.copy()
        label[left_out] = np.nan
        held = np.flatnonzero(~np.isnan(label))
        # The weight without cross-fitting: the least squares of the influence values of the seven others.
        others = replace(sample, label=label)
        lam = least_variance(others, held)
        expected += (y[left_out] + lam * (f.mean() - f[left_out])) / 8
    assert ppi_mean(sample).estimate == pytest.approx(expected, abs=1e-9)


def least_variance(sample: Labelled, held: IntArray) -> float:
    """The lambda, to six digits, with the smallest sum of squared influence values."""
    n, m = len(sample.score), len(held)
    scale = n / m * np.sqrt(m / (m - 1))
    y, f = sample.label[held], sample.score[held]
    a, b = np.zeros(n), sample.score - sample.score.mean()
    a[held] = scale * (y - y.mean())
    b[held] -= scale * (f - f.mean())
    return float(np.clip(-(a @ b) / (b @ b), 0, n / (n - m)))


def test_uninformative_scores_get_no_weight() -> None:
    rng = RNG(4)
    f, y = rng.normal(size=4000), rng.normal(size=4000)
    sample = simple(f, y, 400)
    found = ppi_mean(sample)
    assert found.lam[0] < 0.15
    assert found.se == pytest.approx(ppi_mean(sample, lam=0.0).se, rel=0.02)


def test_with_all_answers_labelled_it_is_the_mean_label() -> None:
    f, y = drawn(5, total=50)
    found = ppi_mean(simple(f, y, 50))
    assert found.estimate == pytest.approx(y.mean())
    assert found.se == pytest.approx(y.std(ddof=1) / np.sqrt(50))


def stratified(truth: FloatArray, score: FloatArray, per_stratum: int, rng: np.random.Generator) -> Labelled:
    """Evenly many labels among the answers scored right and wrong, with their weights."""
    label, weight = np.full(len(truth), np.nan), np.ones(len(truth))
    stratum = (score > 0.5).astype(np.int64)
    for code in (0, 1):
        places = np.flatnonzero(stratum == code)
        chosen = rng.choice(places, min(per_stratum, len(places)), replace=False)
        label[chosen], weight[chosen] = truth[chosen], len(places) / len(chosen)
    return Labelled(score, label, weight, stratum, np.arange(len(truth)))


def test_a_stratified_sample_gives_the_stratified_mean() -> None:
    rng = RNG(6)
    truth = (rng.random(1000) < 0.6).astype(float)
    score = np.where(rng.random(1000) < 0.9, truth, 1 - truth)
    sample = stratified(truth, score, 40, rng)
    found = ppi_mean(sample)
    held = ~np.isnan(sample.label)
    by_hand = sum((score == s).mean() * truth[held & (score == s)].mean() for s in (0.0, 1.0))
    assert found.estimate == pytest.approx(by_hand)
    assert np.isnan(found.lam[0])
    variance = 0.0
    for s in (0.0, 1.0):
        inside = truth[held & (score == s)]
        variance += (score == s).mean() ** 2 * inside.var(ddof=1) / len(inside) * (1 - len(inside) / (score == s).sum())
    # And what the answers themselves vary: the target is what other items of the kind would give.
    variance += found.estimate * (1 - found.estimate) / 1000
    # Never below it, and a little above: a stratum with few wrong labels may have more than its labels show.
    assert 0.999 * np.sqrt(variance) < found.se < 1.05 * np.sqrt(variance)


def test_weights_correct_unequal_sampling_without_strata() -> None:
    rng = RNG(7)
    truth = (rng.random(20_000) < 0.7).astype(float)
    score = np.where(rng.random(20_000) < 0.9, truth, 1 - truth)
    probability = np.where(score > 0.5, 0.02, 0.2)
    chosen = rng.random(20_000) < probability
    sample = Labelled(
        score,
        np.where(chosen, truth, np.nan),
        1 / probability,
        np.zeros(20_000, dtype=np.int64),
        np.arange(20_000),
    )
    assert truth[chosen].mean() < 0.55
    assert ppi_mean(sample).estimate == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize("per_stratum", [20, 60])
def test_intervals_cover_a_known_truth(per_stratum: int) -> None:
    rng, draws, held = RNG(8), 1000, 0
    estimates = np.empty(draws)
    for index in range(draws):
        truth = (rng.random(500) < 0.7).astype(float)
        score = np.where(truth > 0, rng.random(500) < 0.88, rng.random(500) >= 0.96).astype(float)
        found = ppi_mean(stratified(truth, score, per_stratum, rng))
        estimates[index] = found.estimate
        held += found.low <= 0.7 <= found.high
    assert abs(estimates.mean() - 0.7) < 4 * estimates.std() / np.sqrt(draws)
    assert held / draws > 0.95 - 3 * np.sqrt(0.95 * 0.05 / draws)


def test_a_gap_includes_the_covariance_with_text_answers() -> None:
    rng = RNG(9)
    truth = (rng.random(2000) < 0.7).astype(float)
    score = np.where(rng.random(2000) < 0.93, truth, 1 - truth)
    text = np.where(rng.random(2000) < 0.95, truth, 1 - truth)
    sample = stratified(truth, score, 400, rng)
    together = ppi_difference(sample, Labelled.known(text, sample.cluster))
    apart = ppi_difference(sample, Labelled.known(rng.permutation(text), sample.cluster))
    assert together.estimate == pytest.approx(ppi_mean(sample).estimate - text.mean())
    assert together.se < 0.8 * apart.se
    assert together.labelled == 800


def test_clusters_widen_the_standard_error() -> None:
    rng = RNG(10)
    truth = np.repeat((rng.random(100) < 0.7).astype(float), 10)
    score = np.where(rng.random(1000) < 0.95, truth, 1 - truth)
    sample = stratified(truth, score, 200, rng)
    clustered = Labelled(sample.score, sample.label, sample.weight, sample.stratum, np.repeat(np.arange(100), 10))
    assert ppi_mean(clustered).se > 1.8 * ppi_mean(sample).se


def test_ten_unanimous_labels_keep_a_variance() -> None:
    rng = RNG(11)
    truth = (rng.random(2000) < 0.7).astype(float)
    found = ppi_mean(stratified(truth, truth, 10, rng))
    whole = np.sqrt(0.7 * 0.3 / 2000)
    assert found.se > 2 * whole


def test_identical_labels_keep_the_mean_score_of_all_answers() -> None:
    score = np.array([1.0] * 90 + [0.0] * 10)
    label = np.full(100, np.nan)
    label[:10] = 1.0
    found = ppi_mean(Labelled(score, label, np.full(100, 10.0), np.zeros(100, dtype=np.int64), np.arange(100)))
    assert found.lam == (1.0,)
    assert found.estimate == pytest.approx(0.9)
    assert found.low < 0.8


def test_a_stratum_without_labels_is_refused() -> None:
    sample = Labelled(
        np.array([1.0, 1, 1, 0, 0]),
        np.array([1.0, 1, np.nan, np.nan, np.nan]),
        np.ones(5),
        np.array([1, 1, 1, 0, 0]),
        np.arange(5),
    )
    found = ppi_mean(sample)
    assert np.isnan(found.estimate)
    assert found.reason == "a stratum of 2 answers has no label"
    assert ppi_mean(simple(np.ones(5), np.ones(5), 1)).reason is not None


def test_unpaired_samples_are_an_error() -> None:
    f, y = drawn(12, total=50)
    sample = simple(f, y, 20)
    with pytest.raises(ValueError, match="same items in the same order"):
        ppi_difference(sample, Labelled.known(f, np.arange(50)[::-1]))
