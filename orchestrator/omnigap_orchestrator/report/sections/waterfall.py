"""The section of the waterfall: at which step of a conversation the points are lost, and how answers change shape."""

from __future__ import annotations

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.report import slices, tables
from omnigap_orchestrator.report.charts import Chart
from omnigap_orchestrator.report.sections.section import Section, model_column
from omnigap_orchestrator.report.tables import make_table
from omnigap_orchestrator.report.waterfall_chart import Fall, waterfall_plot

STEPS = {
    "perception": "perceiving the question",
    "input_reasoning": "answering from it",
    "input": "question not typed",
    "output_mode": "words meant for voice",
    "voicing_and_hearing": "voicing and hearing",
    "output": "spoken answer",
    "gap": "gap",
}


def waterfall_section(analysis: Analysis) -> Section | None:
    """Steps of every gap that has more than one, drawn; all of them tabled. Nothing without a gap."""
    frame = analysis.waterfall
    if frame.is_empty():
        return None
    steps = make_table(
        frame,
        "waterfall",
        "Steps of each gap",
        [
            *model_column(analysis),
            tables.condition(),
            tables.text("step", "Step", write=step_words, definition="waterfall"),
            tables.points("estimate", "Points"),
            tables.interval("low", "high", f"{slices.level_words(analysis)} interval"),
            tables.count("n", "n", definition="n"),
            tables.optional(tables.count("lacking", "Lacking", definition="missing")),
            tables.method(),
        ],
        small="points of accuracy; the steps of a condition add up to its gap",
    )
    shapes = make_table(
        analysis.answers,
        "answers",
        "How answers change shape",
        [
            *model_column(analysis),
            tables.condition(),
            tables.count("answered", "Answered"),
            tables.number("mean_words", "Words, mean", digits=1),
            tables.number("median_words", "median", digits=0),
            tables.percent("refused", "Refused, %", definition="flags"),
            tables.percent("unparsable", "Unparsable, %"),
            tables.percent("wrong_language", "Other language, %"),
            tables.percent("truncated", "Truncated, %"),
            tables.percent("silent", "Silent, %"),
        ],
        small="the own text's length, and shares of the answered cells",
    )
    charts = [_chart(frame.filter(pl.col("model") == m), m, n) for n, m in enumerate(slices.models_of(analysis))]
    return Section(
        "waterfall",
        "Where the gap arises",
        "Waterfall",
        "From the typed question with a text answer to each spoken answer, step by step: the question is heard or "
        "seen, words are chosen for a voice, then they are voiced by the model and heard by our scorer. Perceiving and "
        "answering are told apart only where a two-pass control was run.",
        charts=tuple(chart for chart in charts if chart is not None),
        tables=(steps,),
        folded=(shapes,) if shapes.rows else (),
    )


def step_words(step: str) -> str:
    return STEPS.get(step, step.replace("_", " "))


def _chart(frame: pl.DataFrame, model: str, place: int) -> Chart | None:
    """Conditions whose chain has several steps, all with numbers."""
    whole = pl.col("estimate").is_not_null().all().over("condition") & (pl.len().over("condition") > 2)
    falls = [
        Fall(r["condition"], step_words(r["step"]), 100 * r["estimate"], r["step"] == "gap")
        for r in frame.filter(whole).sort("condition", "order", maintain_order=True).iter_rows(named=True)
    ]
    order = {"t2s": 0, "s2s": 1, "i2s": 2}
    falls.sort(key=lambda fall: order.get(fall.condition, 9))
    return waterfall_plot(falls, f"waterfall{place + 1}", f"{model}: steps of the gaps") if falls else None
