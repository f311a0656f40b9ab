"""Tests of latency percentiles."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

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


def test_a_time_of_0_means_that_the_answer_has_no_such_event() -> None:
    results = drawn(20).with_columns(
        audio_ttfp_s=pl.when(pl.col("output") == "speech").then(0.25).otherwise(0.0), ttft_s=pl.lit(0.0)
    )
    table = analyse(results).frames["latency"]
    assert set(table.filter(measure="audio_ttfp_s")["condition"]) == {"t2s", "s2s", "i2s"}
    assert table.filter(measure="ttft_s").is_empty()


def test_the_queue_of_the_server_is_apart_from_the_rest_of_the_answer() -> None:
    results = drawn(20).with_columns(latency_s=pl.lit(2.0), queue_s=pl.lit(1.5))
    medians = analyse(results).frames["latency"].filter(condition="t2t", quantile=0.5)
    assert dict(medians.select("measure", "seconds").iter_rows()) == {
        "latency_s": 2.0,
        "queue_s": 1.5,
        "service_s": pytest.approx(0.5),
    }


def test_idle_latencies_are_those_of_single_questions() -> None:
    results = drawn(20)
    idle = results.with_columns(latency_s=pl.lit(0.5))
    tables = analyse(results, idle=idle).frames
    assert set(tables["idle_latency"].filter(measure="latency_s", quantile=0.5)["seconds"]) == {0.5}
    assert analyse(results).frames["idle_latency"].is_empty()
