"""The section of metrics: what was scored by a judge, by checks, by refusals, and how much of it could be read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.answers import METRICS, MetricRow
from omnigap_orchestrator.report import formatting, tables
from omnigap_orchestrator.report.sections.section import Section, model_column
from omnigap_orchestrator.report.tables import Cell, Column, Table, make_table

_MEANINGS = {
    "judge": "rated by a language model",
    "refusal": "1 where the answer refuses",
    "voicebench_refusal": "1 where the answer refuses, by VoiceBench's phrases",
    "ifeval": "1 where all checks are kept",
    "ifeval_loose": "1 where all checks are kept, a line or asterisks aside",
    "ifeval_share": "share of checks kept",
    "ifeval_audible": "1 where all checks that can be heard are kept",
    "voicebench_ifeval": "mean of four verdicts of IFEval",
    "voicebench_mcq": "VoiceBench's letter",
    "voicebench_bbh": "VoiceBench's verdict",
    "letter": "spoken or written choice",
    "entities": "share of entities found",
}


def metrics_section(analysis: Analysis) -> Section | None:
    """Scores by metric; nothing where one plain metric scored everything."""
    frame = analysis.frame(METRICS)
    used = frame["metric"].unique().to_list()
    if len(used) < 2 and not set(used) & set(_MEANINGS):
        return None
    details = make_table(
        frame,
        MetricRow,
        "metrics-details",
        "The same in full: cells, refusals, what could not be read",
        [
            *model_column(analysis),
            tables.text("metric", "Metric", write=_name, definition="metric"),
            tables.condition(),
            tables.count("items", "Items"),
            tables.count("scored", "Scored"),
            tables.optional(_unless_all_zero(frame, "failed", tables.count("failed", "Failed", zero_soft=True))),
            tables.percent("mean_score", "Mean score, %"),
            tables.optional(tables.number("mean_rating", "Mean rating", definition="judge")),
            tables.percent("refused", "Refused, %", definition="flags"),
            tables.percent("unparsable", "Unparsable, %", definition="flags"),
        ],
        small="descriptive; replicates count as cells; shares are of the scored cells",
    )
    judged = (
        " Open answers are rated by a judge, whose missing verdicts are missing answers." if "judge" in used else ""
    )
    return Section(
        "metrics",
        "What was scored how",
        "Metrics",
        f"Every item keeps its metric in all conditions, so that its scores can be compared.{judged}",
        tables=(_grid(analysis),),
        folded=(details,),
    )


def _name(metric: str) -> str:
    return metric.replace("_", " ")


def _unless_all_zero(frame: pl.DataFrame, key: str, column: Column[Any]) -> Column[Any]:
    """The column, with nothing to say where every count is 0."""
    return column if (frame[key] > 0).any() else replace(column, cell=lambda _: Cell(""))


@dataclass(frozen=True, slots=True)
class _GridRow:
    model: str
    metric: str
    meaning: str


def _grid(analysis: Analysis) -> Table:
    """A row a metric, a column a condition; tinted by the difference to the reference."""
    reference = analysis.options.reference
    keys = analysis.frame(METRICS).select("model", "metric").unique(maintain_order=True)
    rows = {(r.model, r.metric, r.condition): r for r in analysis.rows(METRICS)}
    conditions = analysis.frame(METRICS)["condition"].unique(maintain_order=True).to_list()

    def score(name: str) -> Column[_GridRow]:
        def cell(row: _GridRow) -> Cell:
            found = rows.get((row.model, row.metric, name))
            if found is None or found.mean_score is None:
                return Cell(formatting.NOTHING, "", title="not planned" if found is None else "no scores")
            base = rows.get((row.model, row.metric, reference))
            tone, strength = "", 0
            if base is not None and base.mean_score is not None:
                tone, strength = tables.tint(found.mean_score - base.mean_score)
            counts = f"{found.scored:,} of {found.planned:,} cells"
            unread = f"; unparsable {formatting.percent(found.unparsable)} %" if found.unparsable else ""
            title = f"{_name(row.metric)}, {formatting.condition_words(name)}: {counts}"
            shown, exact = formatting.percent(found.mean_score), tables.hundred(found.mean_score)
            return Cell(shown, exact, title=title, tone=tone, strength=strength, fine=f"{counts}{unread}")

        return Column(name, cell, numeric=True)

    def items(row: _GridRow) -> Cell:
        counts = [r.items for key, r in rows.items() if key[:2] == (row.model, row.metric)]
        return Cell(formatting.count(max(counts)), css="plain")

    grid = make_table(
        keys.with_columns(meaning=pl.col("metric").replace_strict(_MEANINGS, default="", return_dtype=pl.String)),
        _GridRow,
        "metrics",
        "Mean score by metric, %",
        [
            *model_column(analysis),
            tables.text("metric", "Metric", write=_name, definition="metric"),
            tables.optional(tables.text("meaning", "", css="soft plain")),
            Column("Items", items, numeric=True),
            *(score(name) for name in conditions),
        ],
        small=f"descriptive; tinted by the difference to {reference}",
        heat=True,
    )
    return replace(grid, more="cells")
