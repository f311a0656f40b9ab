"""The section of the waterfall: at which step of a conversation the points are lost, and how answers change shape."""

from __future__ import annotations

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.controls.waterfall import WATERFALL, StepRow
from omnigap_orchestrator.analysis.diagnostics.answers import ANSWERS, AnswerRow
from omnigap_orchestrator.analysis.rows import rows_of
from omnigap_orchestrator.report import slices, tables
from omnigap_orchestrator.report.charts import Chart, in_points
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

ORDER = {"text": ("s2t", "i2t"), "spoken": ("t2s", "s2s", "i2s")}
"""The conditions of each chart, by what an answer is; t2t is where every chain begins."""


def waterfall_section(analysis: Analysis) -> Section | None:
    """Steps of every gap that has more than one, drawn; all of them tabled. Nothing without a gap."""
    frame = analysis.frame(WATERFALL)
    if frame.is_empty():
        return None
    steps = make_table(
        frame,
        StepRow,
        "waterfall",
        "Steps of each gap",
        [
            *model_column(analysis),
            tables.condition(),
            tables.text("step", "Step", write=step_words, definition="waterfall"),
            tables.points("estimate", "Points"),
            tables.interval("low", "high", f"{slices.level_words(analysis)} interval"),
            tables.count("n", "n", definition="n"),
            tables.optional(tables.count("lacking", "Lacking", definition="missing", zero_soft=True)),
            tables.method(),
        ],
        small="points of accuracy; the steps of a condition add up to its gap",
    )
    shapes = make_table(
        analysis.frame(ANSWERS),
        AnswerRow,
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
    charts = [
        _chart(frame.filter(pl.col("model") == model), model, f"waterfall{place + 1}-{output}", output)
        for place, model in enumerate(slices.models_of(analysis))
        for output in ORDER
    ]
    drawn = tuple(chart for chart in charts if chart is not None)
    return Section(
        "waterfall",
        "Where the gap arises",
        "Waterfall",
        "From the typed question with a text answer to each other form, step by step: the question is heard or "
        "seen, words are chosen for a voice, then they are voiced by the model and heard by our scorer. "
        + _apart(frame),
        charts=drawn,
        # The charts tell the same; without any the table is all there is.
        tables=() if drawn else (steps,),
        folded=((steps,) if drawn else ()) + ((shapes,) if shapes.rows else ()),
    )


def step_words(step: str) -> str:
    return STEPS.get(step, step.replace("_", " "))


def _apart(frame: pl.DataFrame) -> str:
    """Whether perceiving and answering could be told apart."""
    if "perception" in frame["step"]:
        return (
            "Perceiving is told apart from answering by the two-pass control: the model wrote down what it heard or "
            "read, then answered its own words. These steps, and their gap, stand on the items whose medium holds the "
            "words of the question."
        )
    return "Perceiving and answering are told apart only where a two-pass control was run (run --controls two-pass)."


def _chart(frame: pl.DataFrame, model: str, key: str, output: str) -> Chart | None:
    """Conditions with one form of answer whose chain has several steps, all with numbers."""
    whole = pl.col("estimate").is_not_null().all().over("condition") & (pl.len().over("condition") > 2)
    falls = [
        Fall(r.condition, step_words(r.step), 100 * r.estimate, in_points(r.low), in_points(r.high), r.step == "gap")
        for r in rows_of(
            frame.filter(whole & pl.col("condition").is_in(ORDER[output])).sort(
                "condition", "order", maintain_order=True
            ),
            StepRow,
        )
        if r.estimate is not None
    ]
    falls.sort(key=lambda fall: ORDER[output].index(fall.condition))
    return waterfall_plot(falls, key, f"{model}: steps of the gaps, {output} answers") if falls else None
