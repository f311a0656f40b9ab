"""The open cells of a command: what each needs next, in which order, and how many every stage has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field

from omnigap.vocabulary import Condition, Control, Modality, Reason, Support
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.journal import AnswerRow, Records, TranscriptRow
from omnigap_orchestrator.pipeline.cells import PlannedCell, PlannedCells, support_of
from omnigap_orchestrator.pipeline.context import Observer, RunContext
from omnigap_orchestrator.pipeline.results import ResultsTable
from omnigap_orchestrator.pipeline.scope import RunScope, Stage
from omnigap_orchestrator.plan import conditions_of
from omnigap_orchestrator.scoring import JUDGE

ProgressKey = tuple[Stage, str, Condition, Control | None]
"""What progress is counted by: stage, model, condition and control."""


@dataclass(frozen=True, slots=True)
class OpenCell:
    """A cell with an answer and without a score; `transcript` is None if it needs none or has none yet."""

    cell: PlannedCell
    answer: AnswerRow
    transcript: TranscriptRow | None

    @property
    def needs_transcript(self) -> bool:
        return self.cell.needs_transcript(self.answer, self.transcript)

    @property
    def needs_call(self) -> bool:
        """Whether a service must be called before the cell can be scored."""
        return self.cell.is_judged or self.needs_transcript


@dataclass(frozen=True, slots=True)
class OpenCells:
    """The open cells of a command.

    Attributes:
        unanswered: cells without an answer by model, in plan order.
        answered: cells that have an answer and need a transcript, a verdict or a score.
        left: number of cells that have not finished a stage.
    """

    unanswered: dict[str, list[PlannedCell]] = field(default_factory=dict)
    answered: list[OpenCell] = field(default_factory=list)
    left: Counter[ProgressKey] = field(default_factory=Counter)

    @property
    def unjudged(self) -> int:
        """Number of cells without a verdict of the judge."""
        return sum(count for (stage, *_), count in self.left.items() if stage is Stage.JUDGE)


def late_cells(records: Records) -> frozenset[tuple[str, str, str, int]]:
    """Cells whose last call of their model timed out: model, item, condition and replicate, as in a failure row."""
    rows = (row for row in records.failures.values() if row.stage == Stage.GENERATE)
    late = (row for row in rows if row.reason == Reason.DEADLINE_EXCEEDED)
    return frozenset((row.model, row.item_id, row.condition, row.replicate) for row in late)


def open_cells(
    context: RunContext,
    cells: PlannedCells,
    scope: RunScope,
    models: Iterable[str],
    late: Container[tuple[str, str, str, int]] = (),
) -> OpenCells:
    """Finds the cells of the scope that have no score, and what each needs next.

    Args:
        models: names of the connected models.
        late: cells to call after all others, from `late_cells`.
    """
    todo, available = OpenCells(), set(models)
    # From the journal, not from memory of earlier commands: resuming and starting are the same operation.
    for planned, answer, transcript in ResultsTable(context.folder.name, cells, context.records).unfinished():
        cell = planned.cell
        if not scope.covers(cell.model, cell.condition):
            continue
        group = (cell.model, cell.condition, cell.control)
        if answer is None or _audio_is_missing(context, answer, transcript):
            # Without a carrier there is no key, and the cell waits for its carrier.
            if cell.model in available and planned.key is not None and planned.support is not None:
                todo.unanswered.setdefault(cell.model, []).append(planned)
                todo.left[Stage.GENERATE, *group] += 1
        else:
            opened = OpenCell(planned, answer, transcript)
            if opened.needs_transcript:
                if Stage.TRANSCRIBE in scope.stages:
                    todo.answered.append(opened)
                    todo.left[Stage.TRANSCRIBE, *group] += 1
            elif Stage.SCORE in scope.stages or (planned.is_judged and Stage.JUDGE in scope.stages):
                todo.answered.append(opened)
        if planned.is_judged:
            todo.left[Stage.JUDGE, *group] += 1
    if late:
        # At the beginning, a few questions that a model never finishes would end every command of a run.
        for unanswered in todo.unanswered.values():
            unanswered.sort(key=lambda planned: _late_key(planned) in late)
    return todo


def _late_key(planned: PlannedCell) -> tuple[str, str, str, int]:
    cell = planned.cell
    return cell.model, cell.item_id, cell.filed_under, cell.replicate


def _audio_is_missing(context: RunContext, answer: AnswerRow, transcript: TranscriptRow | None) -> bool:
    """Whether the audio of an untranscribed answer was deleted; such a cell is generated again."""
    return transcript is None and answer.media_sha is not None and not context.store.exists(answer.media_sha)


def report_totals(observer: Observer, cells: PlannedCells, scope: RunScope, todo: OpenCells) -> None:
    """Reports to the observer how many cells each stage has, and how many were finished by earlier commands."""
    judges = cells.config.judge is not None and Stage.JUDGE in scope.stages
    for name, condition, control in _progress_groups(cells, scope):
        total, group = cells.plan.count(condition, control), (name, condition, control)
        unanswered = todo.left[Stage.GENERATE, *group]
        observer.planned(Stage.GENERATE, name, condition, total, total - unanswered, control)
        if condition.output is Modality.SPEECH:
            untranscribed = unanswered + todo.left[Stage.TRANSCRIBE, *group]
            observer.planned(Stage.TRANSCRIBE, name, condition, total, total - untranscribed, control)
        if judges and (judged := _judged_count(cells, total)):
            observer.planned(Stage.JUDGE, name, condition, judged, judged - todo.left[Stage.JUDGE, *group], control)


def _progress_groups(cells: PlannedCells, scope: RunScope) -> Iterator[tuple[str, Condition, Control | None]]:
    """Every model, condition and control in the scope that the model supports."""
    for spec in cells.plan.models:
        card = cells.models[spec.name].card
        if card is None:
            continue
        for control in (None, *cells.plan.controls):
            for condition in conditions_of(control, spec.conditions):
                supported = support_of(card, condition, control)[0] is not Support.UNSUPPORTED
                if supported and scope.covers(spec.name, condition):
                    yield spec.name, condition, control


def _judged_count(cells: PlannedCells, total: int) -> int:
    """How many of the `total` cells of a condition are judged."""
    judged = sum(metric == JUDGE for metric in cells.metrics.values())
    # Items have equally many cells in a condition, except for the few that a two-pass control leaves out: good enough
    # for a progress bar.
    return total * judged // len(cells.metrics)


def no_judge_note(waiting: int, config: Config, scope: RunScope) -> str:
    """Why judged cells stay pending, and how to change that."""
    judges = Stage.JUDGE in scope.stages
    fix = "the judge is unavailable" if judges else "the stage judge is not in this call: add it to --stages"
    if config.judge is None:
        fix = "no judge is configured: add a [judge] section with its endpoints"
    return f"{waiting} cells that need a judge stay pending: {fix}"
