"""The tables `latency` and `idle_latency`: percentiles with distribution-free intervals, null without enough answers.

A run keeps its services busy, so its latencies include queueing. `bench latency` asks one question at a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import stats

from omnigap.vocabulary import Outcome
from omnigap_orchestrator.analysis.denominators import condition_rank
from omnigap_orchestrator.analysis.pairs import FloatArray
from omnigap_orchestrator.analysis.table import Table, schema_of


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """One quantile of one time measure."""

    model: str
    condition: str
    measure: str
    quantile: float
    # Seconds; null if n is below `needed`, the number of answers that a distribution-free interval takes.
    seconds: float | None
    low: float | None
    high: float | None
    method: str | None
    n: int
    needed: int | None


LATENCY_SCHEMA = schema_of(LatencyRow)

MEASURES = ("latency_s", "queue_s", "service_s", "compute_s", "ttft_s", "audio_ttfp_s")
"""Times in the results; `service_s` is the latency without the time in the queue of the server, where that is known."""
_NONE_IS_ZERO = ("ttft_s", "audio_ttfp_s")
"""Times of an event that an answer may lack; 0 then means that there was none."""
QUANTILES = (0.5, 0.95, 0.99)


def answers_needed(quantile: float, level: float = 0.95) -> int:
    """Smallest number of values whose range covers the quantile with probability `level`.

    For the median, the 95th and the 99th percentile at 95 %: 6, 72 and 368. The extremes miss a quantile q with
    probability max(q, 1 - q)^n on its harder side, which must be at most (1 - level) / 2.
    """
    tail = (1 - level) / 2
    return math.ceil(math.log(tail) / math.log(max(quantile, 1 - quantile)))


def quantile_interval(ordered: FloatArray, quantile: float, level: float = 0.95) -> tuple[float, float]:
    """Order statistics that enclose a quantile with probability `level`; `ordered` is sorted.

    The number of values below the quantile is binomial, so no distribution of the values is assumed.
    """
    n, tail = len(ordered), (1 - level) / 2
    low = int(stats.binom.ppf(tail, n, quantile))
    high = int(stats.binom.ppf(1 - tail, n, quantile)) + 1
    return float(ordered[max(low - 1, 0)]), float(ordered[min(high - 1, n - 1)])


def latency(results: pl.DataFrame, level: float = 0.95) -> pl.DataFrame:
    """Median, 95th and 99th percentile of each time measure, by model and condition (`LATENCY_SCHEMA`)."""
    if {"latency_s", "queue_s"} <= set(results.columns):
        results = results.with_columns(service_s=pl.col("latency_s") - pl.col("queue_s"))
    present = [name for name in MEASURES if name in results.columns]
    zeros = [pl.when(pl.col(name) > 0).then(pl.col(name)) for name in _NONE_IS_ZERO if name in present]
    answered = results.filter(pl.col("outcome") == Outcome.ANSWERED.value).with_columns(zeros)
    answered = answered.sort("model", condition_rank(), "condition")
    rows: list[tuple[object, ...]] = []
    for part in answered.partition_by("model", "condition", maintain_order=True):
        for measure in present:
            values = np.sort(part[measure].drop_nulls().to_numpy())
            if len(values) == 0:
                continue
            for quantile in QUANTILES:
                needed = answers_needed(quantile, level)
                seconds, low, high, method = math.nan, math.nan, math.nan, None
                # A p99 of 50 answers would be the slowest one: null instead of a number that looks measured.
                if len(values) >= needed:
                    seconds = float(np.quantile(values, quantile))
                    low, high = quantile_interval(values, quantile, level)
                    method = "order_statistics"
                rows.append(
                    (
                        part["model"][0],
                        part["condition"][0],
                        measure,
                        quantile,
                        seconds,
                        low,
                        high,
                        method,
                        len(values),
                        needed,
                    )
                )
    return pl.DataFrame(rows, schema=LATENCY_SCHEMA, orient="row").fill_nan(None)


LATENCY = Table(
    name="latency", row=LatencyRow, compute=lambda given: latency(given.results, given.options.intervals.level)
)


IDLE_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "condition": pl.String,
        "item_id": pl.String,
        "replicate": pl.Int32,
        "model_digest": pl.String,
        "outcome": pl.String,
        # Seconds, as in the results.
        "latency_s": pl.Float64,
        "queue_s": pl.Float64,
        "compute_s": pl.Float64,
        "ttft_s": pl.Float64,
        "audio_ttfp_s": pl.Float64,
        "audio_seconds": pl.Float64,
        # Unix time.
        "finished_at": pl.Float64,
    }
)
"""Answers to single questions on an idle service, as `bench latency` stores them."""


IDLE_LATENCY = Table(
    name="idle_latency",
    row=LatencyRow,
    compute=lambda given: latency(given.idle_answers, given.options.intervals.level),
)
