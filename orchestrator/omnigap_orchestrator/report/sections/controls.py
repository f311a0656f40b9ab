"""The section of the control cells: what a blank lets guess, what asking again changes, what was heard and read."""

from __future__ import annotations

import polars as pl

from omnigap.vocabulary import Control
from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.controls import (
    BLANK,
    CONTROLS,
    FIRST_PASSES,
    REPEAT,
    ControlRow,
    FirstPassRow,
    GuessingRow,
    RepeatRow,
)
from omnigap_orchestrator.analysis.table import rows_of
from omnigap_orchestrator.report import formatting, select, tables
from omnigap_orchestrator.report.charts import Chart, Span, in_points, interval_plot, modality_of
from omnigap_orchestrator.report.sections.section import Section, model_column
from omnigap_orchestrator.report.tables import Table, make_table

ITEMS = {"all": "all", "choices": "with choices"}
WRITTEN = {"s2t": "heard (s2t)", "i2t": "read (i2t)"}


def controls_section(analysis: Analysis) -> Section | None:
    """A table for each kind of control that was run; nothing without any."""
    if analysis.frame(CONTROLS).is_empty():
        return None
    counts = make_table(
        analysis.frame(CONTROLS),
        ControlRow,
        "control-counts",
        "Control cells: what was asked, and what came back",
        [
            tables.text("control", "Control", definition="controls"),
            *model_column(analysis),
            tables.condition(),
            tables.count("planned", "Planned", definition="outcomes"),
            tables.count("answered", "Answered"),
            tables.count("scored", "Scored"),
            tables.count("failed", "Failed", zero_soft=True),
            tables.count("pending", "Pending", zero_soft=True),
            tables.count("unsupported", "Unsupported", zero_soft=True),
        ],
        small="beside the cells of the results, and in none of their denominators",
    )
    shown = [table for table in (_blank(analysis), _repeat(analysis), _first_passes(analysis)) if table.rows]
    lack = int(analysis.frame(CONTROLS).select(pl.col("planned").sum() - pl.col("answered").sum()).item())
    lacking = f" {formatting.plural(lack, 'control cell')} lack an answer." if lack else ""
    return Section(
        "controls",
        "Controls",
        "Controls",
        "Cells that were asked to check the others: what is right without a question was guessed, or leaked; what "
        f"changes when the same is asked again is noise.{lacking}",
        charts=_charts(analysis),
        tables=tuple(shown),
        folded=(counts,),
    )


def _blank(analysis: Analysis) -> Table:
    level = f"{select.level_words(analysis)} interval"
    lacking = bool(analysis.frame(BLANK)["lacking"].sum())
    several = analysis.frame(BLANK)["items"].n_unique() > 1
    return make_table(
        analysis.frame(BLANK),
        GuessingRow,
        "blank",
        "Blank carriers: what is guessed",
        [
            *model_column(analysis),
            tables.condition(),
            *([tables.text("items", "Items", css="nowrap", write=ITEMS.__getitem__)] if several else []),
            tables.percent("estimate", "On a blank, %", definition="blank"),
            tables.interval("low", "high", level, difference=False),
            tables.optional(tables.percent("chance", "Chance, %", definition="chance")),
            tables.percent("accuracy", "On the question, %"),
            tables.count("n", "n", definition="n"),
            *([tables.count("lacking", "Lacking", zero_soft=True, definition="missing")] if lacking else []),
            tables.method(),
        ],
        small="right answers to a white image, silence, or an empty line in the question's place",
    )


def _repeat(analysis: Analysis) -> Table:
    level = f"{select.level_words(analysis)} interval"
    return make_table(
        analysis.frame(REPEAT),
        RepeatRow,
        "repeat",
        "Asked again: what changes",
        [
            *model_column(analysis),
            tables.condition(),
            tables.percent("changed", "Scored otherwise, %", definition="repeat"),
            tables.interval("changed_low", "changed_high", level, difference=False),
            tables.method("changed_method"),
            tables.points("drift", "Drift, points"),
            tables.interval("drift_low", "drift_high", level),
            tables.count("n", "n", definition="n"),
            tables.method("drift_method"),
        ],
        small="the same request once more, with an id of its own",
    )


def _first_passes(analysis: Analysis) -> Table:
    return make_table(
        analysis.frame(FIRST_PASSES),
        FirstPassRow,
        "first-passes",
        "First passes: what the models wrote down",
        [
            *model_column(analysis),
            tables.text("condition", "What was", write=lambda name: WRITTEN.get(name, name)),
            tables.count("written", "Written", definition="two_pass"),
            tables.count("empty", "Empty", zero_soft=True),
            tables.percent("exact", "Without an error, %"),
            tables.percent("wer", "WER to the question, %"),
            tables.count("wer_words", "Words"),
        ],
        small="before they answered it as typed text; the waterfall has what that cost",
    )


def _charts(analysis: Analysis) -> tuple[Chart, ...]:
    """Right on a blank and on the question, one below the other, for each model."""
    charts = []
    frame = analysis.frame(BLANK).filter((pl.col("items") == "all") & pl.col("estimate").is_not_null())
    for place, model in enumerate(select.models_of(analysis)):
        spans = [
            Span(
                row.condition,
                in_points(row.estimate),
                in_points(row.low),
                in_points(row.high),
                f"{formatting.percent(row.estimate)} of {formatting.percent(row.accuracy)} %",
                modality_of(row.condition),
                row.condition.endswith("2s"),
            )
            for row in rows_of(frame.filter(pl.col("model") == model), GuessingRow)
        ]
        if spans:
            title = f"{model}: right on a {Control.BLANK.value} carrier, of right on the question"
            charts.append(interval_plot(spans, f"blank{place + 1}", title, "right on a blank, %"))
    return tuple(charts)
