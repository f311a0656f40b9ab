"""Tests of latency percentiles."""

from __future__ import annotations

import numpy as np

from omnigap_orchestrator.analysis import analyse
from omnigap_orchestrator.analysis.latency import answers_needed, quantile_interval
from tests.orchestrator.analysis.made_up_results import drawn


def test_a_percentile_needs_enough_answers() -> None:
    assert [answers_needed(q) for q in (0.5, 0.95, 0.99)] == [6, 72, 368]
    frame = analyse(drawn(100)).frames["latency"].filter(condition="t2t", measure="latency_s")
    assert frame["seconds"].is_not_null().to_list() == [True, True, False]
    assert (frame["low"] <= frame["seconds"]).drop_nulls().all() and (
        frame["seconds"] <= frame["high"]
    ).drop_nulls().all()


def test_order_statistics_cover_the_median() -> None:
    rng = np.random.default_rng(1)
    draws = np.sort(rng.random((2000, 25)), axis=1)
    limits = np.array([quantile_interval(row, 0.5) for row in draws])
    assert ((limits[:, 0] <= 0.5) & (limits[:, 1] >= 0.5)).mean() >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 2000)
