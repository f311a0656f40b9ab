"""Keeping an answer: the audio to the media store first, then the row to the journal."""

from __future__ import annotations

import asyncio
import json
import time

import numpy as np

from omnigap.client import Answer
from omnigap.media import encode_wav, pcm16_to_float
from omnigap_orchestrator.carriers import MediaStore
from omnigap_orchestrator.journal import AnswerRow, TranscriptRow
from omnigap_orchestrator.journal.writer import JournalWriter


class Keeper:
    """Where answers and transcripts go. When a method returns, what it was given survives a power cut."""

    def __init__(self, store: MediaStore, writer: JournalWriter) -> None:
        self._store = store
        self._writer = writer

    async def answer(self, key: str, answer: Answer) -> AnswerRow:
        """Stores a model's answer."""
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
        await self._writer.write(row)
        return row

    async def transcript(self, key: str, answer: Answer) -> TranscriptRow:
        """Stores what the scorer heard."""
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
        await self._writer.write(row)
        return row

    def _put_audio(self, answer: Answer) -> tuple[str, float, float]:
        """The stored WAV's hash, and the audio's root mean square and peak at full scale 1."""
        sha = self._store.put(encode_wav(answer.pcm, answer.sample_rate), "wav")
        samples = pcm16_to_float(answer.pcm)
        return sha, float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))), float(np.abs(samples).max())
