"""The pipeline: finds the open cells and runs one coroutine per cell: generate, transcribe, judge, score."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from omnigap.answer import Answer
from omnigap.vocabulary import FinishReason, Outcome
from omnigap_orchestrator.carriers import MediumError
from omnigap_orchestrator.journal import AnswerRow, TranscriptRow
from omnigap_orchestrator.pipeline.cells import PlannedCell, PlannedCells
from omnigap_orchestrator.pipeline.context import RunContext, ServiceCalls
from omnigap_orchestrator.pipeline.judge import Judge, UnparsableVerdict, unparsable_row
from omnigap_orchestrator.pipeline.open_cells import OpenCell, OpenCells
from omnigap_orchestrator.pipeline.requests import (
    failure_row,
    medium_failure_row,
    model_request,
    transcribe_request,
)
from omnigap_orchestrator.pipeline.scope import RunScope, Stage
from omnigap_orchestrator.pipeline.score import key_of, score_cell, texts_of
from omnigap_orchestrator.pipeline.stored import stored_transcript
from omnigap_orchestrator.plan import Cell
from omnigap_orchestrator.pool import CallFailed, Service, Unavailable
from omnigap_orchestrator.scoring.flags import is_empty

CACHED_CARRIERS = 128
"""Media files kept in memory for each model."""
MAX_IN_FLIGHT = 4096
"""Cells of one model that have started and are not scored; a model waits at this limit, which bounds memory."""
_YIELD_EVERY = 200
"""Scores computed before the event loop handles signals and progress."""


@dataclass(frozen=True, slots=True)
class RunServices:
    """The connected services; an unavailable one is None, or missing from `models`."""

    models: dict[str, Service]
    scorer: Service | None = None
    tts: Service | None = None
    judge: Service | None = None


class _TaskLimiter:
    """Starts tasks, of which at most `MAX_IN_FLIGHT` exist at a time."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(MAX_IN_FLIGHT)

    async def start(
        self, group: asyncio.TaskGroup, work: Callable[..., Coroutine[None, None, None]], *arguments: Any
    ) -> None:
        await self._free.acquire()
        group.create_task(work(*arguments)).add_done_callback(lambda _: self._free.release())


def _says_nothing(cell: PlannedCell, answer: Answer) -> bool:
    """Whether a text answer ended by itself without a visible character."""
    return not cell.is_spoken and answer.finish_reason is FinishReason.STOP and is_empty(answer.own_text)


