"""Section on control cells: accuracy on blank carriers, changes on repeat, transcripts of first passes."""

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
from omnigap_orchestrator.report.sections.section import Section, marked, model_column
from omnigap_orchestrator.report.tables import Table, make_table

ITEMS = {"all": "all", "choices": "with choices"}
TRANSCRIBED = {"s2t": "speech (s2t)", "i2t": "image (i2t)"}


def controls_section(analysis: Analysis) -> Section | None:
    """One table for each kind of control; None for a run without controls."""
    if analysis.frame(CONTROLS).is_empty():
        return None
    counts = make_table(
        analysis.frame(CONTROLS),
        ControlRow,
        "control-counts",
        "Control cells and their outcomes",
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
        small="not part of the results and their denominators",
    )
    # Only the kinds of control that were run have rows.
    shown = [table for table in (_blank(analysis), _repeat(analysis), _first_passes(analysis)) if table.rows]
    lack = int(analysis.frame(CONTROLS).select(pl.col("planned").sum() - pl.col("answered").sum()).item())
    lacking = f" {formatting.plural(lack, 'control cell has', 'control cells have')} no answer." if lack else ""
    return Section(
        "controls",
        "Controls",
        "Controls",
        "Control cells check the results. A right answer without the question was guessed, or follows from the "
        f"instruction; a score that changes on repeat is noise.{lacking}",
        charts=_charts(analysis),
        tables=tuple(shown),
        folded=(counts,),
    )


def _blank(analysis: Analysis) -> Table:
    level = f"{select.level_words(analysis)} interval"
    lacking = bool(analysis.frame(BLANK)["lacking"].sum())
    # "all" and "with choices": the latter has its own row because its chance level is known.
    several = analysis.frame(BLANK)["items"].n_unique() > 1
    return make_table(
        analysis.frame(BLANK),
        GuessingRow,
        "blank",
        "Blank carriers",
        [
            *model_column(analysis),
            tables.condition(),
            *([tables.text("items", "Items", css="nowrap", write=ITEMS.__getitem__)] if several else []),
            tables.percent("estimate", "On a blank, %", definition="blank"),
            tables.interval("low", "high", level, difference=False),
            tables.optional(tables.percent("chance", "Chance, %", definition="chance")),
            tables.percent("accuracy", "On the question, %"),
            tables.count("n", "n", definition="n"),
            *([tables.count("lacking", "Missing", zero_soft=True, definition="missing")] if lacking else []),
            tables.method(),
        ],
        small="accuracy with a white image, silence or an empty line instead of the question",
    )


def _repeat(analysis: Analysis) -> Table:
    level = f"{select.level_words(analysis)} interval"
    return make_table(
        analysis.frame(REPEAT),
        RepeatRow,
        "repeat",
        "Repeats",
        [
            *model_column(analysis),
            tables.condition(),
            tables.percent("changed", "Changed score, %", definition="repeat"),
            tables.interval("changed_low", "changed_high", level, difference=False),
            tables.method("changed_method"),
            tables.points("drift", "Drift, points"),
            tables.interval("drift_low", "drift_high", level),
            tables.count("n", "n", definition="n"),
            tables.method("drift_method"),
        ],
        small="the same request, sent again under another request id",
    )


def _first_passes(analysis: Analysis) -> Table:
    return make_table(
        analysis.frame(FIRST_PASSES),
        FirstPassRow,
        "first-passes",
        "First passes: transcripts by the model",
        [
            *model_column(analysis),
            tables.text("condition", "Input", write=lambda name: TRANSCRIBED.get(name, name)),
            tables.count("written", "Transcripts", definition="two_pass"),
            tables.count("empty", "Empty", zero_soft=True),
            tables.percent("exact", "Without error, %"),
            tables.percent("wer", "WER to the question, %"),
            tables.count("wer_words", "Words"),
            tables.optional(tables.percent("wer_whisper", "WER (Whisper), %", definition="wer")),
        ],
        small="which the second pass answers as text; the waterfall shows the loss",
    )


def _charts(analysis: Analysis) -> tuple[Chart, ...]:
    """Accuracy on blank carriers by condition, for each model."""
    charts = []
    # Items with choices are a subset of all items, so only the latter are plotted.
    frame = analysis.frame(BLANK).filter((pl.col("items") == "all") & pl.col("estimate").is_not_null())
    for place, model in enumerate(select.models_of(analysis)):
        spans = [
            Span(
                row.condition,
                in_points(row.estimate),
                in_points(row.low),
                in_points(row.high),
                f"{formatting.percent(row.estimate)} % vs. {formatting.percent(row.accuracy)} %",
                modality_of(row.condition),
                row.condition.endswith("2s"),
            )
            for row in rows_of(frame.filter(pl.col("model") == model), GuessingRow)
        ]
        if spans:
            title = f"{marked(analysis, model)}: accuracy on a {Control.BLANK.value} carrier vs. on the question"
            charts.append(interval_plot(spans, f"blank{place + 1}", title, "accuracy on a blank carrier, %"))
    return tuple(charts)
