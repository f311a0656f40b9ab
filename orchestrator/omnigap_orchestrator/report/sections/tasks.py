"""Section on tasks: accuracy of each task in each condition, as a chart and as a table tinted by the gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from omnigap.vocabulary import CONDITIONS
from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.accuracy import AccuracyRow
from omnigap_orchestrator.analysis.gap import GapRow
from omnigap_orchestrator.analysis.pairs import ordered_conditions
from omnigap_orchestrator.analysis.table import rows_of
from omnigap_orchestrator.report import formatting, select, tables
from omnigap_orchestrator.report.charts import Dot, in_points, modality_of, task_plot
from omnigap_orchestrator.report.sections.gaps import contrast_columns, families
from omnigap_orchestrator.report.sections.section import Section, marked, model_column
from omnigap_orchestrator.report.tables import Cell, Column, Table, make_table


def task_section(analysis: Analysis) -> Section | None:
    """Accuracy of each task in each condition, tinted by its gap; None for a run with one task."""
    accuracy = select.headline_task_accuracy(analysis)
    tasks = accuracy["task"].unique(maintain_order=True).to_list()
    if not tasks:
        return None
    gaps = select.headline_task_gaps(analysis)
    charts, heats = [], []
    for place, model in enumerate(select.models_of(analysis)):
        mine, name = accuracy.filter(pl.col("model") == model), marked(analysis, model)
        rows = mine.filter(pl.col("estimate").is_not_null())
        dots = [
            Dot(
                r.task or "",
                r.condition,
                modality_of(r.condition),
                "speech" if r.condition.endswith("s") else "text",
                100 * r.estimate,
                in_points(r.low),
                in_points(r.high),
            )
            for r in rows_of(mine, AccuracyRow)
            if r.estimate is not None and r.condition in {c.name for c in CONDITIONS}
        ]
        # Sorted by the reference, so that tasks that are hard anyway are not mistaken for tasks with a gap.
        ordered = _easiest_first(rows, analysis.options.reference)
        if dots:
            charts.append(task_plot(dots, ordered, f"tasks{place + 1}", f"{name}: accuracy by task, with intervals"))
        heats.append(_heat(mine, gaps.filter(pl.col("model") == model), ordered, name, place))
    grid = make_table(
        gaps,
        GapRow,
        "task-gaps",
        "Gaps by task",
        [
            *model_column(analysis),
            tables.text("task", "Task", write=_task_name),
            tables.condition(),
            *contrast_columns(analysis, gaps),
        ],
        small="exploratory; item-weighted, on answered pairs",
        note=families(gaps),
    )
    return Section(
        "tasks",
        "Accuracy by task",
        "Tasks",
        "Circle, square and diamond: text, spoken and image question. Filled: text answer; hollow: spoken answer."
        if charts
        else "",
        charts=tuple(charts),
        tables=tuple(heats),
        folded=(grid,),
    )


def _task_name(task: str) -> str:
    return task.replace("_", " ")


def _easiest_first(rows: pl.DataFrame, reference: str) -> list[str]:
    """Tasks by their score in the reference condition, highest first; tasks without a score last."""
    first = rows.filter(pl.col("condition") == reference).sort("estimate", "task", descending=[True, False])
    known: list[str] = first["task"].to_list()
    return known + [t for t in rows["task"].unique(maintain_order=True).to_list() if t not in known]


@dataclass(frozen=True, slots=True)
class _TaskRow:
    task: str


def _heat(accuracy: pl.DataFrame, gaps: pl.DataFrame, tasks: Sequence[str], name: str, place: int) -> Table:
    scores = {(r.task, r.condition): r for r in rows_of(accuracy, AccuracyRow)}
    differences = {(r.task, r.condition): r for r in rows_of(gaps, GapRow)}

    def cell(condition: str, row: _TaskRow) -> Cell:
        task = row.task
        score, gap = scores.get((task, condition)), differences.get((task, condition))
        if score is None or score.estimate is None:
            return Cell(formatting.NOTHING, "", title=score.reason or "" if score else "not planned")
        # The cell shows accuracy and its colour the gap: both are needed to see where points are lost.
        tone, strength = tables.tint(gap.estimate) if gap else ("", 0)
        fine = f"{formatting.interval(score.low, score.high, difference=False)}, n = {score.n}"
        title = f"{task}, {formatting.condition_words(condition)}: {formatting.percent(score.estimate)} % {fine}"
        if gap is not None and gap.estimate is not None:
            limits = formatting.interval(gap.low, gap.high, difference=True)
            title += f"; gap {formatting.points(gap.estimate)} {limits}"
            fine += f"; gap {formatting.points(gap.estimate)}"
        return Cell(
            formatting.percent(score.estimate, 0),
            f"{100 * score.estimate:.10g}",
            title=title,
            tone=tone,
            strength=strength,
            fine=fine,
        )

    columns: list[Column[_TaskRow]] = [tables.text("task", "Task", write=_task_name)]
    six = [condition.name for condition in CONDITIONS]
    names = set(accuracy["condition"])
    shown = six if names <= set(six) else ordered_conditions(list(names))
    columns += [Column(name, partial(cell, name), numeric=True) for name in shown]
    return make_table(
        pl.DataFrame({"task": tasks}, schema={"task": pl.String}),
        _TaskRow,
        f"tasks-{place + 1}",
        f"{name}: accuracy by task, %",
        columns,
        small="tinted by the gap to the reference",
        heat=True,
    )
