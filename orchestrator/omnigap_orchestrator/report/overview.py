"""The model cards: summary sentences, the 3 x 2 matrix of conditions and the forest plot of gaps of each model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import polars as pl

from omnigap.vocabulary import CONDITIONS, INPUTS, OUTPUTS, Condition, Support
from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.accuracy import AccuracyRow
from omnigap_orchestrator.analysis.denominators import CONDITION_COUNTS, ConditionRow
from omnigap_orchestrator.analysis.gap import GapRow
from omnigap_orchestrator.analysis.own_text import SYNTHESIS_AND_ASR, SpokenRow
from omnigap_orchestrator.analysis.table import ContrastColumns, rows_of
from omnigap_orchestrator.report import formatting, select
from omnigap_orchestrator.report.charts import Chart, Span, in_points, interval_plot, modality_of
from omnigap_orchestrator.report.run_info import ServiceInfo
from omnigap_orchestrator.report.statements import random_mark
from omnigap_orchestrator.report.summary_text import ModelSummary, summarise
from omnigap_orchestrator.report.tables import tint

NOT_PLANNED = "not planned"


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """One condition of the matrix, formatted; `absent` is the reason if there is no number."""

    condition: str
    words: str
    value: str = ""
    change: str = ""
    interval: str = ""
    n: str = ""
    # Accuracy and gap by transcript, for a spoken answer that is scored by its own text.
    beside: str = ""
    title: str = ""
    tone: str = ""
    strength: int = 0
    reference: bool = False
    absent: str = ""
    support: str = ""
    helpers: str = ""


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One input modality."""

    input: str
    words: str
    cells: tuple[MatrixCell, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """The conditions of a model as a table.

    Attributes:
        columns: headings of the columns.
        row_word: second line of the heading of each row.
    """

    columns: tuple[str, ...]
    rows: tuple[MatrixRow, ...]
    row_word: str = "question"

    def by_output(self) -> dict[str, MatrixCell]:
        """Condition -> cell, column by column: the order of the table of several models."""
        cells = [row.cells[column] for column in range(len(self.columns)) for row in self.rows]
        return {cell.condition: cell for cell in cells}


@dataclass(frozen=True, slots=True)
class ModelView:
    """Everything on the card of one model.

    Attributes:
        mark: "random weights", or which service of the run has them; empty without.
    """

    name: str
    anchor: str
    mark: str
    architecture: str
    digest: str
    summary: ModelSummary
    matrix: Matrix
    assisted: bool
    forest: Chart | None


def model_views(analysis: Analysis, info: Iterable[ServiceInfo], *, imported: bool = False) -> tuple[ModelView, ...]:
    """The cards of all models, in the order of the table of denominators.

    Args:
        info: the model services that answered `Describe`.
        imported: the results are of another tool.
    """
    known = {found.name: found for found in info}
    views = []
    for place, model in enumerate(select.models_of(analysis)):
        counts = analysis.frame(CONDITION_COUNTS).filter(pl.col("model") == model)
        architecture = counts["architecture"].drop_nulls().to_list()
        service = known.get(model, ServiceInfo(model))
        views.append(
            ModelView(
                name=model,
                # Numbered, because a model name can contain characters that an anchor can't.
                anchor=f"model-{place + 1}",
                mark=random_mark(analysis.random_weights.get(model, ())),
                architecture=formatting.type_words(architecture[0]) if architecture else "",
                digest=service.digest,
                summary=summarise(analysis, model, resumable=not imported),
                matrix=_matrix(analysis, model, counts, service.helpers),
                assisted=bool((counts["support"] == Support.ASSISTED.value).any()),
                forest=_forest(analysis, model, place),
            )
        )
    return tuple(views)


def overview_conditions(views: Iterable[ModelView]) -> tuple[str, ...]:
    """The conditions of the table of several models: those of all of them, without combinations that none planned."""
    cells = [cell for view in views for cell in view.matrix.by_output().values()]
    six = {condition.name for condition in CONDITIONS}
    shown = [cell.condition for cell in cells if cell.condition in six or cell.absent != NOT_PLANNED]
    only_six = all(name in six for name in shown)
    planned = {cell.condition for cell in cells if cell.absent != NOT_PLANNED}
    return tuple(dict.fromkeys(name for name in shown if only_six or name in planned))


def _matrix(analysis: Analysis, model: str, counts: pl.DataFrame, helpers: Mapping[str, str]) -> Matrix:
    accuracy = select.by_condition(rows_of(select.headline_accuracy(analysis, model), AccuracyRow))
    gaps = select.by_condition(rows_of(select.headline_gaps(analysis, model), GapRow))
    planned = select.by_condition(rows_of(counts, ConditionRow))
    reference = analysis.options.reference
    transcribed = select.by_condition(row for row in analysis.rows(SYNTHESIS_AND_ASR) if row.model == model)

    def cells(names: Iterable[str]) -> tuple[MatrixCell, ...]:
        return tuple(
            replace(
                _cell(name, accuracy.get(name), gaps.get(name), planned.get(name), helpers.get(name, ""), reference),
                beside=_transcribed(transcribed.get(name)),
            )
            for name in names
        )

    six = [[Condition(source, output).name for output in OUTPUTS] for source in INPUTS]
    if set(planned) <= {name for row in six for name in row}:
        words = {"text": "Text", "speech": "Spoken", "image": "Image"}
        rows = [MatrixRow(i.value, words[i.value], cells(names)) for i, names in zip(INPUTS, six, strict=True)]
        return Matrix(("text answer", "spoken answer"), tuple(rows))
    # Imported results: `a2v` has an input and an output modality, other names are listed.
    parts = {name: _MODALITIES.fullmatch(name) for name in planned}
    if not all(parts.values()):
        return Matrix(("accuracy",), tuple(MatrixRow(name, name, cells([name])) for name in planned), "condition")
    pairs = [(match[1], match[2]) for match in parts.values() if match]
    inputs, outputs = (_in_order({pair[side] for pair in pairs}) for side in (0, 1))
    rows = [MatrixRow(i, formatting.modality_words(i).capitalize(), cells(f"{i}2{o}" for o in outputs)) for i in inputs]
    return Matrix(tuple(f"to {formatting.modality_words(output)}" for output in outputs), tuple(rows), "input")


_MODALITIES = re.compile(r"([a-z]+)2([a-z]+)")


def _in_order(letters: Iterable[str]) -> list[str]:
    order = list(formatting.MODALITIES)
    return sorted(letters, key=lambda name: (len(name), order.index(name) if name in order else len(order), name))


def _cell(
    name: str,
    accuracy: AccuracyRow | None,
    gap: GapRow | None,
    counts: ConditionRow | None,
    helpers: str,
    reference: str,
) -> MatrixCell:
    meaning = formatting.condition_words(name)
    if accuracy is None or accuracy.estimate is None:
        return MatrixCell(name, meaning, absent=_why_absent(counts))
    # Assisted conditions get a mark: their accuracy is not that of the model only.
    assisted = counts is not None and counts.support == Support.ASSISTED.value
    cell = MatrixCell(
        condition=name,
        words=meaning,
        value=formatting.percent(accuracy.estimate),
        interval=formatting.interval(accuracy.low, accuracy.high, difference=False),
        n=formatting.count(accuracy.n),
        title=f"{meaning}: interval by {formatting.method(accuracy.method)}",
        reference=name == reference,
        support="assisted" if assisted else "",
        helpers=helpers or "with help from another model, or in a way that the model was not trained for",
    )
    if gap is None:
        return cell
    if gap.estimate is None:
        return replace(cell, change="gap refused", title=f"{meaning}: {gap.reason}")
    tone, strength = tint(gap.estimate)
    limits = formatting.interval(gap.low, gap.high, difference=True)
    title = (
        f"{cell.title}. Gap {formatting.points(gap.estimate)} {limits}, {gap.n} pairs, {formatting.method(gap.method)}"
    )
    return replace(cell, change=formatting.points(gap.estimate), title=title, tone=tone, strength=strength)


def _transcribed(row: SpokenRow | None) -> str:
    """The score by transcript, and its difference to that of the own text."""
    if row is None or row.estimate is None:
        return ""
    return f"transcript {formatting.percent(row.transcript)} ({formatting.points(row.estimate)})"


def _why_absent(counts: ConditionRow | None) -> str:
    if counts is None:
        return NOT_PLANNED
    # An outcome is the reason only if it is that of all cells; with several outcomes there is no single reason.
    for outcome, cells in (
        ("unsupported", counts.unsupported),
        ("pending", counts.pending),
        ("failed", counts.failed),
    ):
        if cells and cells == counts.cells:
            return outcome
    if counts.unscored:
        return "not scored yet"
    return "no answers"


def _forest(analysis: Analysis, model: str, place: int) -> Chart | None:
    spans = [_span_of(row) for row in rows_of(select.headline_gaps(analysis, model), GapRow)]
    if beside := [_span_of(row) for row in rows_of(select.transcript_gaps(analysis, model), GapRow)]:
        spans = [Span("by the model\u2019s own text", heading=True), *spans]
        spans += [Span("by transcript (adds speech synthesis and our ASR)", heading=True), *beside]
    # A plot of refused gaps only would be an empty axis.
    if all(span.estimate is None for span in spans):
        return None
    title = f"Gap to {analysis.options.reference} with {select.level_words(analysis)} intervals"
    axis = "gap in points of accuracy; left of the line: loss"
    return interval_plot(spans, f"forest{place + 1}", title, axis, row=41 if not beside else 25, left=40)


def _span_of(row: GapRow) -> Span:
    # Condition names of imported tables are free text and have no modality.
    if len(row.condition) != 3:
        return gap_span(row, row.condition)
    return gap_span(row, row.condition, modality_of(row.condition), row.condition.endswith("s"))


def gap_span(row: ContrastColumns, label: str, modality: str = "text", hollow: bool = True) -> Span:
    """A row of gaps or effects as a row of an interval plot."""
    if row.estimate is None:
        return Span(label, note=f"refused: {row.lacking} pairs missing" if row.planned else "not supported")
    note = f"{formatting.points(row.estimate)}  {formatting.interval(row.low, row.high, difference=True)}"
    limits = in_points(row.low), in_points(row.high)
    return Span(label, in_points(row.estimate), *limits, note, modality, hollow)
