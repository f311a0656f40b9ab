"""The checks that a service skips for a capability that it lacks, and a run of the suite against these."""

from __future__ import annotations

from collections.abc import Collection

from omnigap_orchestrator.extras.conform.check import Status
from omnigap_orchestrator.extras.conform.suite import conform

SPEECH_INPUT = {
    "nan-audio-is-bad-media",
    "empty-audio-is-bad-media",
    "audio-without-samples-is-bad-media",
    "mislabelled-audio-is-bad-media",
    "unknown-audio-type-is-bad-media",
    "pcm-without-a-rate-is-bad-media",
    "long-audio-is-too-large",
}
IMAGE_INPUT = {
    "truncated-image-is-bad-media",
    "empty-image-is-bad-media",
    "mislabelled-image-is-bad-media",
    "unknown-image-type-is-bad-media",
    "image-bomb-is-too-large",
}
TEXT_INPUT = {"long-text-is-too-large"}
SPEECH_OUTPUT = {
    "speech-answers-contain-audio",
    "audio-has-the-declared-format",
    "audio-chunks-contain-whole-samples",
    "audio-duration-matches-the-bytes",
    "audio-is-not-silent",
}
TEXT_OUTPUT = {"text-answers-contain-no-audio"}
UNDECLARED = {"undeclared-conditions-are-refused"}


async def check_service(address: str, skipped: Collection[str], warned: Collection[str] = ()) -> None:
    """Asserts that no check fails, and that only the given checks warn or are skipped."""
    found = await conform(address)
    messages = {
        status: {result.check: result.message for result in found.results if result.status is status}
        for status in Status
    }
    assert messages[Status.FAILED] == {}
    assert set(messages[Status.WARNING]) <= set(warned), messages[Status.WARNING]
    assert set(messages[Status.SKIPPED]) == set(skipped), messages[Status.SKIPPED]