class Pipeline:
    """Takes open cells through the stages, as far as the scope and the available services allow.

    A cell holds a slot of its model until its answer is stored, then a slot of the scorer, then one of the judge. So
    models continue while the scorer transcribes, and cells may finish in any order.
    """

    def __init__(self, context: RunContext, cells: PlannedCells, scope: RunScope, services: RunServices) -> None:
        self._context = context
        self._cells = cells
        self._scope = scope
        self._records = context.records
        self._observer = context.observer
        # Text and speech output of one input send the same bytes, and so do replicates that share a voice or font.
        self._reads = {name: lru_cache(maxsize=CACHED_CARRIERS)(context.store.read) for name in services.models}
        self._models = {
            name: self._calls(s, f"{name}: {{}}; its open cells stay pending") for name, s in services.models.items()
        }
        resume = "stay pending, run the same command to continue"
        self._scorer = self._calls_or_none(services.scorer, f"ASR scorer: {{}}; speech answers {resume}")
        judge, config = self._calls_or_none(services.judge, f"judge: {{}}; judged answers {resume}"), cells.config
        self._judge = None
        if judge is not None and cells.setup is not None and config.judge is not None:
            self._judge = Judge(context, judge, cells.setup, config.judge.decoding)
        # One lock per transcript key: equal audio of several answers is transcribed once, also if they arrive together.
        self._transcribing: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.without_medium: set[Cell] = set()
        """Cells whose stored carrier or audio could not be read; its file was moved, so that it is made again."""

    def _calls(self, service: Service, message: str) -> ServiceCalls:
        """
        Args:
            message: what to note when the service becomes unavailable; `{}` is replaced by the reason.
        """

        def report(error: Unavailable) -> None:
            self._observer.note(message.format(error))

        return ServiceCalls(service, self._cells.config.run.request_timeout_s, report)

    def _calls_or_none(self, service: Service | None, message: str) -> ServiceCalls | None:
        return None if service is None else self._calls(service, message)

    async def run(self, todo: OpenCells) -> None:
        """Processes the open cells.

        Raises:
            JournalError, StoreError: the disk is full or gone. Everything that was acknowledged is kept.
        """
        # Cells that need no call come first: they take no time, and tasks for them would only cost memory.
        for number, opened in enumerate(cell for cell in todo.answered if not cell.needs_call):
            self._score(opened.cell, opened.answer, opened.transcript)
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._start_answered(group, [cell for cell in todo.answered if cell.needs_call]))
            for name, cells in todo.unanswered.items():
                group.create_task(self._start_unanswered(group, self._models[name], cells))

    async def _start_answered(self, group: asyncio.TaskGroup, cells: Sequence[OpenCell]) -> None:
        limiter = _TaskLimiter()
        for opened in cells:
            await limiter.start(group, self._from_answer, opened.cell, opened.answer, opened.transcript)

    async def _start_unanswered(
        self, group: asyncio.TaskGroup, model: ServiceCalls, cells: Sequence[PlannedCell]
    ) -> None:
        """Starts a model's cells in plan order as slots become free; stops early if the model becomes unavailable."""
        # One limiter per model: a model whose answers queue at the scorer must not block the others.
        limiter = _TaskLimiter()
        for cell in cells:
            # The slot is taken before the task exists, so that cells start in plan order and an interrupted run holds
            # complete pairs of conditions. The task releases it.
            await model.slots.acquire()
            await limiter.start(group, self._cell, cell, model)
            if model.unavailable:
                return

    async def _cell(self, cell: PlannedCell, model: ServiceCalls) -> None:
        """Processes an unanswered cell; the caller has acquired a slot of the model for it."""
        try:
            answer = await self._generate(cell, model)
            if answer is not None and cell.is_first_pass:
                # The second pass keeps the slot: both passes are one cell, and its first answer is stored by now.
                cell = self._cells.second_pass(cell, answer.own_text)
                answer = await self._generate(cell, model)
        finally:
            model.slots.release()
        if answer is not None:
            self._finished(Stage.GENERATE, cell, Outcome.ANSWERED)
            await self._from_answer(cell, answer, None)

    async def _from_answer(self, cell: PlannedCell, answer: AnswerRow, transcript: TranscriptRow | None) -> None:
        """Processes an answered cell; returns early if a service fails, and a later command resumes there."""
        if cell.needs_transcript(answer, transcript):
            if self._scorer is None:
                return
            transcript = await self._transcribe(cell, answer, self._scorer)
            if transcript is None:
                return
        verdicts = None
        if cell.is_judged:
            verdicts = await self._judge_answer(cell, answer, transcript)
            if verdicts is None:
                return
        self._score(cell, answer, transcript, verdicts)

    async def _generate(self, cell: PlannedCell, model: ServiceCalls) -> AnswerRow | None:
        """Calls the model and stores its answer; None if the call failed or the model is unavailable."""
        try:
            request = model_request(cell, self._reads[cell.cell.model], self._context.run_id, model.digest)
            answer = await model.call(request)
            if _says_nothing(cell, answer) and self._cells.config.run.max_retries:
                # Once more, since overloaded servers send empty texts; a second one is what the model says. With
                # another ID, because the service would replay the first.
                request.request_id += " again"
                answer = await model.call(request)
        except Unavailable:
            # No failure row: the cell is pending, and `ServiceCalls` has reported the service once.
            return None
        except CallFailed as failed:
            await self._failed(Stage.GENERATE, cell, failed)
            return None
        except MediumError as error:
            await self._lacks_medium(Stage.GENERATE, cell, error)
            return None
        assert cell.key is not None
        return await self._context.save_answer(cell.key, answer)

    async def _transcribe(self, cell: PlannedCell, answer: AnswerRow, scorer: ServiceCalls) -> TranscriptRow | None:
        """The transcript of a speech answer, stored or made now; None if that failed or the scorer is unavailable."""
        assert answer.media_sha is not None
        key = self._cells.transcript_key(answer.media_sha, cell.item)
        async with self._transcribing[key]:
            row = stored_transcript(self._records.transcripts, key, scorer.digest)
            row = row or await self._call_scorer(cell, answer.media_sha, key, scorer)
        if row is not None:
            self._finished(Stage.TRANSCRIBE, cell, Outcome.ANSWERED)
        return row

    async def _call_scorer(
        self, cell: PlannedCell, media_sha: str, key: str, scorer: ServiceCalls
    ) -> TranscriptRow | None:
        config, language = self._cells.config.scorer, self._cells.scorer_language(cell.item)
        async with scorer.slots:
            # Checked again: the scorer may have gone while this cell waited for its slot.
            if scorer.unavailable:
                return None
            request_id = f"{self._context.run_id}-{key}"
            try:
                data = self._context.store.read(media_sha)
                request = transcribe_request(data, request_id, config.decoding, language, scorer.digest)
                transcript = await scorer.call(request)
            except Unavailable:
                return None
            except CallFailed as failed:
                await self._failed(Stage.TRANSCRIBE, cell, failed)
                return None
            except MediumError as error:
                await self._lacks_medium(Stage.TRANSCRIBE, cell, error)
                return None
            return await self._context.save_transcript(key, transcript)

    async def _judge_answer(
        self, cell: PlannedCell, answer: AnswerRow, transcript: TranscriptRow | None
    ) -> tuple[float, float | None] | None:
        """The judge's scores of an answer's texts; None if there is no judge, it is unavailable, or it failed."""
        if self._judge is None:
            return None
        try:
            scores = await self._judge.scores(cell.item, *texts_of(cell, answer, transcript))
        except Unavailable:
            return None
        except CallFailed as failed:
            await self._failed(Stage.JUDGE, cell, failed)
            return None
        except UnparsableVerdict as error:
            await self._records.save(unparsable_row(cell.cell, error))
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
        # Not awaited, unlike answers: a score that is lost with the process is simply computed again.
        self._records.post(score_cell(key_of(cell, answer, transcript), cell, answer, transcript, verdicts))
        self._finished(Stage.SCORE, cell, Outcome.ANSWERED)

    async def _failed(self, stage: Stage, cell: PlannedCell, failed: CallFailed) -> None:
        # Journalled for the report only: a later command forgets the failure and tries the cell again.
        await self._records.save(failure_row(stage, cell.cell, failed))
        self._finished(stage, cell, Outcome.PENDING if failed.leaves_pending else Outcome.FAILED)

    async def _lacks_medium(self, stage: Stage, cell: PlannedCell, error: MediumError) -> None:
        """Fails a cell whose medium can't be read, and moves the file away: its absence makes it be made again."""
        await asyncio.to_thread(error.set_aside)
        await self._records.save(medium_failure_row(stage, cell.cell, error))
        self.without_medium.add(cell.cell)

    def _finished(self, stage: Stage, planned: PlannedCell, outcome: Outcome) -> None:
        cell = planned.cell
        self._observer.finished(stage, cell.model, cell.condition, outcome, cell.control)
