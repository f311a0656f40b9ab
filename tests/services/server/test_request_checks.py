"""Requests that are refused before anything is computed, each with its reason and what to change."""

from __future__ import annotations

import math

import pytest

from omnigap.channel import MAX_MESSAGE_BYTES
from omnigap.media import encode_wav
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Condition, Reason, Support
from omnigap_services.adapter import NATIVE, Capability, Voice
from tests.services.server.model_double import Double, Running, Start, asking, refusal_of

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


async def test_refusals_are_counted_by_reason(served: Running) -> None:
    await served.caller.refusal("hello", expected_digest="0")
    assert served.metric("requests_total", condition="", outcome="refused", reason="DIGEST_MISMATCH") == 1
