"""How each fault of `kinds.KINDS` misbehaves: what it sends instead of an honest answer, card or health status."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from omnigap.v1 import model_service_pb2 as pb
from tests.chaos.kinds import CODES, REASONS
from tests.chaos.payload import RATE, pcm_of

CONTROL = "\x1b[2J\x1b]0;owned\x07\u202egnp.exe\u2066\r\n\x00"
"""Clears a terminal, sets its title, reverses the order of letters."""
MEGABYTE = 1_000_000
Event = pb.GenerateResponse | bytes


class Abort(Exception):  # noqa: N818 - a wish, not an error
    """Ends the call with a status, and with the bytes of its details."""

    def __init__(self, code: int, message: str, details: bytes | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details


@dataclass(slots=True)
class Call:
    """One Generate call that a fault hits.

    Attributes:
        text: the honest answer.
        answered: number of answers of this service so far.
        digest: of the service as planned; `other` is that of another model.
    """

    request: pb.GenerateRequest
    text: str
    digest: str
    other: str
    answered: int
    speech: bool

    def deltas(self) -> list[pb.GenerateResponse]:
        events = [pb.GenerateResponse(delta=pb.Delta(text=self.text))]
        if self.speech:
            events.append(self.sound())
        return events

    def sound(self, **changed: object) -> pb.GenerateResponse:
        fields = {"data": pcm_of(self.text), "mime_type": "audio/pcm", "sample_rate_hz": RATE, "channels": 1}
        return pb.GenerateResponse(delta=pb.Delta(audio=pb.Audio(**{**fields, **changed})))  # type: ignore[arg-type]

    def complete(self, **changed: object) -> pb.GenerateResponse:
        fields: dict[str, object] = {
            "finish_reason": pb.FINISH_REASON_STOP,
            "digest": self.digest,
            "timings": pb.Timings(compute_s=0.01, batch_size=1),
        }
        return pb.GenerateResponse(complete=pb.Complete(**{**fields, **changed}))  # type: ignore[arg-type]

    def honest(self, **changed: object) -> list[pb.GenerateResponse]:
        return [*self.deltas(), self.complete(**changed)]


Behaviour = Callable[[Call], Iterator[Event] | AsyncIterator[Event]]
BEHAVIOURS: dict[str, Behaviour] = {}
LATER = frozenset({"digest_later", "digest_swapped", "digest_refused", "busy_later", "stops_answering"})
"""Hit every answer after the first two."""
ALWAYS = frozenset({"always_busy", "unauthenticated", "quota", "serving_refuses", "never_answers"})
"""Hit every answer. The others hit every second item."""
CARDS: dict[str, Callable[[pb.DescribeResponse, int], pb.DescribeResponse | bytes]] = {}
"""Changes the honest card; the number counts the Describe calls before."""


def _answers(name: str) -> Callable[[Behaviour], Behaviour]:
    def register(behaviour: Behaviour) -> Behaviour:
        BEHAVIOURS[name] = behaviour
        return behaviour

    return register


def _changed(name: str, **changed: object) -> None:
    """An honest answer whose `complete` has other fields."""
    BEHAVIOURS[name] = lambda call: iter(call.honest(**changed))


def _sounding(name: str, **changed: object) -> None:
    """An honest answer whose audio has other fields."""
    BEHAVIOURS[name] = lambda call: iter([call.deltas()[0], call.sound(**changed), call.complete()])


def error_info(reason: str, code: int = 13, message: str = "", domain: str = "omnigap.v1") -> bytes:
    """The bytes of a status with ErrorInfo."""
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason=reason, domain=domain))
    return bytes(status_pb2.Status(code=code, message=message, details=[detail]).SerializeToString())


def _aborting(name: str, code: str, message: str, details: bytes | None = None) -> None:
    def abort(_: Call) -> Iterator[Event]:
        raise Abort(CODES.index(code) + 1, message, details)
        yield b""

    BEHAVIOURS[name] = abort


# Identity
BEHAVIOURS["digest_other"] = lambda call: iter(call.honest(digest=call.other))
_changed("digest_empty", digest="")
_changed("digest_garbage", digest=f"../../etc/passwd{CONTROL[:-1]}")
_changed("digest_huge", digest="f" * MEGABYTE)


@_answers("digest_later")
@_answers("digest_swapped")
def _(call: Call) -> Iterator[Event]:
    text = call.text.replace(call.digest[:8], call.other[:8])
    swapped = Call(call.request, text, call.other, call.digest, call.answered, call.speech)
    yield from swapped.honest()


_aborting("digest_refused", "FAILED_PRECONDITION", "this is another model", error_info("DIGEST_MISMATCH", 9))

# Numbers
for _name, _value in (("nan", float("nan")), ("inf", float("inf")), ("negative", -1.0), ("huge", 1e308)):
    _times = pb.Timings(queue_s=_value, compute_s=_value, ttft_s=_value, audio_ttfp_s=_value)
    _changed(f"timings_{_name}", timings=_times)
    if _name != "huge":
        _changed(f"usage_{_name}", usage=pb.Usage(input_audio_seconds=_value, output_audio_seconds=_value))
    if _name != "negative":
        _changed(f"diagnostics_{_name}", diagnostics={"avg_logprob": _value, "other": -_value})
_changed("usage_max", usage=pb.Usage(input_tokens=2**32 - 1, output_tokens=2**32 - 1, audio_tokens=2**32 - 1))
_sounding("rate_zero", sample_rate_hz=0)
_sounding("rate_one", sample_rate_hz=1)
_sounding("rate_max", sample_rate_hz=2**32 - 1)
_sounding("channels_two", channels=2)
_sounding("channels_max", channels=2**32 - 1)
_sounding("mime_other", mime_type="audio/mpeg")
_sounding("mime_missing", mime_type="")
BEHAVIOURS["rate_changes"] = lambda call: iter([*call.deltas(), call.sound(sample_rate_hz=8_000), call.complete()])
BEHAVIOURS["odd_bytes"] = lambda call: iter([*call.deltas(), call.sound(data=b"\0\0\0"), call.complete()])

# Events
BEHAVIOURS["no_complete"] = lambda call: iter(call.deltas())
BEHAVIOURS["two_completes"] = lambda call: iter([*call.honest(), call.complete()])
BEHAVIOURS["late_delta"] = lambda call: iter([*call.honest(), *call.deltas()])
BEHAVIOURS["no_events"] = lambda call: iter(())
BEHAVIOURS["empty_events"] = lambda call: iter(
    [*[pb.GenerateResponse()] * 20, *call.deltas(), *[pb.GenerateResponse()] * 20, call.complete()]
)
BEHAVIOURS["empty_deltas"] = lambda call: iter(
    [*[pb.GenerateResponse(delta=pb.Delta())] * 20, *call.deltas(), call.complete()]
)
BEHAVIOURS["unknown_fields"] = lambda call: iter(
    [event.SerializeToString() + b"\xfa\x3f\x03abc\xf8\x3f\x07" for event in call.honest()]
)
BEHAVIOURS["text_for_speech"] = lambda call: iter([call.deltas()[0], call.complete()])
BEHAVIOURS["speech_for_text"] = lambda call: iter([call.deltas()[0], call.sound(), call.complete()])
_changed("finish_missing", finish_reason=pb.FINISH_REASON_UNSPECIFIED)
_changed("finish_unknown", finish_reason=99)


@_answers("single_letters")
def _(call: Call) -> Iterator[Event]:
    yield from (pb.GenerateResponse(delta=pb.Delta(text=letter)) for letter in call.text)
    yield from call.honest()[1:]


@_answers("late_error")
def _(call: Call) -> Iterator[Event]:
    yield from call.honest()
    raise Abort(13, "failed after the answer")


# Bytes
BEHAVIOURS["noise"] = lambda call: iter([random.Random(call.text).randbytes(200)])
BEHAVIOURS["half_message"] = lambda call: iter([call.deltas()[0].SerializeToString()[:9]])
BEHAVIOURS["empty_message"] = lambda call: iter([b"", *call.deltas(), b"", call.complete()])
BEHAVIOURS["other_message"] = lambda call: iter([pb.DescribeResponse(name="x", digest="y").SerializeToString()])
BEHAVIOURS["no_unicode"] = lambda call: iter([b"\x0a\x06\x0a\x04\xff\xfe\xfd\xfc", call.complete()])
BEHAVIOURS["nested"] = lambda call: iter([b"\xa3\x06" * 10_000 + b"\xa4\x06" * 10_000])

# Statuses
for _code in CODES:
    _aborting(f"status_{_code.lower()}", _code, f"a bare {_code}")
for _reason in REASONS:
    _aborting(f"reason_{_reason.lower()}", "INTERNAL", f"because of {_reason}", error_info(_reason))
_aborting("details_malformed", "INTERNAL", "malformed details", b"\xff\xff\xff\xff\x01\x02")
_aborting(
    "details_other_type",
    "INTERNAL",
    "foreign details",
    status_pb2.Status(
        code=13,
        details=[any_pb2.Any(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff\xff"), any_pb2.Any()],
    ).SerializeToString(),
)
_aborting("reason_unknown", "INTERNAL", "unknown reason", error_info("NO_SUCH_REASON"))
_aborting("message_megabyte", "INTERNAL", "m" * MEGABYTE)
_aborting("message_control", "INVALID_ARGUMENT", f"bad{CONTROL}news", error_info("BAD_REQUEST", 3, f"bad{CONTROL}news"))


@_answers("error_midway")
def _(call: Call) -> Iterator[Event]:
    yield call.deltas()[0]
    raise Abort(13, "failed midway")


# Sizes
@_answers("text_200mb")
def _(call: Call) -> Iterator[Event]:
    yield from (pb.GenerateResponse(delta=pb.Delta(text="t" * MEGABYTE)) for _ in range(200))
    yield from call.honest()


@_answers("reasoning_200mb")
def _(call: Call) -> Iterator[Event]:
    yield from (pb.GenerateResponse(delta=pb.Delta(reasoning="r" * MEGABYTE)) for _ in range(200))
    yield from call.honest()


@_answers("audio_200mb")
def _(call: Call) -> Iterator[Event]:
    yield call.deltas()[0]
    yield from (call.sound(data=bytes(MEGABYTE)) for _ in range(200))
    yield call.complete()


BEHAVIOURS["message_200mb"] = lambda call: iter(
    [pb.GenerateResponse(delta=pb.Delta(text="g" * (200 * MEGABYTE))), call.complete()]
)


@_answers("events_many")
def _(call: Call) -> Iterator[Event]:
    event = pb.GenerateResponse(delta=pb.Delta(text="e" * 50)).SerializeToString()
    while True:
        yield event


@_answers("diagnostics_many")
def _(call: Call) -> Iterator[Event]:
    # Written by hand: a map entry is field 5 of `complete`, with the key as field 1 and the double as field 2.
    entries = b"".join(b"\x2a\x12\x0a\x07" + b"d%06d" % n + b"\x11" + struct.pack("<d", n) for n in range(MEGABYTE))
    body = call.complete().complete.SerializeToString() + entries
    yield from call.deltas()
    yield b"\x12" + _varint(len(body)) + body


_changed("diagnostic_name", diagnostics={"n" * (10 * MEGABYTE): 1.0})
_changed("language_long", detected_language="l" * (10 * MEGABYTE))


def _varint(number: int) -> bytes:
    found = b""
    while number > 127:
        found += bytes([number % 128 + 128])
        number //= 128
    return found + bytes([number])


# Time
async def _nothing(call: Call) -> AsyncIterator[Event]:
    await asyncio.Event().wait()
    yield b""


BEHAVIOURS["never_answers"] = BEHAVIOURS["stops_answering"] = _nothing


@_answers("hangs_midway")
async def _(call: Call) -> AsyncIterator[Event]:
    yield call.deltas()[0]
    await asyncio.Event().wait()


@_answers("trickles")
async def _(call: Call) -> AsyncIterator[Event]:
    while True:
        yield pb.GenerateResponse(delta=pb.Delta(text="x"))
        await asyncio.sleep(0.2)


@_answers("too_late")
async def _(call: Call) -> AsyncIterator[Event]:
    await asyncio.sleep(600)
    for event in call.honest():
        yield event


_aborting("always_busy", "RESOURCE_EXHAUSTED", "busy", error_info("BUSY", 8))
_aborting("busy_later", "RESOURCE_EXHAUSTED", "busy", error_info("BUSY", 8))
_aborting("unauthenticated", "UNAUTHENTICATED", "the key is invalid")
_aborting(
    "quota", "RESOURCE_EXHAUSTED", "insufficient_quota: you exceeded your current quota", error_info("RATE_LIMITED", 8)
)

# Health and Describe: their Generate is honest, but for one.
_aborting("serving_refuses", "UNAVAILABLE", "not ready", error_info("NOT_READY", 14))


# Cards
def _card(name: str) -> Callable[[Callable[[pb.DescribeResponse], object]], None]:
    def register(change: Callable[[pb.DescribeResponse], object]) -> None:
        def changed(card: pb.DescribeResponse, _: int) -> pb.DescribeResponse:
            change(card)
            return card

        CARDS[name] = changed

    return register


_card("concurrent_max")(lambda card: card.MergeFrom(pb.DescribeResponse(max_concurrent=2**32 - 1)))
_card("batch_max")(
    lambda card: (card.MergeFrom(pb.DescribeResponse(max_batch_size=2**32 - 1)), card.ClearField("max_concurrent"))
)
_card("no_name")(lambda card: card.ClearField("name"))
_card("no_digest")(lambda card: card.ClearField("digest"))
_card("odd_digest")(lambda card: card.MergeFrom(pb.DescribeResponse(digest=f"d{CONTROL}")))
_card("no_conditions")(lambda card: card.ClearField("conditions"))
_card("settings_megabytes")(lambda card: card.settings.update({f"setting {n}": "s" * MEGABYTE for n in range(8)}))
_card("settings_many")(lambda card: card.settings.update({f"setting {n}": "s" for n in range(200_000)}))
_card("card_too_large")(lambda card: card.settings.update({f"setting {n}": "s" * MEGABYTE for n in range(80)}))
_card("limits_nan")(lambda card: card.limits.MergeFrom(pb.Limits(max_audio_seconds=float("nan"))))


@_card("unknown_enums")
def _(card: pb.DescribeResponse) -> None:
    card.architecture = 99  # type: ignore[assignment]
    card.conditions.append(pb.Capability(input=99, output=99, support=99))  # type: ignore[arg-type]
    card.conditions.append(pb.Capability(input=1, output=3, support=1))
    card.conditions[0].support = 99  # type: ignore[assignment]


@_card("conditions_twice")
def _(card: pb.DescribeResponse) -> None:
    card.conditions.append(pb.Capability(input=1, output=1, support=3, reason="not at all"))
    card.conditions.insert(0, pb.Capability(input=1, output=1, support=3))


@_card("reason_long")
def _(card: pb.DescribeResponse) -> None:
    card.conditions[0].support = pb.SUPPORT_ASSISTED
    card.conditions[0].reason = "r" * (8 * MEGABYTE)


@_card("names_control")
def _(card: pb.DescribeResponse) -> None:
    card.name, card.version, card.weights_revision = f"n{CONTROL}", f"v{CONTROL}", f"w{CONTROL}"
    card.voices.append(pb.Voice(name=CONTROL, language=CONTROL))
    card.settings[CONTROL] = CONTROL


def _changing(card: pb.DescribeResponse, calls: int) -> pb.DescribeResponse:
    card.digest = f"{calls:064x}"
    return card


CARDS["card_changes"] = _changing
CARDS["describe_noise"] = lambda card, calls: random.Random(calls).randbytes(300)
