"""What one command on a run works with, opened and closed once: the lock, the journal, the media, the services."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np

from omnigap.client import Answer
from omnigap.media import encode_wav, pcm16_to_float
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Condition, Control, Outcome
from omnigap_orchestrator.carriers import MediaStore
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.fleet import Endpoints, Fleet, Role
from omnigap_orchestrator.journal import AnswerRow, Journal, JournalWriter, Records, ServiceRow, TranscriptRow
from omnigap_orchestrator.pipeline.folder import RunFolder
from omnigap_orchestrator.pipeline.scope import Stage, retry_policy
from omnigap_orchestrator.pool import CallFailed, Service, Unavailable, connect

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")


class Observer:
    """Reports nothing; subclasses override what they show. Called from the run's event loop: methods return at once."""

    def note(self, text: str) -> None:
        """Something that a person should read: which fleet, a service that died, a plan that changed."""

    def preparing(self, what: str, done: int, total: int) -> None:
        """Carriers are being made, or clips transcribed, outside of the stages of cells."""

    def planned(
        self, stage: Stage, model: str, condition: Condition, total: int, done: int, control: Control | None = None
    ) -> None:
        """A stage holds `total` cells of this model and condition, or of a control of it; `done` are from before."""

    def finished(
        self, stage: Stage, model: str, condition: Condition, outcome: Outcome, control: Control | None = None
    ) -> None:
        """One more cell of a stage came to an end."""


@dataclass(slots=True)
class RunContext:
    """One command's hold on a run.

    Attributes:
        records: the journal's rows; reads and writes go through it.
        services: those that answer now; `disconnect` closes them.
    """

    folder: RunFolder
    observer: Observer
    journal: Journal
    records: Records
    store: MediaStore
    services: list[Service] = field(default_factory=list)

    @property
    def run_id(self) -> str:
        return self.journal.run_id

    @asynccontextmanager
    async def using(self, fleet: Fleet) -> AsyncIterator[Endpoints]:
        """Brings a fleet up; at the end the connections are closed before its services stop."""
        self.observer.note(fleet.description)
        async with fleet as endpoints:
            try:
                yield endpoints
            finally:
                await self.disconnect()

    async def connect(self, name: str, addresses: Sequence[str], config: Config) -> Service | None:
        """The service at these addresses; None where none of them answers.

        Raises:
            ServiceError: where replicas of one service differ.
        """
        if not addresses:
            return None
        service = await connect(name, addresses, retry_policy(config), self.observer.note, config.network.proxy)
        if service is not None:
            self.services.append(service)
        return service

    async def save_service(self, role: Role, name: str, service: Service) -> None:
        """Keeps the card that a service shows now."""
        card = service.card.SerializeToString(deterministic=True)
        await self.records.save(ServiceRow(role, name, service.digest, card, time.time()))

    async def disconnect(self) -> None:
        """Closes all connections, before the fleet that they lead to ends."""
        await asyncio.gather(*(service.pool.close() for service in self.services))
        self.services.clear()

    async def save_answer(self, key: str, answer: Answer) -> AnswerRow:
        """Stores a model's answer, the audio first. When this returns, both survive a power cut."""
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
        """Stores what a scorer or a reader wrote down."""
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
        """The stored WAV's hash, and the audio's root mean square and peak at full scale 1."""
        sha = self.store.put(encode_wav(answer.pcm, answer.sample_rate), "wav")
        samples = pcm16_to_float(answer.pcm)
        return sha, float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))), float(np.abs(samples).max())


@asynccontextmanager
async def open_run(folder: RunFolder, observer: Observer) -> AsyncIterator[RunContext]:
    """Takes a run's folder for this command, and makes it where it does not exist.

    Raises:
        FolderError: where it cannot be used, or another process uses it.
        JournalError: where its journal cannot be used; also at the end, where something handed over was not written.
    """
    folder.make()
    with folder.locked():
        store = MediaStore(folder.media)
        store.sweep()
        journal = Journal(folder.journal)
        try:
            writer = JournalWriter(journal)
            context = RunContext(folder, observer, journal, Records(journal, writer), store)
            try:
                yield context
            finally:
                try:
                    await context.disconnect()
                finally:
                    await writer.close()
        finally:
            journal.close()


class ServiceCalls:
    """Calls of one service in a run: how many at once, and whether it is still there."""

    def __init__(self, service: Service, timeout_s: float, on_away: Callable[[Unavailable], None]) -> None:
        """
        Args:
            timeout_s: of one call.
            on_away: called once, when the service is given up; every later call raises `Unavailable` at once.
        """
        self.service = service
        # Twice as many as it takes: storing one answer overlaps with asking for the next.
        self.at_once = 2 * service.pool.capacity
        self.slots = asyncio.Semaphore(self.at_once)
        self.away = False
        self._timeout_s = timeout_s
        self._on_away = on_away

    @property
    def digest(self) -> str:
        return self.service.digest

    async def call(self, request: pb.GenerateRequest) -> Answer:
        """One answer.

        Raises:
            Unavailable: where the service is gone.
            CallFailed: where the service is well, and this call fails.
        """
        if self.away:
            raise Unavailable(f"{self.service.name} is away")
        try:
            return await self.service.pool.call(request, self._timeout_s)
        except Unavailable as away:
            if not self.away:
                self.away = True
                self._on_away(away)
            raise


async def call_for_each(
    jobs: Sequence[JobT],
    work: Callable[[JobT], Awaitable[None]],
    calls: ServiceCalls,
    progress: tuple[Observer, str, int],
    on_failed: Callable[[JobT, CallFailed], None],
) -> None:
    """Calls a service for every job, until the jobs or the service are gone.

    Args:
        progress: the observer, what the work is called, and how many jobs there are with those that were done before.
        on_failed: takes each job that failed; it counts as done.
    """
    observer, what, total = progress
    done = total - len(jobs)
    observer.preparing(what, done, total)

    async def tried(job: JobT) -> None:
        nonlocal done
        if calls.away:
            return
        try:
            await work(job)
        except Unavailable:
            return
        except CallFailed as failed:
            on_failed(job, failed)
        done += 1
        observer.preparing(what, done, total)

    await bounded(jobs, tried, calls.at_once)


async def bounded(jobs: Sequence[JobT], work: Callable[[JobT], Awaitable[None]], at_once: int) -> None:
    """Runs `work` on every job in order, `at_once` of them at a time; the first exception ends all."""
    waiting = iter(jobs)

    async def worker() -> None:
        for job in waiting:
            await work(job)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(at_once, len(jobs))):
            group.create_task(worker())


async def in_thread(work: Callable[..., ResultT], *arguments: Any) -> ResultT:
    """The result of a function that runs in a thread of its own.

    As `asyncio.to_thread`, but a caller who is cancelled waits for the thread: it works on the journal and under the
    lock that the caller gives up next.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def command_line() -> str:
    """The command as it was typed."""
    return " ".join(["omnigap-orchestrate", *sys.argv[1:]])


def now() -> str:
    """The time as the journal keeps it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
