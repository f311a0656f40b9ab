"""The conformance suite: all checks in order, and the function that runs them on one service."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from omnigap.card import has_random_weights
from omnigap_orchestrator.extras.conform.check import Check, CheckResult, Finding, Status, failed, skipped
from omnigap_orchestrator.extras.conform.checks import answers, audio, bad_media, description, lifecycle
from omnigap_orchestrator.extras.conform.reply import Fault
from omnigap_orchestrator.extras.conform.service import ServiceUnderTest

SUITE: tuple[Check, ...] = (
    description.describe_names_the_service,
    description.digest_is_a_sha256,
    description.card_is_within_the_bounds,
    description.conditions_are_declared,
    description.limits_are_declared,
    description.health_is_serving,
    description.reflection_lists_the_service,
    answers.declared_conditions_answer,
    answers.streams_end_with_one_complete,
    answers.finish_reason_is_set,
    answers.usage_and_timings_are_finite,
    answers.undeclared_conditions_are_refused,
    audio.speech_answers_contain_audio,
    audio.audio_has_the_declared_format,
    audio.audio_chunks_contain_whole_samples,
    audio.audio_duration_matches_the_bytes,
    audio.audio_is_not_silent,
    audio.text_answers_contain_no_audio,
    description.digest_is_stable,
    description.answers_contain_the_digest,
    description.own_digest_is_accepted,
    description.other_digest_is_refused,
    lifecycle.repeated_id_replays_the_answer,
    lifecycle.simultaneous_duplicates_share_an_answer,
    lifecycle.reused_id_is_refused,
    answers.no_parts_is_a_bad_request,
    answers.empty_part_is_a_bad_request,
    answers.image_output_is_a_bad_request,
    answers.unset_output_is_a_bad_request,
    answers.long_text_is_too_large,
    bad_media.nan_audio_is_bad_media,
    bad_media.empty_audio_is_bad_media,
    bad_media.audio_without_samples_is_bad_media,
    bad_media.mislabelled_audio_is_bad_media,
    bad_media.unknown_audio_type_is_bad_media,
    bad_media.pcm_without_a_rate_is_bad_media,
    bad_media.long_audio_is_too_large,
    bad_media.truncated_image_is_bad_media,
    bad_media.empty_image_is_bad_media,
    bad_media.mislabelled_image_is_bad_media,
    bad_media.unknown_image_type_is_bad_media,
    bad_media.image_bomb_is_too_large,
    # Last, because these checks can leave a service in a bad state.
    lifecycle.deadlines_are_honoured,
    lifecycle.cancelled_calls_free_their_slot,
    lifecycle.overload_is_answered_or_busy,
)


@dataclass(frozen=True, slots=True)
class Conformance:
    """The results of the suite for one service; name and digest are empty if Describe failed."""

    address: str
    name: str
    digest: str
    results: Sequence[CheckResult]
    random_weights: bool = False

    @property
    def conforms(self) -> bool:
        return not self.count(Status.FAILED)

    def count(self, status: Status) -> int:
        return sum(result.status is status for result in self.results)


async def conform(
    address: str,
    timeout_s: float = 60.0,
    only: Collection[str] = (),
    on_start: Callable[[Check], None] = lambda check: None,
    proxy: str = "",
) -> Conformance:
    """Runs the suite on the service at an address.

    Args:
        timeout_s: time limit of one call; under load four times as long, or twice as long as all calls take one
            after another.
        only: names of the checks to run; empty: all.
        on_start: called with each check before it runs.
        proxy: `http://HOST:PORT` of an HTTP proxy to the service; not used for loopback addresses.
    """
    results: list[CheckResult] = []
    async with ServiceUnderTest(address, timeout_s, proxy) as service:
        # All checks use this description; only digest-is-stable calls Describe again.
        described = await service.describe()
        if not isinstance(described, Fault):
            service.card = described
        for check in SUITE:
            if only and check.name not in only:
                continue
            on_start(check)
            begun = time.monotonic()
            finding = _undescribed(results, described) if isinstance(described, Fault) else await _run(check, service)
            seconds = time.monotonic() - begun
            results.append(CheckResult(check.name, check.rule, finding.status, finding.message, seconds))
        card = service.card
        return Conformance(address, card.name, card.digest, results, has_random_weights(card))


async def _run(check: Check, service: ServiceUnderTest) -> Finding:
    """The finding of a check."""
    try:
        return await check.run(service)
    # A reply that makes the check itself raise is a fault of the service, and must not stop the other checks.
    except Exception as error:
        return failed(f"the check could not process the reply ({type(error).__name__}: {error})")


def _undescribed(before: Sequence[CheckResult], fault: Fault) -> Finding:
    """The finding if Describe failed: the first check fails, the others are skipped."""
    if before:
        return skipped("Describe did not answer")
    return failed(f"Describe ended with {fault}: check the address, and that the service has loaded its model")
