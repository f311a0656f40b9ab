"""Tests of TOST against a margin."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from omnigap_orchestrator.analysis import (
    AnalysisOptions,
    IntervalOptions,
    MissingRule,
    analyse,
    item_scores,
    score_matrices,
)
from omnigap_orchestrator.analysis.equivalence import equivalence, tost_p
from omnigap_orchestrator.analysis.power import (
    pairs_needed_for_equivalence,
    power_table,
)
from tests.orchestrator.analysis.made_up_results import drawn, paired


def test_needed_uses_the_declared_power_and_the_design_effect() -> None:
    plain = drawn(200)
    copied = plain.vstack(plain.with_columns(item_id=plain["item_id"] + "b"))
    one, two = (score_matrices(item_scores(frame)) for frame in (plain, copied))
    rule, options = MissingRule(), IntervalOptions()
    single = equivalence(one, "t2t", rule, options, power=0.9)
    variance = power_table(one, "t2t", 0.03)["variance"].to_list()
    assert single["needed"].to_list() == [pairs_needed_for_equivalence(v, 0.02, 0.9) for v in variance]
    twice = equivalence(two, "t2t", rule, options, power=0.9)["needed"] / single["needed"]
    assert twice.to_numpy() == pytest.approx(2.0, abs=0.04)


def test_tost_is_two_one_sided_t_tests() -> None:
    values = np.random.default_rng(1).normal(0.005, 0.05, 100)
    p = max(
        stats.ttest_1samp(values, -0.02, alternative="greater").pvalue,
        stats.ttest_1samp(values, 0.02, alternative="less").pvalue,
    )
    assert tost_p(values.mean(), stats.sem(values), 99, 0.02) == pytest.approx(p, abs=1e-10)


def test_equal_conditions_are_equivalent_only_with_enough_items() -> None:
    def verdict(n: int) -> str:
        scores = np.arange(n) % 10 < 7
        results = paired(scores.astype(float), scores.astype(float))
        frame = equivalence(score_matrices(item_scores(results)), "t2t", MissingRule(), IntervalOptions())
        return frame["verdict"][0]

    assert verdict(40) == "not shown"
    assert verdict(400) == "equivalent"


def test_verdict_and_p_agree_for_the_t_interval() -> None:
    rows = analyse(drawn(500), AnalysisOptions(margin=0.2)).frames["equivalence"].filter(method="cluster_t")
    assert set(rows["verdict"]) == {"equivalent", "not shown"}
    assert ((rows["p"] < 0.05) == (rows["verdict"] == "equivalent")).all()


def test_an_impossible_margin_is_refused() -> None:
    with pytest.raises(ValueError, match="margin"):
        equivalence([], "t2t", MissingRule(), IntervalOptions(), margin=2)
