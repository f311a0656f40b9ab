"""A second scorer hears the same answers: its transcripts beside the first's tell how much hangs on the choice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass

from omnigap.vocabulary import Modality
from omnigap_orchestrator.carriers import MediaStore
from omnigap_orchestrator.config import ScorerConfig
from omnigap_orchestrator.dispatch import Away, CallFailed, Service, connect
from omnigap_orchestrator.fleet import Role
from omnigap_orchestrator.journal import AnswerRow, Journal, ServiceRow, TranscriptRow
from omnigap_orchestrator.journal.writer import JournalWriter
from omnigap_orchestrator.run.asking import ask_side_by_side, hearing_request
from omnigap_orchestrator.run.book import SECOND_SCORER, Book
from omnigap_orchestrator.run.folder import RunFolder
from omnigap_orchestrator.run.observer import Observer
from omnigap_orchestrator.run.record import open_book
from omnigap_orchestrator.run.settings import Restriction, retry_policy
from omnigap_orchestrator.run.store import Keeper


async def hear_again(folder: RunFolder, restriction: Restriction, observer: Observer) -> None:
    """Has every stored spoken answer that it has not heard yet transcribed by the second scorer, if there is one.

    A run is whole without it: what it has not heard is only missing from the comparison.

    Raises:
        JournalError: where the disk is full.
        ServiceError: where its replicas differ.
    """
    journal = Journal(folder.journal)
    try:
        config = open_book(folder, journal).config
        if config.second_scorer is None or not config.second_scorer.endpoints:
            return
        policy = retry_policy(config)
        places = config.second_scorer.endpoints
        service = await connect("second scorer", places, policy, observer.note, config.network.proxy)
        if service is None:
            observer.note(f"the second scorer is away ({', '.join(places)}): its transcripts can be had later")
            return
        writer = JournalWriter(folder.journal)
        try:
            card = service.card.SerializeToString(deterministic=True)
            await writer.write(ServiceRow(Role.SCORER, SECOND_SCORER, service.digest, card, time.time()))
            # Read again: its key follows from the service that answers now.
            book = open_book(folder, journal)
            if book.second_is_first:
                observer.note("the second scorer is the same service as the first: it can tell nothing new")
            hearing = _SecondHearing(service, config.second_scorer, book, journal, writer, folder, observer)
            await hearing.run(restriction, config.run.request_timeout_s)
        finally:
            await service.pool.close()
            await writer.close()
    finally:
        journal.close()


@dataclass(frozen=True, slots=True)
class _Job:
    key: str
    media_sha: str
    language: str


class _SecondHearing:
    def __init__(
        self,
        service: Service,
        config: ScorerConfig,
        book: Book,
        journal: Journal,
        writer: JournalWriter,
        folder: RunFolder,
        observer: Observer,
    ) -> None:
        self._service = service
        self._config = config
        self._book = book
        self._journal = journal
        self._store = MediaStore(folder.media)
        self._keeper = Keeper(self._store, writer)
        self._observer = observer
        self._run_id = journal.run_id

    async def run(self, restriction: Restriction, timeout_s: float) -> None:
        known, jobs = self._journal.keys(TranscriptRow), list(dict.fromkeys(self._jobs(restriction)))
        failures: list[CallFailed] = []

        async def hear(job: _Job) -> None:
            data = await asyncio.to_thread(self._store.read, job.media_sha)
            request = hearing_request(
                data, f"{self._run_id}-{job.key}", self._config.decoding, job.language, self._service.digest
            )
            await self._keeper.transcript(job.key, await self._service.pool.call(request, timeout_s))

        def failed(_: _Job, failure: CallFailed) -> None:
            failures.append(failure)
            if len(failures) == 1:
                self._observer.note(f"the second scorer: {failure.error.message}")

        def away(gone: Away) -> None:
            self._observer.note(f"the second scorer: {gone}; what it has not heard can be had later")

        todo = [job for job in jobs if job.key not in known]
        progress = (self._observer, "transcripts by the second scorer", len(jobs))
        await ask_side_by_side(todo, hear, self._service, progress, failed, away)
        if failures:
            text = f"the second scorer could not hear {len(failures)} answers: the same command asks it again"
            self._observer.note(text)

    def _jobs(self, restriction: Restriction) -> Iterator[_Job]:
        answers = {row.key: row.media_sha for row in self._journal.all(AnswerRow) if row.media_sha}
        for entry in self._book:
            cell = entry.cell
            if cell.condition.output is not Modality.SPEECH or not restriction.covers(cell.model, cell.condition):
                continue
            sha = answers.get(entry.key or "")
            if sha and self._store.exists(sha):
                key = self._book.second_transcript_key(sha, entry.item)
                assert key is not None
                yield _Job(key, sha, self._book.second_language(entry.item))
