"""What a voice and a scorer are asked, by whichever stage asks them; and many such questions asked side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from omnigap.errors import ContractError
from omnigap.media import encode_wav
from omnigap.media.audio import WAV
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_orchestrator.config.services import DecodingConfig
from omnigap_orchestrator.dispatch import Away, CallFailed, Service
from omnigap_orchestrator.run.carriers import Reading
from omnigap_orchestrator.run.generate import decoding_message
from omnigap_orchestrator.run.observer import Observer

JobT = TypeVar("JobT")


def hearing_request(
    data: bytes, request_id: str, decoding: DecodingConfig, language: str, digest: str
) -> pb.GenerateRequest:
    """The question to an ASR scorer: a stored WAV, nothing else that could lead it."""
    return pb.GenerateRequest(
        request_id=request_id,
        parts=[pb.InputPart(audio=pb.Audio(data=data, mime_type=WAV))],
        output=pb.MODALITY_TEXT,
        decoding=decoding_message(decoding, 0),
        language=language,
        expected_digest=digest,
    )


async def read_aloud(tts: Service, text: str, reading: Reading, language: str, timeout_s: float) -> bytes:
    """A text as a WAV file, in one reading.

    Raises:
        Away: where the voice is gone.
        CallFailed: where it could not read the text, or gave no sound.
    """
    request = pb.GenerateRequest(
        parts=[pb.InputPart(text=text)],
        output=pb.MODALITY_SPEECH,
        voice=pb.VoiceSettings(name=reading.voice, words_per_minute=reading.words_per_minute),
        language=language,
        expected_digest=tts.digest,
    )
    answer = await tts.pool.call(request, timeout_s)
    if not answer.pcm:
        error = ContractError(Reason.MODEL_ERROR, f"{answer.endpoint} answered without audio")
        raise CallFailed(error, answer.endpoint, 1)
    return encode_wav(answer.pcm, answer.sample_rate)


async def ask_side_by_side(
    jobs: Sequence[JobT],
    ask: Callable[[JobT], Awaitable[None]],
    service: Service,
    progress: tuple[Observer, str, int],
    on_failed: Callable[[JobT, CallFailed], None],
    on_away: Callable[[Away], None],
) -> None:
    """Asks until the jobs or the service are gone, twice as many at a time as it takes: storing overlaps with asking.

    Args:
        jobs: what is left to do.
        progress: who is told, what the work is called, and how many jobs there were with those that were done before.
        on_failed: takes each job that failed; it counts as done.
        on_away: called once; the jobs that are left stay as they were.
    """
    observer, what, total = progress
    done, away = total - len(jobs), False
    observer.preparing(what, done, total)
    todo = iter(jobs)

    async def work() -> None:
        nonlocal done, away
        for job in todo:
            if away:
                return
            try:
                await ask(job)
            except Away as gone:
                if not away:
                    on_away(gone)
                away = True
                return
            except CallFailed as failed:
                on_failed(job, failed)
            done += 1
            observer.preparing(what, done, total)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(len(jobs), 2 * service.pool.capacity)):
            group.create_task(work())
