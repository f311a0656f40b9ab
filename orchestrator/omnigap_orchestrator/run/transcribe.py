"""The transcribe stage: speech answers go to the ASR scorer while the models go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Outcome
from omnigap_orchestrator.carriers import MediaStore
from omnigap_orchestrator.dispatch import Away, CallFailed, Service
from omnigap_orchestrator.journal import AnswerRow, TranscriptRow
from omnigap_orchestrator.journal.writer import JournalWriter
from omnigap_orchestrator.run.asking import hearing_request
from omnigap_orchestrator.run.book import Book, Entry
from omnigap_orchestrator.run.failures import failure_row
from omnigap_orchestrator.run.observer import Observer
from omnigap_orchestrator.run.settings import Stage
from omnigap_orchestrator.run.store import Keeper

OnTranscript = Callable[[Entry, AnswerRow, TranscriptRow], None]


@dataclass(frozen=True, slots=True)
class _Job:
    entry: Entry
    answer: AnswerRow
    key: str


class Transcription:
    """A queue in front of the scorer. It holds references, not audio, so its length costs little memory."""

    def __init__(
        self,
        service: Service,
        book: Book,
        store: MediaStore,
        keeper: Keeper,
        writer: JournalWriter,
        observer: Observer,
        run_id: str,
        on_transcript: OnTranscript,
    ) -> None:
        self._service = service
        self._book = book
        self._store = store
        self._keeper = keeper
        self._writer = writer
        self._observer = observer
        self._run_id = run_id
        self._on_transcript = on_transcript
        self._timeout_s = book.config.run.request_timeout_s
        self._queue: asyncio.Queue[_Job | None] = asyncio.Queue()
        self._away = False

    def put(self, entry: Entry, answer: AnswerRow) -> None:
        """Queues the audio of one answer."""
        assert answer.media_sha is not None
        self._queue.put_nowait(_Job(entry, answer, self._book.transcript_key(answer.media_sha, entry.item)))

    def close(self) -> None:
        """No more will come: `run` ends when the queue is empty."""
        self._queue.put_nowait(None)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(2 * self._service.pool.capacity):
                group.create_task(self._work())

    async def _work(self) -> None:
        while (job := await self._queue.get()) is not None:
            if self._away:
                continue
            try:
                answer = await self._service.pool.call(self._request(job), self._timeout_s)
            except Away as away:
                if not self._away:
                    self._observer.note(f"the ASR scorer: {away}; speech answers wait for it, the same command goes on")
                self._away = True
            except CallFailed as failed:
                cell = job.entry.cell
                await self._writer.write(failure_row(Stage.TRANSCRIBE, cell, failed))
                self._observer.finished(Stage.TRANSCRIBE, cell.model, cell.condition, Outcome.FAILED, cell.control)
            else:
                row = await self._keeper.transcript(job.key, answer)
                cell = job.entry.cell
                self._observer.finished(Stage.TRANSCRIBE, cell.model, cell.condition, Outcome.ANSWERED, cell.control)
                self._on_transcript(job.entry, job.answer, row)
        # One `None` ends all workers: each hands it on to the next.
        self._queue.put_nowait(None)

    def _request(self, job: _Job) -> pb.GenerateRequest:
        assert job.answer.media_sha is not None
        data = self._store.read(job.answer.media_sha)
        return hearing_request(
            data,
            f"{self._run_id}-{job.key}",
            self._book.config.scorer.decoding,
            self._book.scorer_language(job.entry.item),
            self._service.digest,
        )
