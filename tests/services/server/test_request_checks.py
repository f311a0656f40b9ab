"""Requests that are refused before anything is computed, each with its reason and what to change."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import grpc.aio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnigap.channel import MAX_MESSAGE_BYTES
from omnigap.errors import ContractError
from omnigap.media import encode_wav
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Condition, Reason, Support
from omnigap_services.adapter import NATIVE, Capability, Voice
from omnigap_services.server.replay import ReplayCache
from omnigap_services.server.request import check_request, decode_request
from omnigap_services.server.response import ResponseLog
from tests.services.server.model_double import Double, Running, Start, asking, collect, refusal_of

WAV = pb.Audio(data=encode_wav(bytes(3_200), 16_000), mime_type="audio/wav")
PNG = pb.Image(data=b"never opened", mime_type="image/png")


@pytest.fixture
async def served(running: Start) -> Running:
    return await running(Double(voices=(Voice("anna", "en-US"), Voice("ben", "en-US")), max_text_chars=50))


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (asking(), "parts is empty"),
        (pb.GenerateRequest(parts=[pb.InputPart()], output=pb.MODALITY_TEXT), "parts[0] is empty"),
        (asking("hello", "  \n"), "parts[1].text is empty"),
        (asking(WAV, PNG), "one kind"),
        (asking("hello", output=pb.MODALITY_UNSPECIFIED), "MODALITY_TEXT or MODALITY_SPEECH"),
        (asking("hello", output=pb.MODALITY_IMAGE), "output is image"),
        (asking("hello", output=99), "output 99 is unknown"),
        (asking("hello", decoding=pb.Decoding(temperature=math.nan)), "decoding.temperature is nan"),
        (asking("hello", decoding=pb.Decoding(temperature=-1)), "decoding.temperature is -1"),
        (asking("hello", decoding=pb.Decoding(top_p=1.5)), "decoding.top_p is 1.5"),
        (asking("hello", decoding=pb.Decoding(max_new_tokens=0)), "decoding.max_new_tokens is 0"),
        (asking("hello", voice=pb.VoiceSettings(words_per_minute=0)), "words_per_minute is 0"),
        (asking("hello", voice=pb.VoiceSettings(words_per_minute=math.inf)), "words_per_minute is inf"),
        (asking("hello", output=pb.MODALITY_SPEECH, voice=pb.VoiceSettings(name="zoe")), "anna, ben"),
    ],
)
async def test_a_malformed_request_is_a_bad_request(served: Running, request_: pb.GenerateRequest, words: str) -> None:
    refusal = await refusal_of(served.caller.call(request_))
    assert refusal.reason is Reason.BAD_REQUEST
    assert words in refusal.message


async def test_zero_is_a_value_and_not_unset(running: Start) -> None:
    adapter = Double()
    caller = (await running(adapter)).caller
    await caller.ask("hello", decoding=pb.Decoding(temperature=0.0, seed=0, extra={"mode": "x"}))
    request = adapter.batches[0][0]
    assert (request.decoding.temperature, request.decoding.seed) == (0.0, 0)
    assert request.decoding.top_p is None
    assert request.decoding.extra == {"mode": "x"}
    assert request.words_per_minute is None


async def test_the_text_limit_holds_for_all_parts_together(served: Running) -> None:
    refusal = await served.caller.refusal("x" * 20, "y" * 20, system_prompt="z" * 20)
    assert refusal.reason is Reason.TOO_LARGE
    assert "60 characters" in refusal.message
    assert "50" in refusal.message


async def test_a_message_over_the_transport_limit_is_too_large(served: Running) -> None:
    audio = pb.Audio(data=bytes(MAX_MESSAGE_BYTES + 1), mime_type="audio/wav")
    assert (await served.caller.refusal(audio)).reason is Reason.TOO_LARGE


async def test_another_digest_is_refused_and_both_are_named(served: Running) -> None:
    digest = (await served.caller.describe()).digest
    refusal = await served.caller.refusal("hello", expected_digest="0" * 64)
    assert refusal.reason is Reason.DIGEST_MISMATCH
    assert digest in refusal.message
    assert "0" * 64 in refusal.message
    assert (await served.caller.ask("hello", expected_digest=digest)).text == "hello"


async def test_a_condition_outside_the_card_is_unsupported_with_its_reason(running: Start) -> None:
    t2t, s2t = Condition.parse("t2t"), Condition.parse("s2t")
    conditions = {t2t: NATIVE, s2t: Capability(Support.UNSUPPORTED, "no audio encoder in this size")}
    caller = (await running(Double(conditions=conditions))).caller
    declared = await caller.refusal(WAV)
    assert declared.reason is Reason.UNSUPPORTED_CONDITION
    assert "s2t" in declared.message
    assert "no audio encoder in this size" in declared.message
    not_listed = await caller.refusal("hello", output=pb.MODALITY_SPEECH)
    assert not_listed.reason is Reason.UNSUPPORTED_CONDITION
    assert "it supports t2t" in not_listed.message


def with_settings(number: int) -> pb.Decoding:
    """Decoding with this many settings of its own."""
    return pb.Decoding(extra={str(index): "" for index in range(number)})


@pytest.mark.parametrize("over", [0, 1, 5_000_000])
@pytest.mark.parametrize(
    ("field", "limit", "build"),
    [
        ("request_id", 1_024, lambda text: asking("hello", request_id=text)),
        ("language", 64, lambda text: asking("hello", language=text)),
        ("expected_digest", 200, lambda text: asking("hello", expected_digest=text)),
        ("voice.name", 200, lambda text: asking("hello", voice=pb.VoiceSettings(name=text))),
        ("decoding.extra", 200, lambda text: asking("hello", decoding=pb.Decoding(extra={text: "x"}))),
        ("decoding.extra['mode']", 20_000, lambda text: asking("hello", decoding=pb.Decoding(extra={"mode": text}))),
        ("parts[1].audio.mime_type", 255, lambda text: asking("hello", pb.Audio(data=b"x", mime_type=text))),
        ("parts[0].image.mime_type", 255, lambda text: asking(pb.Image(data=b"x", mime_type=text))),
        ("parts", 64, lambda text: asking(*text)),
        (
            "decoding.extra",
            64,
            lambda text: asking("x", decoding=with_settings(len(text))),
        ),
    ],
)
async def test_long_fields_are_refused_and_named_without_their_content(
    served: Running, field: str, limit: int, build: Callable[[str], pb.GenerateRequest], over: int
) -> None:
    size = min(limit + over, 100_000) if limit == 64 else limit + over
    # Bidirectional override and escape sequences must not reach a terminal.
    text = ("\x1b[31m\u202e" * (size // 6 + 1))[:size]
    found = await outcome_of(served.caller.call(build(text)))
    if not over:
        assert found is None or f"limit is {limit}" not in found.message
    else:
        assert found is not None
        assert found.reason is Reason.TOO_LARGE
        assert re.search(rf"{re.escape(field)}\D* has {size} \w+, and the limit is {limit}", found.message)
    assert found is None or (found.message.isprintable() and len(found.message) < 500)


async def outcome_of(call: grpc.aio.UnaryStreamCall[pb.GenerateRequest, pb.GenerateResponse]) -> ContractError | None:
    """The error of a call; None if it was answered."""
    try:
        await collect(call)
    except ContractError as error:
        return error
    return None


@settings(deadline=None)
@given(st.text(max_size=200), st.sampled_from(["request_id", "voice", "language", "expected_digest", "mime_type"]))
def test_errors_never_show_what_steers_a_terminal(text: str, field: str) -> None:
    message = asking("hello", output=pb.MODALITY_SPEECH)
    if field == "voice":
        message.voice.name = text
    elif field == "mime_type":
        message.parts.append(pb.InputPart(audio=pb.Audio(data=b"x", mime_type=text)))
    else:
        setattr(message, field, text)
    card = Double(voices=(Voice("anna", "en-US"),)).card
    try:
        condition = check_request(message, card, "digest")
        decode_request(message, card, condition.output)
        replays = ReplayCache()
        replays.add(message.request_id, b"one", ResponseLog(lambda log, result: None))
        replays.find(message.request_id, b"other")
    except ContractError as error:
        assert error.message.isprintable()
        assert len(error.message) < 500


async def test_bytes_that_are_no_request_are_refused_with_a_reason(served: Running) -> None:
    raw = served.caller.channel.unary_stream("/omnigap.v1.ModelService/Generate", request_serializer=lambda data: data)
    refused = await refusal_of(raw(b"\xff\xff\xff", timeout=60))
    assert refused.reason is Reason.BAD_REQUEST
    assert "not a GenerateRequest" in refused.message


async def test_refusals_are_counted_by_reason(served: Running) -> None:
    await served.caller.refusal("hello", expected_digest="0")
    assert served.metric("requests_total", condition="", outcome="refused", reason="DIGEST_MISMATCH") == 1
