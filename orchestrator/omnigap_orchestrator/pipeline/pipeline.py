"""The pipeline: one coroutine a cell, from its question to its score: generate, transcribe, judge, score."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from omnigap.errors import ContractError
from omnigap.vocabulary import Modality, Outcome, Reason
from omnigap_orchestrator.dispatch import Away, CallFailed, Service
from omnigap_orchestrator.journal import AnswerRow, TranscriptRow
from omnigap_orchestrator.pipeline.cells import PlannedCell, PlannedCells
from omnigap_orchestrator.pipeline.context import RunContext, ServiceCalls
from omnigap_orchestrator.pipeline.failures import failure_row
from omnigap_orchestrator.pipeline.judge import Judge, Unreadable, unreadable_row
from omnigap_orchestrator.pipeline.open_cells import OpenCell, OpenCells
from omnigap_orchestrator.pipeline.requests import model_request, transcribe_request
from omnigap_orchestrator.pipeline.scope import RunScope, Stage
from omnigap_orchestrator.pipeline.score import key_of, score_cell, texts_of

CACHED_CARRIERS = 128
MAX_IN_FLIGHT = 4096
"""Cells that are begun and not scored; beyond it the models wait for the scorer, so that memory stays bounded."""
_YIELD_EVERY = 200
"""Scores without a call, after which signals and progress get their turn."""


@dataclass(frozen=True, slots=True)
class RunServices:
    """The services that answer now; None, or not among the models, for one that does not."""

    models: dict[str, Service]
    scorer: Service | None = None
    tts: Service | None = None
    judge: Service | None = None


class Pipeline:
    """Takes open cells through the stages, as far as the call's scope and its services go.

    A cell holds a slot of its model until its answer is stored, then one of the scorer, then one of the judge. So the
    models go on while the scorer transcribes, and the order in which cells end does not matter.
    """

    def __init__(self, context: RunContext, cells: PlannedCells, scope: RunScope, services: RunServices) -> None:
        """Raises ServiceError for a judge that does not answer text as text."""
        self._context = context
        self._cells = cells
        self._scope = scope
        self._records = context.records
        self._observer = context.observer
        # Both output conditions, and every replicate without a voice or font of its own, send the same bytes.
        self._read = lru_cache(maxsize=CACHED_CARRIERS)(context.store.read)
        self._models = {
            name: self._calls(s, f"{name}: {{}}; its open cells stay pending") for name, s in services.models.items()
        }
        waits = "wait for it, the same command goes on"
        self._scorer = self._calls_or_none(services.scorer, f"the ASR scorer: {{}}; speech answers {waits}")
        judge, config = self._calls_or_none(services.judge, f"the judge: {{}}; open answers {waits}"), cells.config
        self._judge = None
        if judge is not None and cells.bench is not None and config.judge is not None:
            self._judge = Judge(context, judge, cells.bench, config.judge.decoding)
        self._in_flight = asyncio.Semaphore(MAX_IN_FLIGHT)

    def _calls(self, service: Service, away: str) -> ServiceCalls:
        def went(gone: Away) -> None:
            self._observer.note(away.format(gone))

        return ServiceCalls(service, self._cells.config.run.request_timeout_s, went)

    def _calls_or_none(self, service: Service | None, away: str) -> ServiceCalls | None:
        return None if service is None else self._calls(service, away)

    async def run(self, todo: OpenCells) -> None:
        """Works through the open cells.

        Raises:
            JournalError, StoreError: where the disk is full or gone; what was acknowledged is kept.
        """
        for number, opened in enumerate(todo.answered):
            if opened.needs_call:
                continue
            self._score(opened.cell, opened.answer, opened.transcript)
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._begin_answered(group, [cell for cell in todo.answered if cell.needs_call]))
            for name, cells in todo.unanswered.items():
                group.create_task(self._begin_unanswered(group, self._models[name], cells))

    async def _begin_answered(self, group: asyncio.TaskGroup, cells: Sequence[OpenCell]) -> None:
        for opened in cells:
            await self._in_flight.acquire()
            work = self._from_answer(opened.cell, opened.answer, opened.transcript)
            group.create_task(work).add_done_callback(self._ended)

    async def _begin_unanswered(
        self, group: asyncio.TaskGroup, model: ServiceCalls, cells: Sequence[PlannedCell]
    ) -> None:
        """Begins a model's cells in their order, as its slots become free; ends early where the model is gone."""
        for cell in cells:
            await self._in_flight.acquire()
            await model.slots.acquire()
            group.create_task(self._cell(cell, model)).add_done_callback(self._ended)
            if model.away:
                return

    def _ended(self, _: asyncio.Task[None]) -> None:
        self._in_flight.release()

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
        if transcript is None and cell.is_spoken and answer.media_sha is not None:
            if self._scorer is None:
                return
            transcript = await self._transcribe(cell, answer, answer.media_sha, self._scorer)
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
            answer = await model.call(model_request(cell, self._read, self._context.run_id, model.digest))
            if answer.pcm and cell.cell.condition.output is Modality.TEXT:
                # A speech answer without audio is an answer (silent); audio that was not asked for breaks the contract.
                error = ContractError(Reason.MODEL_ERROR, "the model sent audio where text was asked for")
                raise CallFailed(error, answer.endpoint, 1)
        except Away:
            return None
        except CallFailed as failed:
            await self._failed(Stage.GENERATE, cell, failed)
            return None
        assert cell.key is not None
        return await self._context.save_answer(cell.key, answer)

    async def _transcribe(
        self, cell: PlannedCell, answer: AnswerRow, media_sha: str, scorer: ServiceCalls
    ) -> TranscriptRow | None:
        """Has a spoken answer transcribed; None where that failed or the scorer is away."""
        key = self._cells.transcript_key(media_sha, cell.item)
        config = self._cells.config.scorer
        language = self._cells.scorer_language(cell.item)
        async with scorer.slots:
            if scorer.away:
                return None
            data = self._context.store.read(media_sha)
            request_id = f"{self._context.run_id}-{key}"
            try:
                heard = await scorer.call(
                    transcribe_request(data, request_id, config.decoding, language, scorer.digest)
                )
            except Away:
                return None
            except CallFailed as failed:
                await self._failed(Stage.TRANSCRIBE, cell, failed)
                return None
            row = await self._context.save_transcript(key, heard)
        self._finished(Stage.TRANSCRIBE, cell, Outcome.ANSWERED)
        return row

    async def _judged(
        self, cell: PlannedCell, answer: AnswerRow, transcript: TranscriptRow | None
    ) -> tuple[float, float | None] | None:
        """The judge's scores of an answer's texts; None where there is no judge, it is away, or it failed."""
        if self._judge is None:
            return None
        try:
            scores = await self._judge.scores(cell.item, *texts_of(cell, answer, transcript))
        except Away:
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
