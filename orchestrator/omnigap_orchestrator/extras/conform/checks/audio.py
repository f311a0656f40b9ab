"""The audio of speech answers: its format travels with it, and matches the bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from omnigap.media.audio import PCM
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Condition, Modality
from omnigap_orchestrator.extras.conform.check import Finding, check, failed, judged, skipped
from omnigap_orchestrator.extras.conform.reply import Reply
from omnigap_orchestrator.extras.conform.subject import Subject

NO_SPEECH = "no condition answered with audio"
_SILENCE_PEAK = 4
_SLACK = 0.01
_SLACK_S = 0.02


@check
async def audio_has_the_declared_format(subject: Subject) -> Finding:
    """Each piece of audio is mono `audio/pcm` at one rate: Describe's `output_sample_rate_hz`."""
    spoken = await _spoken(subject)
    if not spoken:
        return skipped(NO_SPEECH)
    declared = subject.card.output_sample_rate_hz
    if not declared:
        return failed("it speaks, but Describe's output_sample_rate_hz is 0: declare the rate of the audio")
    faults = []
    for condition, reply in spoken.items():
        if bad := [piece for piece in reply.chunks if _format(piece) != (PCM, declared, 1)]:
            mime, rate, channels = _format(bad[0])
            faults.append(
                f"{condition} sent {mime!r} at {rate} Hz with {channels} channels: send {PCM} at {declared} Hz with 1"
            )
    return judged(faults, f"{PCM}, mono, {declared} Hz")


@check
async def audio_pieces_hold_whole_samples(subject: Subject) -> Finding:
    """Each piece of audio has an even number of bytes: 16-bit samples are not cut in two."""
    spoken = await _spoken(subject)
    faults = []
    for condition, reply in spoken.items():
        if odd := [len(piece.data) for piece in reply.chunks if len(piece.data) % 2]:
            faults.append(f"{condition} sent a piece of {odd[0]} bytes: cut 16-bit audio between samples")
    return judged(faults, "all even") if spoken else skipped(NO_SPEECH)


@check
async def audio_seconds_agree_with_the_bytes(subject: Subject) -> Finding:
    """`usage.output_audio_seconds` is the length of the audio that was sent."""
    spoken = await _spoken(subject)
    faults, shown = [], []
    for condition, reply in spoken.items():
        rate = reply.chunks[0].sample_rate_hz
        told = reply.complete.usage.output_audio_seconds
        # A rate that is missing or changes on the way is for another check.
        if not rate or _rates(reply.chunks) != {rate}:
            continue
        seconds = len(reply.pcm) / 2 / rate
        if abs(told - seconds) > max(_SLACK_S, _SLACK * seconds):
            faults.append(
                f"{condition}: output_audio_seconds is {told:g} but {len(reply.pcm)} bytes at {rate} Hz last "
                f"{seconds:.3f} s: count what was sent"
            )
        shown.append(f"{condition} {seconds:.2f} s")
    return judged(faults, ", ".join(shown)) if faults or shown else skipped(NO_SPEECH)


@check
async def audio_is_not_silent(subject: Subject) -> Finding:
    """A speech answer can be heard. Silence is a warning: a model may have had nothing to say."""
    spoken = await _spoken(subject)
    doubts = [
        f"{condition} is silent, its loudest sample is {peak} of 32768"
        for condition, reply in spoken.items()
        if (peak := _peak(reply.pcm)) < _SILENCE_PEAK
    ]
    return judged([], "it can be heard", doubts) if spoken else skipped(NO_SPEECH)


@check
async def text_answers_carry_no_audio(subject: Subject) -> Finding:
    """Where text is asked for, only text comes."""
    answered = await subject.answered_samples()
    written = {condition: reply for condition, reply in answered.items() if condition.output is Modality.TEXT}
    faults = [
        f"{condition} sent {len(reply.pcm)} bytes of audio: look at the request's `output`"
        for condition, reply in written.items()
        if reply.chunks
    ]
    return judged(faults, "no audio in text answers") if written else skipped("no condition answered with text")


async def _spoken(subject: Subject) -> dict[Condition, Reply]:
    """Whole speech answers that hold audio."""
    answered = await subject.answered_samples()
    return {c: reply for c, reply in answered.items() if c.output is Modality.SPEECH and reply.pcm}


def _format(piece: pb.Audio) -> tuple[str, int, int]:
    """MIME type, rate and channels; 0 channels are taken for one."""
    return piece.mime_type.split(";")[0].strip().lower(), piece.sample_rate_hz, piece.channels or 1


def _rates(chunks: Sequence[pb.Audio]) -> set[int]:
    return {piece.sample_rate_hz for piece in chunks}


def _peak(pcm: bytes) -> int:
    samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], dtype="<i2").astype(np.int32)
    return int(np.abs(samples).max(initial=0))
