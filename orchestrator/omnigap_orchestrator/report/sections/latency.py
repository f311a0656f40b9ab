"""Section on latency: median, p95 and p99 of each time by condition, with intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.latency import IDLE_LATENCY, LATENCY
from omnigap_orchestrator.report import select, tables
from omnigap_orchestrator.report.charts import Chart, Range, latency_plot, modality_of
from omnigap_orchestrator.report.sections.section import Section, marked, model_column
from omnigap_orchestrator.report.tables import Table, make_table

_MEASURE_NAMES = {
    "latency_s": "complete answer",
    "compute_s": "compute",
    "queue_s": "queue of the server",
    "service_s": "answer without the queue",
    "ttft_s": "first text token",
    "audio_ttfp_s": "first audio",
}
_QUANTILES = ((0.5, "median"), (0.95, "p95"), (0.99, "p99"))


def latency_section(analysis: Analysis) -> Section | None:
    """Times by model and condition, on an idle service if measured, and in the run; None if no time was recorded."""
    frame = analysis.frame(LATENCY).filter(pl.col("seconds").is_not_null())
    idle = analysis.frame(IDLE_LATENCY).filter(pl.col("seconds").is_not_null())
    if frame.is_empty() and idle.is_empty():
        return None
    alone = not idle.is_empty()
    total = frame.filter(pl.col("measure") == "latency_s")
    rest = frame.filter(pl.col("measure") != "latency_s")
    in_run = _latency_table(analysis, total, "latency", "Time to the complete answer in the run, queueing included")
    parts = _latency_table(analysis, rest, "latency-parts", "Times by the server in the run")
    shown, folded = [in_run] if total.height else [], [parts] if rest.height else []
    if alone:
        whole = idle.filter(pl.col("measure") == "latency_s")
        others = idle.filter(pl.col("measure") != "latency_s")
        shown.insert(
            0, _latency_table(analysis, whole, "idle-latency", "Time to the complete answer, one question at a time")
        )
        if others.height:
            folded.insert(
                0, _latency_table(analysis, others, "idle-latency-parts", "Times by the server, one question at a time")
            )
    lead = (
        "One question at a time, on a service that did nothing else (bench latency); below it the latencies of the "
        "run, in which answers wait for each other."
        if alone
        else "Measured under the load of this run: answers wait for each other, so these times include queueing. "
        "Use them to compare conditions within one run, not machines or products; omnigap-orchestrate bench latency "
        "measures one question at a time."
    )
    return Section(
        "latency",
        "Latency",
        "Latency",
        lead,
        charts=tuple(_charts(analysis, idle if alone else frame, "one question at a time" if alone else "in the run")),
        tables=tuple(shown),
        folded=tuple(folded),
    )


def _charts(analysis: Analysis, frame: pl.DataFrame, load: str) -> Iterator[Chart]:
    """Median and 95th percentile of the complete answer, by model; the median only where the percentile is unknown."""
    total = frame.filter(pl.col("measure") == "latency_s")
    for place, model in enumerate(select.models_of(analysis)):
        # The analysis has one row per quantile; the chart needs median and p95 together. Zero has no place on a log
        # axis.
        wide = (
            total.filter((pl.col("model") == model) & pl.col("quantile").is_in([0.5, 0.95]))
            .group_by("condition", maintain_order=True)
            .agg(
                pl.col("seconds").filter(pl.col("quantile") == 0.5).first().alias("median"),
                pl.col("seconds").filter(pl.col("quantile") == 0.95).first().alias("p95"),
            )
            .filter(pl.col("median") > 0)
        )
        ranges = [
            Range(condition, median, p95, modality_of(condition), condition.endswith("s"))
            for condition, median, p95 in wide.iter_rows()
        ]
        if ranges:
            title = f"{marked(analysis, model)}: median and 95th percentile, {load}"
            yield latency_plot(ranges, f"latency{place + 1}", title)


@dataclass(frozen=True, slots=True)
class _QuantilesRow:
    """The quantiles of one time, in seconds."""

    model: str
    condition: str
    measure: str
    n: int
    seconds_median: float | None
    low_median: float | None
    high_median: float | None
    seconds_p95: float | None
    low_p95: float | None
    high_p95: float | None
    seconds_p99: float | None
    low_p99: float | None
    high_p99: float | None


def _latency_table(analysis: Analysis, frame: pl.DataFrame, key: str, caption: str) -> Table:
    """One row per condition and measure; each quantile with its interval in columns."""
    keys = ["model", "condition", "measure"]
    wide = frame.group_by(keys, maintain_order=True).agg(
        pl.col("n").first(),
        *(
            pl.col(value).filter(pl.col("quantile") == quantile).first().alias(f"{value}_{name}")
            for quantile, name in _QUANTILES
            for value in ("seconds", "low", "high")
        ),
    )
    columns = [*model_column(analysis), tables.condition()]
    # The table of complete answers has a single measure, which its caption names.
    if frame["measure"].n_unique() > 1:
        columns.append(tables.text("measure", "Time", write=lambda m: _MEASURE_NAMES.get(m, m), definition="latency"))
    columns.append(tables.count("n", "n"))
    for _, name in _QUANTILES:
        columns.append(tables.number(f"seconds_{name}", f"{name}, s", digits=3, definition="latency"))
        columns.append(
            tables.seconds_interval(f"low_{name}", f"high_{name}", f"{select.level_words(analysis)} interval")
        )
    return make_table(wide, _QuantilesRow, key, caption, columns, small="seconds; intervals by order statistics")
