"""Every event of an answer is checked: numbers, names, rates and sizes; a stream over a bound is cut off."""

from __future__ import annotations

import math

import pytest

from omnigap import limits
from omnigap.answer import UNREADABLE, StreamCollector
from omnigap.errors import ContractError
from omnigap.media.audio import PCM
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from tests.helpers.served_doubles import complete, text

HUGE = 2**32 - 1


def done(**fields: object) -> pb.GenerateResponse:
    return pb.GenerateResponse(complete=pb.Complete(finish_reason=pb.FINISH_REASON_STOP, digest="wire", **fields))


def audio(size: int, rate: int = 24_000) -> pb.GenerateResponse:
    part = pb.Audio(data=bytes(size), mime_type=PCM, sample_rate_hz=rate, channels=1)
    return pb.GenerateResponse(delta=pb.Delta(audio=part))


def reasoning(words: str) -> pb.GenerateResponse:
    return pb.GenerateResponse(delta=pb.Delta(reasoning=words))


def collected(*responses: pb.GenerateResponse) -> StreamCollector:
    collector = StreamCollector("model:1")
    for response in responses:
        collector.add(response)
    return collector


BROKEN = {
    "a rate that wave cannot write": (audio(4, HUGE), "sample_rate_hz 4294967295"),
    "a rate below speech": (audio(4, 3_999), "sample_rate_hz 3999"),
    "NaN timing": (done(timings=pb.Timings(queue_s=math.nan)), "timings.queue_s nan"),
    "infinite timing": (done(timings=pb.Timings(compute_s=math.inf)), "timings.compute_s inf"),
    "negative timing": (done(timings=pb.Timings(ttft_s=-1e-9)), "timings.ttft_s -1e-09"),
    "huge timing": (done(timings=pb.Timings(audio_ttfp_s=1e300)), "timings.audio_ttfp_s 1e"),
    "NaN usage": (done(usage=pb.Usage(output_audio_seconds=math.nan)), "usage.output_audio_seconds nan"),
    "infinite usage": (done(usage=pb.Usage(input_audio_seconds=-math.inf)), "usage.input_audio_seconds -inf"),
    "a count without sense": (done(usage=pb.Usage(output_tokens=HUGE)), "usage.output_tokens 4294967295"),
    "a batch without sense": (done(timings=pb.Timings(batch_size=HUGE)), "timings.batch_size 4294967295"),
    "NaN diagnostic": (done(diagnostics={"avg_logprob": math.nan}), r"diagnostics\['avg_logprob'\] nan"),
    "long name of a diagnostic": (done(diagnostics={"n" * 201: 1.0}), "the name of a diagnostic"),
    "escape in a diagnostic": (done(diagnostics={"\x1b[2J": 1.0}), r"'\\x1b\[2J'"),
    "many diagnostics": (done(diagnostics={str(n): 1.0 for n in range(201)}), "201 diagnostics"),
    "long language": (done(detected_language="e" * 65), "detected_language"),
    "NUL in the language": (done(detected_language="en\0"), r"detected_language 'en\\x00'"),
    "long digest": (complete("d" * 10_000), r"digest 'd+'… \(10000 characters\)"),
    "unknown finish reason": (pb.GenerateResponse(complete=pb.Complete(finish_reason=99)), "gave no finish reason"),  # type: ignore[arg-type]
    "negative finish reason": (pb.GenerateResponse(complete=pb.Complete(finish_reason=-1)), "gave no finish reason"),  # type: ignore[arg-type]
    "no event": (pb.GenerateResponse(), "neither `delta` nor `complete`"),
    "no content": (pb.GenerateResponse(delta=pb.Delta()), "a delta without text, audio or reasoning"),
    "other bytes": (UNREADABLE, "bytes that are not a GenerateResponse"),
}


@pytest.mark.parametrize(("response", "message"), BROKEN.values(), ids=BROKEN)
def test_wrong_values_are_model_errors_that_name_field_and_sender(response: pb.GenerateResponse, message: str) -> None:
    with pytest.raises(ContractError, match=message) as caught:
        collected(response, complete()).answer()
    assert caught.value.reason is Reason.MODEL_ERROR
    assert "model:1" in caught.value.message
    assert len(caught.value.message) < 400
    assert caught.value.message.isprintable()


def test_extreme_but_legal_values_are_accepted() -> None:
    last = done(
        timings=pb.Timings(queue_s=0.0, compute_s=limits.MAX_SECONDS, batch_size=limits.MAX_COUNT),
        usage=pb.Usage(output_tokens=limits.MAX_COUNT, output_audio_seconds=-0.0),
        diagnostics={str(n): -1e300 for n in range(limits.MAX_DIAGNOSTICS)},
        detected_language="zh-Hant-TW",
    )
    answer = collected(text("a\0b\u202e"), audio(0, 192_000), last).answer()
    assert answer.own_text == "a\0b\u202e"
    assert answer.sample_rate == 192_000


SECOND = 2 * 48_000
TOO_LARGE = {
    "audio bytes": [audio(1_000_000, 192_000)] * 58,
    "audio seconds": [audio(1_000_000, 4_000)] * 5,
    "one piece of audio": [audio(600 * SECOND + 2, 48_000)],
    "text": [text("a" * 1_000)] * (limits.MAX_ANSWER_TEXT_CHARS // 1_000 + 1),
    "reasoning": [reasoning("a" * 100_000)] * 41,
    "events": [text("")] * (limits.MAX_ANSWER_EVENTS + 1),
    "completes": [complete()] * (limits.MAX_ANSWER_EVENTS + 1),
}


@pytest.mark.parametrize("responses", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_stream_over_a_bound_is_too_large_and_not_collected_further(responses: list[pb.GenerateResponse]) -> None:
    collector = collected(*responses)
    assert collector.is_too_large
    kept = len(collector.text) + len(collector.reasoning) + len(collector.pcm)
    for response in responses[:3]:
        collector.add(response)
    assert len(collector.text) + len(collector.reasoning) + len(collector.pcm) == kept
    with pytest.raises(
        ContractError, match=r"model:1 sent more than .* in one answer: the call was cancelled"
    ) as caught:
        collector.answer()
    assert caught.value.reason is Reason.TOO_LARGE


def test_ten_minutes_of_audio_are_an_answer() -> None:
    minute = audio(60 * SECOND, 48_000)
    assert collected(*[minute] * 10, complete()).answer().audio_seconds == 600


@pytest.mark.parametrize("digest", ["", "other", "wire\0", "WIRE", "wire "])
@pytest.mark.parametrize("output", [pb.MODALITY_TEXT, pb.MODALITY_SPEECH])
def test_an_answer_of_another_digest_or_none_is_refused(digest: str, output: pb.Modality.ValueType) -> None:
    request = pb.GenerateRequest(output=output, expected_digest="wire")
    last = pb.Complete(finish_reason=pb.FINISH_REASON_STOP, digest="x")
    answer = collected(text("Paris"), audio(2), pb.GenerateResponse(complete=last)).answer()
    with pytest.raises(ContractError, match="model:1 answered with digest x, but wire was asked") as caught:
        answer.check_request(request)
    assert caught.value.reason is Reason.DIGEST_MISMATCH
    last.digest = digest
    collector = collected(text("Paris"), audio(2), pb.GenerateResponse(complete=last))
    with pytest.raises(ContractError) as caught:
        collector.answer().check_request(request)
    assert caught.value.reason is (Reason.MODEL_ERROR if "\0" in digest else Reason.DIGEST_MISMATCH)
