"""The pipeline: which cells are open, and one coroutine a cell: generate, transcribe, judge, score."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from omnigap.errors import ContractError
from omnigap.vocabulary import Condition, Control, Modality, Outcome, Reason, Support
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.journal import AnswerRow, TranscriptRow
from omnigap_orchestrator.pipeline.cells import PlannedCell, PlannedCells, support_of
from omnigap_orchestrator.pipeline.context import Observer, RunContext, ServiceCalls
from omnigap_orchestrator.pipeline.judge import Judge, Unreadable, unreadable_row
from omnigap_orchestrator.pipeline.requests import failure_row, model_request, transcribe_request
from omnigap_orchestrator.pipeline.results import ResultsTable
from omnigap_orchestrator.pipeline.scope import RunScope, Stage
from omnigap_orchestrator.pipeline.score import key_of, score_cell, texts_of
from omnigap_orchestrator.plan import conditions_of
from omnigap_orchestrator.pool import CallFailed, Service, Unavailable
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
        return self.cell.needs_transcript(self.answer, self.transcript)

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
    """Reports the totals of each model, condition and control: how many cells, and how many were finished before."""
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


def no_judge(waiting: int, config: Config, scope: RunScope) -> str:
    """Why judged cells stay pending, and what to do."""
    fix = "the judge is away" if Stage.JUDGE in scope.stages else "this call judges nothing: add judge to --stages"
    if config.judge is None:
        fix = "no judge is configured: write a [judge] section with its endpoints"
    return f"{waiting} cells have a judge for their metric and wait for it; {fix}"


CACHED_CARRIERS = 128
MAX_IN_FLIGHT = 4096
"""Cells of one model that are begun and not scored; beyond it the model waits for the scorer: memory stays bounded."""
_YIELD_EVERY = 200
"""Scores without a call, after which signals and progress get their turn."""


@dataclass(frozen=True, slots=True)
class RunServices:
    """The services that answer now; None, or not among the models, for one that does not."""

    models: dict[str, Service]
    scorer: Service | None = None
    tts: Service | None = None
    judge: Service | None = None


class _Bound:
    """Begins tasks, at most `MAX_IN_FLIGHT` at a time."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(MAX_IN_FLIGHT)

    async def begin(
        self, group: asyncio.TaskGroup, work: Callable[..., Coroutine[None, None, None]], *arguments: Any
    ) -> None:
        await self._free.acquire()
        group.create_task(work(*arguments)).add_done_callback(lambda _: self._free.release())


