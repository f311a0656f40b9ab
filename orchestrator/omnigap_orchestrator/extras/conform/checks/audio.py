"""Checks of the audio of spoken answers: format, chunks, duration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from omnigap.media.audio import PCM
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Condition, Modality
from omnigap_orchestrator.extras.conform.check import Finding, check, failed, finding_of, skipped
from omnigap_orchestrator.extras.conform.reply import Reply
from omnigap_orchestrator.extras.conform.service import ServiceUnderTest

NO_SPEECH = "no condition answered with audio"
# A peak below this (of 32768) is dither, not sound.
_SILENCE_PEAK = 4
# Tolerance of the reported duration, relative and in seconds: services may round to a frame.
_TOLERANCE = 0.01
_TOLERANCE_S = 0.02


@check
async def audio_has_the_declared_format(service: ServiceUnderTest) -> Finding:
    """Each chunk of audio is mono `audio/pcm` at the `output_sample_rate_hz` of Describe."""
    spoken = await _spoken(service)
    if not spoken:
        return skipped(NO_SPEECH)
    declared = service.card.output_sample_rate_hz
    if not declared:
        return failed("output_sample_rate_hz of Describe is 0: declare the sample rate of the audio")
    faults = []
    for condition, reply in spoken.items():
        if bad := [piece for piece in reply.chunks if _format(piece) != (PCM, declared, 1)]:
            mime, rate, channels = _format(bad[0])
            faults.append(
                f"{condition} sent {mime!r} at {rate} Hz with {channels} channels: send {PCM} at {declared} Hz with 1"
            )
    return finding_of(faults, f"{PCM}, mono, {declared} Hz")


@check
async def audio_chunks_contain_whole_samples(service: ServiceUnderTest) -> Finding:
    """Each chunk of audio has an even number of bytes: 16-bit samples are not split."""
    spoken = await _spoken(service)
    faults = []
    for condition, reply in spoken.items():
        if odd := [len(piece.data) for piece in reply.chunks if len(piece.data) % 2]:
            faults.append(f"{condition} sent a chunk of {odd[0]} bytes: split 16-bit audio between samples")
    return finding_of(faults, "all even") if spoken else skipped(NO_SPEECH)


@check
async def audio_duration_matches_the_bytes(service: ServiceUnderTest) -> Finding:
    """`usage.output_audio_seconds` is the duration of the audio that was sent."""
    spoken = await _spoken(service)
    faults, shown = [], []
    for condition, reply in spoken.items():
        rate = reply.chunks[0].sample_rate_hz
        reported = reply.complete.usage.output_audio_seconds
        # A missing or changing rate is the fault of audio-has-the-declared-format.
        if not rate or _rates(reply.chunks) != {rate}:
            continue
        seconds = len(reply.pcm) / 2 / rate
        if abs(reported - seconds) > max(_TOLERANCE_S, _TOLERANCE * seconds):
            faults.append(
                f"{condition}: output_audio_seconds is {reported:g} but {len(reply.pcm)} bytes at {rate} Hz last "
                f"{seconds:.3f} s: report the duration of the audio that was sent"
            )
        shown.append(f"{condition} {seconds:.2f} s")
    return finding_of(faults, ", ".join(shown)) if faults or shown else skipped(NO_SPEECH)


@check
async def speech_answers_contain_audio(service: ServiceUnderTest) -> Finding:
    """A speech answer that is not a refusal contains audio, if only an empty chunk: text alone counts as a failure."""
    answered = await service.answered_samples()
    spoken = {condition: reply for condition, reply in answered.items() if condition.output is Modality.SPEECH}
    faults = [
        f"{condition} answered with text only: send its audio (an empty chunk if there is nothing to say), or declare "
        "it unsupported"
        for condition, reply in spoken.items()
        if not reply.chunks and reply.complete.finish_reason != pb.FINISH_REASON_REFUSED
    ]
    return finding_of(faults, "audio in each of them") if spoken else skipped("no condition answered with speech")


@check
async def audio_is_not_silent(service: ServiceUnderTest) -> Finding:
    """A spoken answer is not silent. Silence is a warning: the model may have nothing to say."""
    spoken = await _spoken(service)
    warnings = [
        f"{condition} is silent, its loudest sample is {peak} of 32768"
        for condition, reply in spoken.items()
        if (peak := _peak(reply.pcm)) < _SILENCE_PEAK
    ]
    return finding_of([], "no silent answer", warnings) if spoken else skipped(NO_SPEECH)


@check
async def text_answers_contain_no_audio(service: ServiceUnderTest) -> Finding:
    """A text answer contains no audio."""
    answered = await service.answered_samples()
    written = {condition: reply for condition, reply in answered.items() if condition.output is Modality.TEXT}
    faults = [
        f"{condition} sent {len(reply.pcm)} bytes of audio: check the `output` of the request"
        for condition, reply in written.items()
        if reply.chunks
    ]
    return finding_of(faults, "no audio in text answers") if written else skipped("no condition answered with text")


async def _spoken(service: ServiceUnderTest) -> dict[Condition, Reply]:
    """Complete spoken answers with audio, which may be empty."""
    answered = await service.answered_samples()
    return {c: reply for c, reply in answered.items() if c.output is Modality.SPEECH and reply.chunks}


def _format(piece: pb.Audio) -> tuple[str, int, int]:
    """MIME type, rate and channels; unset channels (0) mean 1."""
    return piece.mime_type.split(";")[0].strip().lower(), piece.sample_rate_hz, piece.channels or 1


def _rates(chunks: Sequence[pb.Audio]) -> set[int]:
    return {piece.sample_rate_hz for piece in chunks}


def _peak(pcm: bytes) -> int:
    # int32, because the absolute value of -32768 does not fit into int16. An odd last byte is dropped here; another
    # check reports it.
    samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], dtype="<i2").astype(np.int32)
    return int(np.abs(samples).max(initial=0))
