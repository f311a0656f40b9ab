"""Section on metrics: mean scores by metric and condition, with refusals and unparsable answers."""

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
    "refusal": "1 if the answer refuses",
    "voicebench_refusal": "1 if the answer refuses, by VoiceBench's phrases",
    "ifeval": "1 if all checks pass",
    "ifeval_loose": "1 if all checks pass, ignoring a first or last line or asterisks",
    "ifeval_share": "share of checks that pass",
    "ifeval_audible": "1 if all audible checks pass",
    "voicebench_ifeval": "mean of the four IFEval scores",
    "voicebench_mcq": "choice letter, parsed as VoiceBench does",
    "voicebench_bbh": "answer, parsed as VoiceBench does",
    "letter": "spoken or written choice",
    "entities": "share of entities found",
}


def metrics_section(analysis: Analysis) -> Section | None:
    """Scores by metric; None if one metric without an explanation in `_MEANINGS` scored everything."""
    frame = analysis.frame(METRICS)
    # A single metric such as exact match repeats the table of accuracies.
    used = frame["metric"].unique().to_list()
    if len(used) < 2 and not set(used) & set(_MEANINGS):
        return None
    details = make_table(
        frame,
        MetricRow,
        "metrics-details",
        "Counts, refusals and unparsable answers by metric",
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
    judged = " Open answers are rated by a judge; an answer without a verdict is missing." if "judge" in used else ""
    return Section(
        "metrics",
        "Scores by metric",
        "Metrics",
        f"Every item has the same metric in all conditions, so its scores can be compared.{judged}",
        tables=(_grid(analysis),),
        folded=(details,),
    )


def _name(metric: str) -> str:
    return metric.replace("_", " ")


def _unless_all_zero(frame: pl.DataFrame, key: str, column: Column[Any]) -> Column[Any]:
    """The column; its cells are empty if every count is 0."""
    return column if (frame[key] > 0).any() else replace(column, cell=lambda _: Cell(""))


@dataclass(frozen=True, slots=True)
class _GridRow:
    model: str
    metric: str
    meaning: str


def _grid(analysis: Analysis) -> Table:
    """One row per metric, one column per condition; tinted by the difference to the reference."""
    reference = analysis.options.reference
    keys = analysis.frame(METRICS).select("model", "metric").unique(maintain_order=True)
    rows = {(r.model, r.metric, r.condition): r for r in analysis.rows(METRICS)}
    conditions = analysis.frame(METRICS)["condition"].unique(maintain_order=True).to_list()

    def score(name: str) -> Column[_GridRow]:
        def cell(row: _GridRow) -> Cell:
            found = rows.get((row.model, row.metric, name))
            if found is None or found.mean_score is None:
                return Cell(formatting.NOTHING, "", title="not planned" if found is None else "no scores")
            # The tint is descriptive: differences by metric are not tested.
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
        # The same items are planned in all conditions; the maximum is robust to conditions that the model lacks.
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
