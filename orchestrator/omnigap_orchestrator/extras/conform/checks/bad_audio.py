"""Audio that is not what it says, or no sound at all: a service that hears must refuse it."""

from __future__ import annotations

from omnigap.limits import MAX_MESSAGE_BYTES
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_orchestrator.extras.conform import spoiled
from omnigap_orchestrator.extras.conform.questions import audio_part, request_of, speech_like
from omnigap_orchestrator.extras.conform.refusal import refused
from omnigap_orchestrator.extras.conform.subject import Subject
from omnigap_orchestrator.extras.conform.verdict import Finding, check, skipped

DEAF = "it takes no speech"


@check
async def nan_audio_is_bad_media(subject: Subject) -> Finding:
    """A 32-bit float WAV with a NaN sample is refused with BAD_MEDIA."""
    return await _refused(subject, audio_part(spoiled.nan_wav()))


@check
async def empty_audio_is_bad_media(subject: Subject) -> Finding:
    """An audio part without bytes is refused with BAD_MEDIA."""
    return await _refused(subject, audio_part(b""))


@check
async def audio_without_samples_is_bad_media(subject: Subject) -> Finding:
    """A WAV file that is a header alone is refused with BAD_MEDIA."""
    return await _refused(subject, audio_part(spoiled.wav_without_samples()))


@check
async def mislabelled_audio_is_bad_media(subject: Subject) -> Finding:
    """A WAV file that is called `audio/flac` is refused with BAD_MEDIA."""
    return await _refused(subject, audio_part(speech_like(0), "audio/flac"))


@check
async def unknown_audio_type_is_bad_media(subject: Subject) -> Finding:
    """Audio of a MIME type that nobody knows is refused with BAD_MEDIA."""
    return await _refused(subject, audio_part(speech_like(0), "audio/x-unheard-of"))


@check
async def pcm_without_a_rate_is_bad_media(subject: Subject) -> Finding:
    """Raw `audio/pcm` without `sample_rate_hz` and `channels` is refused with BAD_MEDIA."""
    return await _refused(subject, audio_part(bytes(16_000), "audio/pcm"))


@check
async def long_audio_is_too_large(subject: Subject) -> Finding:
    """Audio longer than `limits.max_audio_seconds` is refused with TOO_LARGE."""
    condition, limit = subject.taking(Modality.SPEECH), subject.card.limits.max_audio_seconds
    if condition is None:
        return skipped(DEAF)
    if not limit > 0:
        return skipped("limits.max_audio_seconds is not declared")
    seconds = 1.05 * limit + 1
    if 2 * 8_000 * seconds > (subject.card.limits.max_request_bytes or MAX_MESSAGE_BYTES) - 4096:
        return skipped(f"{seconds:.0f} s of audio do not fit into a message: no clip can be too long")
    return await refused(subject, request_of(condition, audio_part(spoiled.long_wav(seconds))), Reason.TOO_LARGE)


async def _refused(subject: Subject, part: pb.InputPart) -> Finding:
    condition = subject.taking(Modality.SPEECH)
    if condition is None:
        return skipped(DEAF)
    return await refused(subject, request_of(condition, part), Reason.BAD_MEDIA)
