"""Section on the waterfall: the steps of each gap, from the reference to the condition, as a chart and as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
from markupsafe import Markup

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.answers import ANSWERS, AnswerRow
from omnigap_orchestrator.analysis.table import rows_of
from omnigap_orchestrator.analysis.waterfall import WATERFALL, StepRow
from omnigap_orchestrator.report import formatting, select, svg, tables
from omnigap_orchestrator.report.charts import Chart, in_points
from omnigap_orchestrator.report.sections.section import Section, marked, model_column
from omnigap_orchestrator.report.tables import make_table

STEPS = {
    "perception": "perception",
    "input_reasoning": "reasoning from the input",
    "input": "input modality",
    "output_mode": "wording for speech",
    "synthesis_and_asr": "synthesis and ASR",
    "output": "spoken answer",
    "gap": "gap",
}
ORDER = {"text": ("s2t", "i2t"), "spoken": ("t2s", "s2s", "i2s")}
"""The conditions of each chart, by output modality; every chain starts at t2t."""


@dataclass(frozen=True, slots=True)
class ChartStep:
    """One step of one condition, in points, with its interval; `total`: the gap that the steps add up to."""

    condition: str
    label: str
    estimate: float
    low: float | None = None
    high: float | None = None
    total: bool = False


def waterfall_section(analysis: Analysis) -> Section | None:
    """Charts of gaps with several steps, tables of all steps and of answer lengths; None without a gap."""
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
            tables.interval("low", "high", f"{select.level_words(analysis)} interval"),
            tables.count("n", "n", definition="n"),
            tables.optional(tables.count("lacking", "Missing", definition="missing", zero_soft=True)),
            tables.method(),
        ],
        small="points of accuracy; the steps of a condition add up to its gap",
    )
    answers = make_table(
        analysis.frame(ANSWERS),
        AnswerRow,
        "answers",
        "Length and flags of the answers",
        [
            *model_column(analysis),
            tables.condition(),
            tables.count("answered", "Answered"),
            tables.number("mean_words", "Words, mean", digits=1),
            tables.number("median_words", "Words, median", digits=0),
            tables.percent("refused", "Refused, %", definition="flags"),
            tables.percent("unparsable", "Unparsable, %"),
            tables.percent("wrong_language", "Other language, %"),
            tables.percent("truncated", "Truncated, %"),
            tables.percent("silent", "Silent, %"),
        ],
        small="number of words in the own text; shares of the answered cells",
    )
    charts = [
        _chart(frame.filter(model=model), marked(analysis, model), f"waterfall{place + 1}-{output}", output)
        for place, model in enumerate(select.models_of(analysis))
        for output in ORDER
    ]
    drawn = tuple(chart for chart in charts if chart is not None)
    return Section(
        "waterfall",
        "Steps of the gaps",
        "Waterfall",
        "The gap of each condition, split into steps: perceiving the spoken or image question, answering from it, "
        "wording the answer for speech, speech synthesis by the model and transcription by our ASR. "
        + _perception_note(frame),
        charts=drawn,
        # The table repeats the numbers of the charts, so it is collapsed if there are charts.
        tables=() if drawn else (steps,),
        folded=((steps,) if drawn else ()) + ((answers,) if answers.rows else ()),
    )


def step_words(step: str) -> str:
    return STEPS.get(step, step.replace("_", " "))


def _perception_note(frame: pl.DataFrame) -> str:
    """How perception is separated from answering, or what it takes to separate them."""
    if "perception" in frame["step"]:
        return (
            "The two-pass control separates perception from answering: the model transcribed the question, then "
            "answered its own transcript. These steps, and their gap, use only the items whose carrier contains the "
            "words of the question."
        )
    return "Perception and answering can be separated only with a two-pass control (run --controls two-pass)."


def _chart(frame: pl.DataFrame, name: str, key: str, output: str) -> Chart | None:
    """The chart of one output modality: conditions with several steps, all of them with an estimate."""
    # A refused step leaves the next bar without a start. A chain of two rows is one step and the gap: the same number.
    whole = pl.col("estimate").is_not_null().all().over("condition") & (pl.len().over("condition") > 2)
    steps = [
        ChartStep(
            r.condition, step_words(r.step), 100 * r.estimate, in_points(r.low), in_points(r.high), r.step == "gap"
        )
        for r in rows_of(
            frame.filter(whole & pl.col("condition").is_in(ORDER[output])).sort(
                "condition", "order", maintain_order=True
            ),
            StepRow,
        )
        if r.estimate is not None
    ]
    steps.sort(key=lambda step: ORDER[output].index(step.condition))
    return waterfall_plot(steps, key, f"{name}: steps of the gaps, {output} answers") if steps else None


def waterfall_plot(steps: Sequence[ChartStep], key: str, title: str, width: int = 1100) -> Chart:
    """A horizontal waterfall chart: each bar starts at the end of the previous one, the total starts at zero.

    A thin line through the end of a bar is the interval of its step.
    """
    conditions = list(dict.fromkeys(step.condition for step in steps))
    # Conditions can have different steps. The longest chain determines the order of the rows; the total comes last.
    chains = [[f.label for f in steps if f.condition == c and not f.total] for c in conditions]
    labels = list(dict.fromkeys(label for chain in sorted(chains, key=len, reverse=True) for label in chain))
    labels.append(next((step.label for step in steps if step.total), "gap"))
    left, top, bottom, row = 170, 28, 46, 40
    height = top + bottom + row * len(labels)
    with svg.drawing(width, height, 1, len(conditions), squeeze=False, sharex=True, sharey=True) as (figure, grid):
        figure.subplots_adjust(left / width, bottom / height, 1 - 14 / width, 1 - top / height, wspace=0.08)
        for axes, condition in zip(grid[0], conditions, strict=True):
            axes.set_yticks(range(len(labels)), labels)
            axes.set_ylim(len(labels) - 0.5, -0.5)
            axes.axvline(0, color=svg.MUTED, linewidth=1.2, zorder=1)
            axes.set_title(condition, fontsize=12.5, fontweight="bold", loc="left")
            axes.set_xlabel("points from the reference")
            # Bars have sticky edges, which would suppress the margins that the labels need.
            axes.use_sticky_edges = False
            axes.margins(x=0.24)
            reached = 0.0
            for step in (f for f in steps if f.condition == condition):
                start = 0.0 if step.total else reached
                place = labels.index(step.label)
                colour = svg.INK if step.total else svg.LOSS if step.estimate < 0 else svg.GAIN
                axes.barh(place, step.estimate, left=start, height=0.56, color=colour, zorder=2)
                reached = start + step.estimate
                if not step.total:
                    axes.plot([reached] * 2, [place + 0.28, place + 0.72], color=svg.MUTED, linewidth=1, zorder=1)
                side = 1 if step.estimate >= 0 else -1
                ends = [reached]
                if step.low is not None and step.high is not None:
                    ends += [start + step.low, start + step.high]
                    axes.plot(ends[1:], [place] * 2, color=svg.INK, linewidth=1.2, alpha=0.55, zorder=3)
                axes.annotate(
                    formatting.points(step.estimate / 100),
                    (max(ends) if side > 0 else min(ends), place),
                    xytext=(6 * side, 0),
                    textcoords="offset points",
                    va="center",
                    ha="left" if side > 0 else "right",
                )
        described = "; ".join(f"{f.condition} {f.label} {f.estimate:+.1f}" for f in steps)
        return Chart(title, Markup(svg.to_svg(figure, key, title, described)), wide=True)
