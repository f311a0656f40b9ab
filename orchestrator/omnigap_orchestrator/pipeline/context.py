"""The resources of one command on a run, opened and closed once: lock, journal, media store, service connections."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np

from omnigap.answer import Answer
from omnigap.errors import ContractError
from omnigap.media import encode_wav, pcm16_to_float
from omnigap.terminal import utf8_text
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Condition, Control, Outcome, Reason
from omnigap_orchestrator.carriers import MediaStore, MediumError
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.services import FleetKind
from omnigap_orchestrator.fleet import Endpoints, Fleet, Role
from omnigap_orchestrator.journal import (
    FLEET_META,
    AnswerRow,
    Journal,
    JournalWriter,
    Records,
    ServiceRow,
    TranscriptRow,
)
from omnigap_orchestrator.journal.tables import MetaRow
from omnigap_orchestrator.pipeline.folder import RunFolder
from omnigap_orchestrator.pipeline.identity import replaced_row, source_row
from omnigap_orchestrator.pipeline.scope import Stage, retry_policy
from omnigap_orchestrator.pool import CallFailed, Service, Unavailable, WaitNotes, connect

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")


class Observer:
    """Receives progress and notes; this base class ignores them.

    Called from the event loop of the run, so methods must return at once.
    """

    def note(self, text: str) -> None:
        """A message for the user: the chosen fleet, a service that died, a plan that changed."""

    def preparing(self, what: str, done: int, total: int) -> None:
        """Progress of work outside the stages of cells, such as making carriers."""

    def planned(
        self, stage: Stage, model: str, condition: Condition, total: int, done: int, control: Control | None = None
    ) -> None:
        """A stage has `total` cells of this model, condition and control; `done` were finished by earlier commands."""

    def finished(
        self, stage: Stage, model: str, condition: Condition, outcome: Outcome, control: Control | None = None
    ) -> None:
        """One more cell finished a stage."""


@dataclass(slots=True)
class RunContext:
    """An open run: folder, journal, media store and connections of one command.

    Attributes:
        records: in-memory view of the journal's rows; all reads and writes go through it.
        services: connected services; `disconnect` closes them.
        accepts: roles whose stored results this command may replace by those of another service.
        fleet_kind: the fleet of this command, which `save_services` stores; None if none was chosen.
    """

    folder: RunFolder
    observer: Observer
    journal: Journal
    records: Records
    store: MediaStore
    services: list[Service] = field(default_factory=list)
    accepts: frozenset[Role] = frozenset()
    fleet_kind: FleetKind | None = None

    @property
    def run_id(self) -> str:
        return self.journal.run_id

    @asynccontextmanager
    async def using(self, fleet: Fleet) -> AsyncIterator[Endpoints]:
        """Starts a fleet; on exit, connections are closed before its services are stopped."""
        self.observer.note(fleet.description)
        async with fleet as endpoints:
            waiting = asyncio.create_task(WaitNotes(self.services, self.observer.note).run())
            try:
                yield endpoints
            finally:
                waiting.cancel()
                # First close the connections: a service that stops under an open one would be reported as lost.
                await self.disconnect()

    async def connect(self, name: str, addresses: Sequence[str], config: Config) -> Service | None:
        """The service at these addresses; None if none of them answers within `[run] patience_s`.

        Raises:
            ServiceError: replicas of the service have different digests.
        """
        if not addresses:
            return None
        service = await connect(name, addresses, retry_policy(config), self.observer.note, config.network.proxy)
        if service is None:
            return None
        # Registered at once, so that its channels are closed even if a later step fails.
        self.services.append(service)
        if service.card.outdated:
            self.observer.note(f"{name} ({', '.join(addresses)}) should be started again: {service.card.outdated}")
        return service

    async def connect_all(self, wanted: Sequence[tuple[str, Sequence[str]]], config: Config) -> list[Service | None]:
        """Connects to several services by name and addresses, as `connect`; absent ones are waited for together."""
        # Without cancelling the others on the first error: every service that connects has to be closed.
        found = await asyncio.gather(
            *(self.connect(name, addresses, config) for name, addresses in wanted), return_exceptions=True
        )
        services = []
        for service in found:
            if isinstance(service, BaseException):
                raise service
            services.append(service)
        return services

    async def save_services(self, connected: Iterable[tuple[Role, str, Service]], config: Config | None = None) -> None:
        """Stores the current cards of services, where the configuration has them, and the fleet, in one transaction.

        After a kill, the next command therefore finds all of them or none.

        Args:
            connected: role, name of the card, and service.
            config: needed for scorers and judges.
        """
        rows: list[ServiceRow | MetaRow] = []
        for role, name, service in connected:
            if config is not None and (source := source_row(config, role, name)) is not None:
                rows.append(source)
            before = self.records.services.get((role, name))
            seen = None if before is None else pb.DescribeResponse.FromString(before.describe)
            replaced = replaced_row(self.journal, name, seen, service.card, accepted=role in self.accepts)
            if replaced is not None:
                rows.append(replaced)
            card = service.card.SerializeToString(deterministic=True)
            rows.append(ServiceRow(role, name, service.digest, card, time.time()))
        if self.fleet_kind is not None and self.journal.meta(FLEET_META) != self.fleet_kind:
            rows.append(MetaRow(FLEET_META, self.fleet_kind.value))
        if rows:
            await self.records.save(*rows)

    async def disconnect(self) -> None:
        """Closes all connections."""
        await asyncio.gather(*(service.pool.close() for service in self.services))
        self.services.clear()

    async def save_answer(self, key: str, answer: Answer) -> AnswerRow:
        """Stores an answer and returns its row. When this returns, audio and row survive a power cut."""
        # The audio is written before the row that refers to it: a crash in between leaves an unused file, which is
        # harmless, and never a row without its audio.
        # In a thread: encoding and fsync would block the event loop for all other answers.
        sha, rms, peak = await asyncio.to_thread(self._put_audio, answer) if answer.pcm else (None, None, None)
        row = AnswerRow(
            key=key,
            own_text=answer.own_text,
            reasoning=answer.reasoning,
            media_sha=sha,
            audio_seconds=answer.audio_seconds if answer.pcm else None,
            audio_rms=rms,
            audio_peak=peak,
            finish_reason=answer.finish_reason.value,
            input_tokens=answer.usage.input_tokens,
            output_tokens=answer.usage.output_tokens,
            audio_tokens=answer.usage.audio_tokens,
            latency_s=answer.latency_s,
            queue_s=answer.timings.queue_s,
            compute_s=answer.timings.compute_s,
            ttft_s=answer.timings.ttft_s,
            audio_ttfp_s=answer.timings.audio_ttfp_s,
            model_digest=answer.digest,
            endpoint=answer.endpoint,
            diagnostics=json.dumps(dict(answer.diagnostics), sort_keys=True),
            finished_at=time.time(),
        )
        await self.records.save(row)
        return row

    async def save_transcript(self, key: str, answer: Answer) -> TranscriptRow:
        """Stores a transcript of an ASR scorer or OCR service and returns its row."""
        diagnostics = answer.diagnostics
        row = TranscriptRow(
            key=key,
            text=answer.own_text,
            detected_language=answer.detected_language,
            avg_logprob=diagnostics.get("avg_logprob"),
            no_speech_prob=diagnostics.get("no_speech_prob"),
            compression_ratio=diagnostics.get("compression_ratio"),
            diagnostics=json.dumps(dict(diagnostics), sort_keys=True),
            asr_digest=answer.digest,
            finished_at=time.time(),
        )
        await self.records.save(row)
        return row

    def _put_audio(self, answer: Answer) -> tuple[str, float, float]:
        """Stores the audio as WAV; returns its SHA-256, and its RMS and peak relative to full scale (0 to 1)."""
        sha = self.store.put(encode_wav(answer.pcm, answer.sample_rate), "wav")
        samples = pcm16_to_float(answer.pcm)
        # float64: the mean of squares over minutes of float32 samples would lose precision.
        return sha, float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))), float(np.abs(samples).max())


@asynccontextmanager
async def open_run(
    folder: RunFolder, observer: Observer, accepts: frozenset[Role] = frozenset()
) -> AsyncIterator[RunContext]:
    """Opens a run's folder, locks it, and creates it if it does not exist.

    Args:
        accepts: as in `RunContext`.

    Raises:
        FolderError: the folder can't be used, or another process uses it.
        JournalError: the journal can't be opened; or, on exit, a row that was handed over could not be written.
    """
    folder.make()
    with folder.locked():
        store = MediaStore(folder.media)
        # Only under the lock: removes temporary files that a killed process left, not those of a running one.
        store.sweep()
        journal = folder.open_journal(observer.note)
        try:
            writer = JournalWriter(journal)
            context = RunContext(folder, observer, journal, Records(journal, writer), store, accepts=accepts)
            try:
                yield context
            finally:
                try:
                    await context.disconnect()
                finally:
                    # Writes what is still queued, also after an error; the journal closes only then.
                    await writer.close()
        finally:
            journal.close()


class ServiceCalls:
    """Calls of one service: limits how many run at once, and remembers when the service became unavailable."""

    def __init__(self, service: Service, timeout_s: float, on_unavailable: Callable[[Unavailable], None]) -> None:
        """
        Args:
            timeout_s: timeout of one call, in seconds.
            on_unavailable: called once, when the service is given up; later calls raise `Unavailable` at once.
        """
        self.service = service
        # Twice the capacity of the service: storing one answer then overlaps with generating the next.
        self.max_concurrent = 2 * service.pool.capacity
        self.slots = asyncio.Semaphore(self.max_concurrent)
        self.unavailable = False
        self._timeout_s = timeout_s
        self._on_unavailable = on_unavailable

    @property
    def digest(self) -> str:
        return self.service.digest

    async def call(self, request: pb.GenerateRequest) -> Answer:
        """One answer.

        Raises:
            Unavailable: no replica of the service is available.
            CallFailed: the service is healthy, but this call failed.
        """
        if self.unavailable:
            raise Unavailable(f"{self.service.name} is unavailable")
        try:
            return await self.service.pool.call(request, self._timeout_s)
        except (Unavailable, CallFailed):
            why = self.service.pool.gave_up
            # Many calls fail together when a service goes; only the first of them is reported.
            if why is not None and not self.unavailable:
                self.unavailable = True
                self._on_unavailable(Unavailable(why))
            raise


async def call_for_each(
    jobs: Sequence[JobT],
    work: Callable[[JobT], Awaitable[None]],
    calls: ServiceCalls,
    progress: tuple[Observer, str, int],
    on_failed: Callable[[JobT, CallFailed], None],
) -> None:
    """Runs `work` for every job, and stops early if the service becomes unavailable.

    Args:
        progress: the observer, a name for the work, and the number of all jobs, finished ones included.
        on_failed: called with each failed job, which then counts as done.
    """
    observer, what, total = progress
    done = total - len(jobs)
    observer.preparing(what, done, total)

    async def attempt(job: JobT) -> None:
        nonlocal done
        if calls.unavailable:
            return
        try:
            await work(job)
        except Unavailable:
            return
        except CallFailed as failed:
            on_failed(job, failed)
        except MediumError as error:
            # Out of the way, so that a medium that omnigap made is made again.
            await asyncio.to_thread(error.set_aside)
            on_failed(job, CallFailed(ContractError(Reason.BAD_MEDIA, str(error)), "", 1))
        done += 1
        observer.preparing(what, done, total)

    await bounded(jobs, attempt, calls.max_concurrent)


async def bounded(jobs: Sequence[JobT], work: Callable[[JobT], Awaitable[None]], limit: int) -> None:
    """Runs `work` on the jobs in order, at most `limit` at a time; the first exception cancels the others."""
    # Workers share one iterator: no task exists for a job that has not started, and jobs start in order.
    waiting = iter(jobs)

    async def worker() -> None:
        for job in waiting:
            await work(job)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(limit, len(jobs))):
            group.create_task(worker())


async def in_thread(work: Callable[..., ResultT], *arguments: Any) -> ResultT:
    """Runs a function in a thread and returns its result.

    As `asyncio.to_thread`, except that a cancelled caller still waits for the thread to end.
    """
    # The thread uses the journal and the run's lock, which a cancelled caller releases next.
    task = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def command_line() -> str:
    """The command line as typed."""
    return " ".join(["omnigap-orchestrate", *map(utf8_text, sys.argv[1:])])


def now() -> str:
    """The current time as stored in the journal: UTC, ISO 8601, in seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")
