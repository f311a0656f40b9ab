"""The table of all faults of services: what each does, and what has to become of the cells that it hits."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Must(StrEnum):
    """What may become of a cell that a fault hits."""

    FAILED = "failed"
    UNANSWERED = "failed or pending"
    PENDING = "pending"
    ANSWERED = "answered correctly"
    ANY = "anything but a wrong answer"


class Group(StrEnum):
    """Kinds that are run together, and share a row of the table."""

    IDENTITY = "another or no digest"
    NUMBERS = "numbers that are no numbers, or impossible"
    EVENTS = "broken order of events"
    BYTES = "bytes that are not a message"
    STATUS = "statuses and error details"
    SIZES = "too much data"
    TIME = "hung, busy, slow, refused"
    HEALTH = "health and Describe that lie"
    CARDS = "impossible cards"


@dataclass(frozen=True, slots=True)
class Kind:
    """One fault.

    Attributes:
        what: what the service does.
        hits: outputs whose answers are hit: "text", "speech", or both.
        whole: the fault is one of the service, not of one answer: its other cells may stay pending until it is gone.
        says: a part of the error or note that the run has to show; empty if no text is prescribed.
    """

    name: str
    group: Group
    what: str
    must: Must = Must.FAILED
    hits: tuple[str, ...] = ("text", "speech")
    whole: bool = False
    says: str = ""


def _identity(name: str, what: str, says: str = "digest") -> Kind:
    return Kind(name, Group.IDENTITY, what, Must.UNANSWERED, whole=True, says=says)


def _number(name: str, what: str, must: Must = Must.FAILED) -> Kind:
    return Kind(name, Group.NUMBERS, what, must, says="MODEL_ERROR" if must is Must.FAILED else "")


def _sound(name: str, what: str) -> Kind:
    return Kind(name, Group.NUMBERS, what, hits=("speech",))


def _event(name: str, what: str, must: Must = Must.FAILED, **more: object) -> Kind:
    return Kind(name, Group.EVENTS, what, must, **more)  # type: ignore[arg-type]


def _bytes(name: str, what: str, must: Must = Must.FAILED) -> Kind:
    return Kind(name, Group.BYTES, what, must)


def _status(name: str, what: str, must: Must = Must.UNANSWERED, whole: bool = False) -> Kind:
    return Kind(name, Group.STATUS, what, must, whole=whole)


def _size(name: str, what: str, hits: tuple[str, ...] = ("text", "speech")) -> Kind:
    return Kind(name, Group.SIZES, what, Must.FAILED, hits)


def _time(name: str, what: str, must: Must = Must.UNANSWERED) -> Kind:
    return Kind(name, Group.TIME, what, must, whole=True)


def _health(name: str, what: str, must: Must = Must.ANY) -> Kind:
    return Kind(name, Group.HEALTH, what, must, whole=True)


def _card(name: str, what: str) -> Kind:
    return Kind(name, Group.CARDS, what, Must.ANY, whole=True)


CODES = (
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
"""All status codes of gRPC that are errors, in the order of their numbers, from 1."""

REASONS = (
    "BUSY",
    "DRAINING",
    "NOT_READY",
    "TOO_LARGE",
    "BAD_MEDIA",
    "BAD_REQUEST",
    "UNSUPPORTED_CONDITION",
    "DIGEST_MISMATCH",
    "REQUEST_ID_REUSED",
    "OUT_OF_MEMORY",
    "RATE_LIMITED",
    "UPSTREAM_UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "CANCELLED",
    "MODEL_ERROR",
    "TRANSPORT",
    "INCOMPLETE_STREAM",
)
"""The reasons of the contract at its version 1, written out here so that the suite shares no code with the client."""

_OF_SERVICE = frozenset(
    {
        *("CANCELLED", "DEADLINE_EXCEEDED", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "UNAVAILABLE"),
        *("UNAUTHENTICATED", "BUSY", "DRAINING", "NOT_READY", "DIGEST_MISMATCH", "OUT_OF_MEMORY", "RATE_LIMITED"),
        *("UPSTREAM_UNAVAILABLE", "TRANSPORT"),
    }
)
"""Codes and reasons that say something about the service, so that it may be given up."""

KINDS: tuple[Kind, ...] = (
    _identity("digest_other", "answers carry the digest of another model"),
    _identity("digest_empty", "answers carry no digest"),
    _identity("digest_later", "the digest of the answers changes after two answers"),
    _identity("digest_swapped", "after two answers another model serves, and ignores expected_digest"),
    _identity("digest_garbage", "the digest in answers is a path with control characters"),
    _identity("digest_huge", "the digest in answers has a million characters"),
    _identity("digest_refused", "after two answers another model serves, and refuses with DIGEST_MISMATCH"),
    _number("timings_nan", "all timings are NaN"),
    _number("timings_inf", "all timings are infinite"),
    _number("timings_negative", "all timings are negative"),
    _number("timings_huge", "all timings are 1e308 s", Must.ANY),
    _number("usage_nan", "seconds of usage are NaN"),
    _number("usage_inf", "seconds of usage are infinite"),
    _number("usage_negative", "seconds of usage are negative"),
    _number("usage_max", "token counts are 4294967295", Must.ANY),
    _number("diagnostics_nan", "a diagnostic is NaN"),
    _number("diagnostics_inf", "diagnostics are infinite"),
    _number("diagnostics_huge", "diagnostics are 1e308", Must.ANY),
    _sound("rate_zero", "sample rate 0"),
    _sound("rate_one", "sample rate 1 Hz"),
    _sound("rate_max", "sample rate 4294967295 Hz"),
    _sound("rate_changes", "the sample rate changes within an answer"),
    _sound("odd_bytes", "a chunk of audio ends within a sample"),
    _sound("channels_two", "audio with two channels"),
    _sound("channels_max", "audio with 4294967295 channels"),
    _sound("mime_other", "audio as audio/mpeg"),
    _sound("mime_missing", "audio without a type"),
    _event("no_complete", "the stream ends without `complete`"),
    _event("two_completes", "two `complete` events"),
    _event("late_delta", "a delta after `complete`"),
    _event("late_error", "an error status after `complete`", Must.UNANSWERED),
    _event("no_events", "the stream ends at once with OK"),
    _event("empty_events", "events without content among the others", Must.ANY),
    _event("empty_deltas", "deltas without content among the others", Must.ANY),
    _event("unknown_fields", "fields that the contract does not have", Must.ANY),
    _event("single_letters", "every character is a delta", Must.ANSWERED),
    _event("finish_missing", "no finish reason"),
    _event("finish_unknown", "finish reason 99"),
    _event("text_for_speech", "text without audio where speech was requested", hits=("speech",)),
    _event("speech_for_text", "audio where text was requested", hits=("text",)),
    _bytes("noise", "random bytes as a message"),
    _bytes("half_message", "the first half of a message"),
    _bytes("empty_message", "messages of no bytes among the others", Must.ANY),
    _bytes("other_message", "a Describe response as an event", Must.UNANSWERED),
    _bytes("no_unicode", "text that is not UTF-8"),
    _bytes("nested", "ten thousand nested groups in an unknown field", Must.UNANSWERED),
    *(_status(f"status_{code.lower()}", f"{code} without details", whole=code in _OF_SERVICE) for code in CODES),
    *(_status(f"reason_{reason.lower()}", f"ErrorInfo {reason}", whole=reason in _OF_SERVICE) for reason in REASONS),
    _status("details_malformed", "grpc-status-details-bin that is not a message"),
    _status("details_other_type", "status details of another type, and a second ErrorInfo of another domain"),
    _status("reason_unknown", "ErrorInfo with a reason that the contract does not have"),
    _status("message_megabyte", "an error message of a million characters", whole=True),
    _status("message_control", "control and bidi characters in an error message"),
    _status("error_midway", "an error after half of the answer"),
    _size("text_200mb", "200 MB of text"),
    _size("reasoning_200mb", "200 MB of reasoning"),
    _size("audio_200mb", "200 MB of audio", ("speech",)),
    _size("message_200mb", "one message of 200 MB"),
    _size("events_many", "small events without end"),
    _size("diagnostics_many", "a million diagnostics"),
    _size("diagnostic_name", "a diagnostic with a name of 10 MB"),
    _size("language_long", "a detected language of 10 MB"),
    _time("never_answers", "no byte after a request"),
    _time("hangs_midway", "no byte after the first delta"),
    _time("trickles", "a character now and then, without end"),
    _time("too_late", "the answer comes after the deadline"),
    _time("always_busy", "BUSY to every request"),
    _time("busy_later", "BUSY to every request after two answers"),
    _time("unauthenticated", "UNAUTHENTICATED to every request"),
    _time("quota", "RESOURCE_EXHAUSTED with a message about a used-up quota to every request"),
    _time("stops_answering", "two answers, then no byte to any request"),
    _health("serving_refuses", "health SERVING, and NOT_READY to every request", Must.UNANSWERED),
    _health("not_serving_answers", "health NOT_SERVING, and an answer to every request"),
    _health("health_hangs", "no answer to health checks"),
    _health("health_noise", "random bytes as the answer to health checks"),
    _health("health_missing", "no health service"),
    _health("health_unknown", "a health status that grpc.health.v1 does not have"),
    _health("health_flaps", "every second health check says NOT_SERVING"),
    _health("describe_hangs", "no answer to Describe"),
    _health("describe_noise", "random bytes as the answer to Describe"),
    _health("describe_error", "an INTERNAL error from Describe"),
    _card("concurrent_max", "max_concurrent 4294967295"),
    _card("batch_max", "max_batch_size 4294967295 and max_concurrent 0"),
    _card("unknown_enums", "modality, support and architecture 99"),
    _card("no_name", "a card without a name"),
    _card("no_digest", "a card without a digest"),
    _card("odd_digest", "a card whose digest has control characters"),
    _card("no_conditions", "a card without conditions"),
    _card("conditions_twice", "a condition both supported and unsupported"),
    _card("settings_megabytes", "settings of 8 MB"),
    _card("settings_many", "200,000 settings"),
    _card("reason_long", "an assisted condition with a reason of 8 MB"),
    _card("names_control", "control characters in name, version, languages and voices"),
    _card("limits_nan", "limits that are NaN or negative"),
    _card("card_too_large", "a card of 80 MB"),
    _card("card_changes", "another digest with every Describe"),
)

BY_NAME = {kind.name: kind for kind in KINDS}

MIXED = {
    "mixed": tuple(kind for kind in KINDS if not kind.whole and kind.group is not Group.SIZES),
    "mixed-sizes": tuple(kind for kind in KINDS if kind.group is Group.SIZES),
}
"""Models whose items are each hit by another kind: two items a kind, of which the second is hit."""

PER_ANSWER = tuple(
    kind
    for kind in KINDS
    if "text" in kind.hits
    and not kind.whole
    and kind.must in (Must.FAILED, Must.UNANSWERED)
    and kind.group is not Group.SIZES
    and kind.name != "speech_for_text"
)
"""Kinds that also fit the ASR scorer: each spoils single transcripts."""
