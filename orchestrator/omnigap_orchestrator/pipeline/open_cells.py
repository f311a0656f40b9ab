"""Which cells of a plan are still open for a call, what each needs next, and how many there are of each kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from omnigap.vocabulary import Condition, Control, Modality, Support
from omnigap_orchestrator.journal import AnswerRow, TranscriptRow
from omnigap_orchestrator.pipeline.cells import PlannedCell, PlannedCells, support_of
from omnigap_orchestrator.pipeline.context import RunContext
from omnigap_orchestrator.pipeline.observer import Observer
from omnigap_orchestrator.pipeline.results import ResultsTable
from omnigap_orchestrator.pipeline.scope import RunScope, Stage
from omnigap_orchestrator.plan import conditions_of
from omnigap_orchestrator.scoring import JUDGE

Place = tuple[Stage, str, Condition, Control | None]
"""What progress is counted by: stage, model, condition, and control."""


@dataclass(frozen=True, slots=True)
class OpenCell:
    """A cell with an answer and no score; `transcript` is None where it needs none, or has none yet."""

    cell: PlannedCell
    answer: AnswerRow
    transcript: TranscriptRow | None

    @property
    def needs_transcript(self) -> bool:
        return self.cell.is_spoken and self.transcript is None and self.answer.media_sha is not None

    @property
    def needs_call(self) -> bool:
        """Whether a service has to be asked before it can be scored."""
        return self.cell.is_judged or self.needs_transcript


@dataclass(frozen=True, slots=True)
class OpenCells:
    """What a call has to do.

    Attributes:
        unanswered: by model, in plan order.
        left: how many cells of each kind are not through a stage yet.
    """

    unanswered: dict[str, list[PlannedCell]] = field(default_factory=dict)
    answered: list[OpenCell] = field(default_factory=list)
    left: Counter[Place] = field(default_factory=Counter)

    @property
    def unjudged(self) -> int:
        """Cells that wait for a judge."""
        return sum(count for (stage, *_), count in self.left.items() if stage is Stage.JUDGE)


def open_cells(context: RunContext, cells: PlannedCells, scope: RunScope, models: Iterable[str]) -> OpenCells:
    """Sorts every covered cell without a score by what it needs next.

    Args:
        models: those that answer now.
    """
    todo, there = OpenCells(), set(models)
    for planned, answer, transcript in ResultsTable(context.folder.name, cells, context.records).unfinished():
        cell = planned.cell
        if not scope.covers(cell.model, cell.condition):
            continue
        place = (cell.model, cell.condition, cell.control)
        if answer is None or _is_lost(context, answer, transcript):
            if cell.model in there and planned.key is not None and planned.support is not None:
                todo.unanswered.setdefault(cell.model, []).append(planned)
                todo.left[Stage.GENERATE, *place] += 1
        else:
            opened = OpenCell(planned, answer, transcript)
            if opened.needs_transcript:
                if Stage.TRANSCRIBE in scope.stages:
                    todo.answered.append(opened)
                    todo.left[Stage.TRANSCRIBE, *place] += 1
            elif Stage.SCORE in scope.stages or (planned.is_judged and Stage.JUDGE in scope.stages):
                todo.answered.append(opened)
        if planned.is_judged:
            todo.left[Stage.JUDGE, *place] += 1
    return todo


def _is_lost(context: RunContext, answer: AnswerRow, transcript: TranscriptRow | None) -> bool:
    """Whether the recording of an answer without a transcript was removed: the cell is then asked again."""
    return transcript is None and answer.media_sha is not None and not context.store.exists(answer.media_sha)


def announce(observer: Observer, cells: PlannedCells, scope: RunScope, todo: OpenCells) -> None:
    """Tells the totals of each model, condition and control: how many cells, and how many were finished before."""
    judges = cells.config.judge is not None and Stage.JUDGE in scope.stages
    for name, condition, control in _places(cells, scope):
        total, place = cells.plan.count(condition, control), (name, condition, control)
        unasked = todo.left[Stage.GENERATE, *place]
        observer.planned(Stage.GENERATE, name, condition, total, total - unasked, control)
        if condition.output is Modality.SPEECH:
            unheard = unasked + todo.left[Stage.TRANSCRIBE, *place]
            observer.planned(Stage.TRANSCRIBE, name, condition, total, total - unheard, control)
        if judges and (judged := _judged(cells, total)):
            observer.planned(Stage.JUDGE, name, condition, judged, judged - todo.left[Stage.JUDGE, *place], control)


def _places(cells: PlannedCells, scope: RunScope) -> Iterator[tuple[str, Condition, Control | None]]:
    """Every model, condition and control that this call covers and the model supports."""
    for spec in cells.plan.models:
        card = cells.models[spec.name].card
        if card is None:
            continue
        for control in (None, *cells.plan.controls):
            for condition in conditions_of(control, spec.conditions):
                supported = support_of(card, condition, control)[0] is not Support.UNSUPPORTED
                if supported and scope.covers(spec.name, condition):
                    yield spec.name, condition, control


def _judged(cells: PlannedCells, total: int) -> int:
    """How many of a condition's cells have a judge for their metric."""
    judged = sum(metric == JUDGE for metric in cells.metrics.values())
    return total * judged // len(cells.metrics)


def no_judge(waiting: int, scope: RunScope) -> str:
    """Why judged cells stay pending although a judge is configured, and what to do."""
    fix = "the judge is away" if Stage.JUDGE in scope.stages else "this call judges nothing: add judge to --stages"
    return f"{waiting} cells have a judge for their metric and wait for it; {fix}"
