"""The waterfall: from the reference to a condition step by step, each step starting where the last one ended."""

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
from omnigap_orchestrator.report.sections.section import Section, model_column
from omnigap_orchestrator.report.tables import make_table


@dataclass(frozen=True, slots=True)
class Fall:
    """One step of one condition, in points, with its interval; `total` is the gap that the steps add up to."""

    condition: str
    label: str
    estimate: float
    low: float | None = None
    high: float | None = None
    total: bool = False


def waterfall_plot(falls: Sequence[Fall], key: str, title: str, width: int = 1100) -> Chart:
    """Losses to the left and gains to the right of where the step before ended; the last bar starts at zero again.

    A thin line through the end of a bar is the interval of its step.
    """
    conditions = list(dict.fromkeys(fall.condition for fall in falls))
    # The longest chain names the rows in its order; the total comes last.
    chains = [[f.label for f in falls if f.condition == c and not f.total] for c in conditions]
    labels = list(dict.fromkeys(label for chain in sorted(chains, key=len, reverse=True) for label in chain))
    labels.append(next((fall.label for fall in falls if fall.total), "gap"))
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
            axes.use_sticky_edges = False
            axes.margins(x=0.24)
            reached = 0.0
            for fall in (f for f in falls if f.condition == condition):
                start = 0.0 if fall.total else reached
                place = labels.index(fall.label)
                colour = svg.INK if fall.total else svg.LOSS if fall.estimate < 0 else svg.GAIN
                axes.barh(place, fall.estimate, left=start, height=0.56, color=colour, zorder=2)
                reached = start + fall.estimate
                if not fall.total:
                    axes.plot([reached] * 2, [place + 0.28, place + 0.72], color=svg.MUTED, linewidth=1, zorder=1)
                side = 1 if fall.estimate >= 0 else -1
                ends = [reached]
                if fall.low is not None and fall.high is not None:
                    ends += [start + fall.low, start + fall.high]
                    axes.plot(ends[1:], [place] * 2, color=svg.INK, linewidth=1.2, alpha=0.55, zorder=3)
                axes.annotate(
                    formatting.points(fall.estimate / 100),
                    (max(ends) if side > 0 else min(ends), place),
                    xytext=(6 * side, 0),
                    textcoords="offset points",
                    va="center",
                    ha="left" if side > 0 else "right",
                )
        described = "; ".join(f"{f.condition} {f.label} {f.estimate:+.1f}" for f in falls)
        return Chart(title, Markup(svg.to_svg(figure, key, title, described)), wide=True)


# The section of the waterfall: at which step of a conversation the points are lost, and how answers change shape.

STEPS = {
    "perception": "perceiving the question",
    "input_reasoning": "answering from it",
    "input": "question not typed",
    "output_mode": "words meant for voice",
    "synthesis_and_asr": "voicing and hearing",
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
            tables.interval("low", "high", f"{select.level_words(analysis)} interval"),
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
        for place, model in enumerate(select.models_of(analysis))
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
