"""Tests that intervals cover known gaps and scores at their level, with few draws."""

import math

import pytest

from omnigap_orchestrator.analysis import IntervalOptions
from omnigap_orchestrator.extras.simulation.agreements import AGREEMENTS, TwoConditions, agreement_coverage
from omnigap_orchestrator.extras.simulation.asr_correction import SPOKEN, SpokenScenario, simulate_spoken
from omnigap_orchestrator.extras.simulation.claims import Claim, claims
from omnigap_orchestrator.extras.simulation.coverage import SCENARIOS, SCORES, Design, simulate
from omnigap_orchestrator.extras.simulation.rare_losses import (
    HIDDEN_ANSWERS,
    RARE_ERRORS,
    RARE_LOSSES,
    HiddenAnswers,
    hidden_coverage,
)
from omnigap_orchestrator.extras.simulation.relative_gaps import RELATIVE, RelativeScenario, simulate_relative

DRAWS = 200


@pytest.mark.parametrize("claim", claims(300, seed=3), ids=lambda c: c.name)
def test_claims_hold(claim: Claim) -> None:
    assert claim.holds, claim


@pytest.mark.parametrize("scenario", (*SCENARIOS, *RARE_LOSSES), ids=lambda s: s.name)
def test_intervals_cover_the_true_gap(scenario: Design) -> None:
    result = simulate(scenario, DRAWS, seed=7, options=IntervalOptions(draws=399))
    assert result.coverage >= 0.93 - 3 * math.sqrt(0.93 * 0.07 / DRAWS)
    if result.methods[0][0] == "cluster_t":
        assert result.coverage <= 0.97 + 3 * math.sqrt(0.97 * 0.03 / DRAWS)
    if scenario.truth == 0:
        assert result.rejections <= 0.06 + 3 * math.sqrt(0.06 * 0.94 / DRAWS)


@pytest.mark.parametrize("scenario", (*SCORES, *RARE_ERRORS), ids=lambda s: s.name)
def test_intervals_cover_the_true_accuracy(scenario: Design) -> None:
    result = simulate(scenario, DRAWS, seed=7, options=IntervalOptions(draws=399))
    assert result.coverage >= 0.93 - 3 * math.sqrt(0.93 * 0.07 / DRAWS)


@pytest.mark.parametrize("design", HIDDEN_ANSWERS, ids=lambda d: d.name)
def test_intervals_cover_the_gap_of_all_answers_if_some_are_hidden(design: HiddenAnswers) -> None:
    coverage, bias, _ = hidden_coverage(design, DRAWS, seed=7)
    assert coverage >= 0.93 - 3 * math.sqrt(0.93 * 0.07 / DRAWS)
    # The answered pairs alone are off by about the share that is missing.
    assert 0.01 < abs(bias) < 0.03


@pytest.mark.parametrize("scenario", SPOKEN, ids=lambda s: s.name)
def test_intervals_of_transcribed_scores_cover_the_truth(scenario: SpokenScenario) -> None:
    result = simulate_spoken(scenario, DRAWS, seed=7, options=IntervalOptions(draws=399))
    assert result.coverage >= 0.93 - 3 * math.sqrt(0.93 * 0.07 / DRAWS)


@pytest.mark.parametrize("scenario", RELATIVE, ids=lambda s: s.name)
def test_intervals_of_relative_gaps_cover_the_truth(scenario: RelativeScenario) -> None:
    result = simulate_relative(scenario, DRAWS, seed=7)
    assert result.defined == 1.0
    assert result.coverage >= 0.93 - 3 * math.sqrt(0.93 * 0.07 / DRAWS)


@pytest.mark.parametrize("pair", AGREEMENTS, ids=lambda a: a.name)
def test_intervals_cover_the_true_kappa_and_phi(pair: TwoConditions) -> None:
    for _, rate, defined in agreement_coverage(pair, DRAWS, seed=7):
        assert rate >= 0.93 - 3 * math.sqrt(0.93 * 0.07 / defined)
