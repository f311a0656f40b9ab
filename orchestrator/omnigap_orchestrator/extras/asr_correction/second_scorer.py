"""Pipeline stage of the second ASR scorer: it transcribes the stored spoken answers once more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from omnigap_orchestrator.config import ScorerConfig
from omnigap_orchestrator.fleet import Role
from omnigap_orchestrator.pipeline.cells import PlannedCells
from omnigap_orchestrator.pipeline.context import RunContext, ServiceCalls, call_for_each
from omnigap_orchestrator.pipeline.identity import SECOND_SCORER
from omnigap_orchestrator.pipeline.instruments import check_second_scorer
from omnigap_orchestrator.pipeline.requests import transcribe_request
from omnigap_orchestrator.pipeline.scope import RunScope
from omnigap_orchestrator.pipeline.stored import stored_answer, stored_transcript
from omnigap_orchestrator.pool import CallFailed, Unavailable


@dataclass(frozen=True, slots=True)
class _Job:
    key: str
    media_sha: str
    language: str


async def transcribe_again(context: RunContext, cells: PlannedCells, scope: RunScope, second: ScorerConfig) -> None:
    """Transcribes every stored spoken answer with the second scorer, except those that the journal has.

    A run is complete without it, so an unavailable service or failed calls only give notes.

    Raises:
        JournalError: the disk is full.
        ServiceError: the replicas of the second scorer differ.
        InstrumentError: it is not the one whose transcripts are stored, and the command does not accept it.
    """
    config, note = cells.config, context.observer.note
    if not second.endpoints:
        return
    service = await context.connect("second scorer", second.endpoints, config)
    if service is None:
        note(f"the second scorer is unavailable ({', '.join(second.endpoints)}): run `transcribe` again later")
        return
    check_second_scorer(context, cells, service.card, ", ".join(second.endpoints))
    await context.save_services([(Role.SCORER, SECOND_SCORER, service)], config)
    cells.set_second_scorer(service.card)
    if cells.scorers_are_the_same:
        note("the second scorer is the same service as the first: the comparison will show no difference")

    def unavailable(error: Unavailable) -> None:
        note(f"the second scorer: {error}; run `transcribe` again later for the missing transcripts")

    await _transcribe(context, cells, scope, second, ServiceCalls(service, config.run.request_timeout_s, unavailable))


async def _transcribe(
    context: RunContext, cells: PlannedCells, scope: RunScope, config: ScorerConfig, calls: ServiceCalls
) -> None:
    jobs = list(dict.fromkeys(_jobs(context, cells, scope)))
    done = context.records.transcripts
    todo = [job for job in jobs if stored_transcript(done, job.key, calls.digest) is None]
    failures: list[CallFailed] = []

    async def transcribe(job: _Job) -> None:
        data = await asyncio.to_thread(context.store.read, job.media_sha)
        request_id = f"{context.run_id}-{job.key}"
        answer = await calls.call(transcribe_request(data, request_id, config.decoding, job.language, calls.digest))
        await context.save_transcript(job.key, answer)

    def failed(_: _Job, failure: CallFailed) -> None:
        failures.append(failure)
        # One message is enough: the failures of a service are usually of one kind.
        if len(failures) == 1:
            context.observer.note(f"the second scorer: {failure.error.message}")

    progress = (context.observer, "transcripts by the second scorer", len(jobs))
    await call_for_each(todo, transcribe, calls, progress, failed)
    if failures:
        text = f"the second scorer failed on {len(failures)} answers: the same command tries them again"
        context.observer.note(text)


def _jobs(context: RunContext, cells: PlannedCells, scope: RunScope) -> Iterator[_Job]:
    for planned in cells:
        cell, answer = planned.cell, stored_answer(context.records.answers, planned)
        if answer is None or answer.media_sha is None or not planned.is_spoken:
            continue
        if scope.covers(cell.model, cell.condition) and context.store.exists(answer.media_sha):
            key = cells.second_transcript_key(answer.media_sha, planned.item)
            assert key is not None
            yield _Job(key, answer.media_sha, cells.second_language(planned.item))