class Pipeline:
    """Takes open cells through the stages, as far as the call's scope and its services go.

    A cell holds a slot of its model until its answer is stored, then one of the scorer, then one of the judge. So the
    models go on while the scorer transcribes, and the order in which cells end does not matter.
    """

    def __init__(self, context: RunContext, cells: PlannedCells, scope: RunScope, services: RunServices) -> None:
        self._context = context
        self._cells = cells
        self._scope = scope
        self._records = context.records
        self._observer = context.observer
        # Both output conditions, and every replicate without a voice or font of its own, send the same bytes.
        self._reads = {name: lru_cache(maxsize=CACHED_CARRIERS)(context.store.read) for name in services.models}
        self._models = {
            name: self._calls(s, f"{name}: {{}}; its open cells stay pending") for name, s in services.models.items()
        }
        waits = "wait for it, the same command goes on"
        self._scorer = self._calls_or_none(services.scorer, f"the ASR scorer: {{}}; speech answers {waits}")
        judge, config = self._calls_or_none(services.judge, f"the judge: {{}}; open answers {waits}"), cells.config
        self._judge = None
        if judge is not None and cells.setup is not None and config.judge is not None:
            self._judge = Judge(context, judge, cells.setup, config.judge.decoding)
        # Equal audio of several answers is transcribed once.
        self._transcribing: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def _calls(self, service: Service, away: str) -> ServiceCalls:
        def went(gone: Unavailable) -> None:
            self._observer.note(away.format(gone))

        return ServiceCalls(service, self._cells.config.run.request_timeout_s, went)

    def _calls_or_none(self, service: Service | None, away: str) -> ServiceCalls | None:
        return None if service is None else self._calls(service, away)

    async def run(self, todo: OpenCells) -> None:
        """Works through the open cells.

        Raises:
            JournalError, StoreError: where the disk is full or gone; what was acknowledged is kept.
        """
        for number, opened in enumerate(cell for cell in todo.answered if not cell.needs_call):
            self._score(opened.cell, opened.answer, opened.transcript)
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._begin_answered(group, [cell for cell in todo.answered if cell.needs_call]))
            for name, cells in todo.unanswered.items():
                group.create_task(self._begin_unanswered(group, self._models[name], cells))

    async def _begin_answered(self, group: asyncio.TaskGroup, cells: Sequence[OpenCell]) -> None:
        bound = _Bound()
        for opened in cells:
            await bound.begin(group, self._from_answer, opened.cell, opened.answer, opened.transcript)

    async def _begin_unanswered(
        self, group: asyncio.TaskGroup, model: ServiceCalls, cells: Sequence[PlannedCell]
    ) -> None:
        """Begins a model's cells in their order, as its slots become free; ends early where the model is gone."""
        # Each model has a bound of its own: one whose answers wait for the scorer holds up no other.
        bound = _Bound()
        for cell in cells:
            await model.slots.acquire()
            await bound.begin(group, self._cell, cell, model)
            if model.away:
                return

    async def _cell(self, cell: PlannedCell, model: ServiceCalls) -> None:
        """A cell from its question; the caller has taken a slot of the model for it."""
        try:
            answer = await self._generate(cell, model)
            if answer is not None and cell.is_first_pass:
                # A cell in two passes is one cell: the second is asked as soon as the first is kept.
                cell = self._cells.second_pass(cell, answer.own_text)
                answer = await self._generate(cell, model)
        finally:
            model.slots.release()
        if answer is not None:
            self._finished(Stage.GENERATE, cell, Outcome.ANSWERED)
            await self._from_answer(cell, answer, None)

    async def _from_answer(self, cell: PlannedCell, answer: AnswerRow, transcript: TranscriptRow | None) -> None:
        """A cell from its answer; returns early where a service is away or fails: the same command goes on there."""
        if cell.needs_transcript(answer, transcript):
            if self._scorer is None:
                return
            transcript = await self._transcribe(cell, answer, self._scorer)
            if transcript is None:
                return
        verdicts = None
        if cell.is_judged:
            verdicts = await self._judged(cell, answer, transcript)
            if verdicts is None:
                return
        self._score(cell, answer, transcript, verdicts)

    async def _generate(self, cell: PlannedCell, model: ServiceCalls) -> AnswerRow | None:
        """Asks the model and stores its answer; None where that failed or the model is away."""
        try:
            answer = await model.call(
                model_request(cell, self._reads[cell.cell.model], self._context.run_id, model.digest)
            )
            if answer.pcm and cell.cell.condition.output is Modality.TEXT:
                # A speech answer without audio is an answer (silent); audio that was not asked for breaks the contract.
                error = ContractError(Reason.MODEL_ERROR, "the model sent audio where text was asked for")
                raise CallFailed(error, answer.endpoint, 1)
        except Unavailable:
            return None
        except CallFailed as failed:
            await self._failed(Stage.GENERATE, cell, failed)
            return None
        assert cell.key is not None
        return await self._context.save_answer(cell.key, answer)

    async def _transcribe(self, cell: PlannedCell, answer: AnswerRow, scorer: ServiceCalls) -> TranscriptRow | None:
        """The transcript of a spoken answer, kept or made now; None where that failed or the scorer is away."""
        assert answer.media_sha is not None
        key = self._cells.transcript_key(answer.media_sha, cell.item)
        async with self._transcribing[key]:
            row = self._records.transcripts.get(key) or await self._heard(cell, answer.media_sha, key, scorer)
        if row is not None:
            self._finished(Stage.TRANSCRIBE, cell, Outcome.ANSWERED)
        return row

    async def _heard(self, cell: PlannedCell, media_sha: str, key: str, scorer: ServiceCalls) -> TranscriptRow | None:
        config, language = self._cells.config.scorer, self._cells.scorer_language(cell.item)
        async with scorer.slots:
            if scorer.away:
                return None
            data, request_id = self._context.store.read(media_sha), f"{self._context.run_id}-{key}"
            request = transcribe_request(data, request_id, config.decoding, language, scorer.digest)
            try:
                transcript = await scorer.call(request)
            except Unavailable:
                return None
            except CallFailed as failed:
                await self._failed(Stage.TRANSCRIBE, cell, failed)
                return None
            return await self._context.save_transcript(key, transcript)

    async def _judged(
        self, cell: PlannedCell, answer: AnswerRow, transcript: TranscriptRow | None
    ) -> tuple[float, float | None] | None:
        """The judge's scores of an answer's texts; None where there is no judge, it is away, or it failed."""
        if self._judge is None:
            return None
        try:
            scores = await self._judge.scores(cell.item, *texts_of(cell, answer, transcript))
        except Unavailable:
            return None
        except CallFailed as failed:
            await self._failed(Stage.JUDGE, cell, failed)
            return None
        except Unreadable as said:
            await self._records.save(unreadable_row(cell.cell, said))
            self._finished(Stage.JUDGE, cell, Outcome.FAILED)
            return None
        self._finished(Stage.JUDGE, cell, Outcome.ANSWERED)
        return scores

    def _score(
        self,
        cell: PlannedCell,
        answer: AnswerRow,
        transcript: TranscriptRow | None,
        verdicts: tuple[float, float | None] | None = None,
    ) -> None:
        if Stage.SCORE not in self._scope.stages:
            return
        # Not waited for: a score that is lost with the process is computed again.
        self._records.post(score_cell(key_of(cell, answer, transcript), cell, answer, transcript, verdicts))
        self._finished(Stage.SCORE, cell, Outcome.ANSWERED)

    async def _failed(self, stage: Stage, cell: PlannedCell, failed: CallFailed) -> None:
        await self._records.save(failure_row(stage, cell.cell, failed))
        self._finished(stage, cell, Outcome.FAILED)

    def _finished(self, stage: Stage, planned: PlannedCell, outcome: Outcome) -> None:
        cell = planned.cell
        self._observer.finished(stage, cell.model, cell.condition, outcome, cell.control)
