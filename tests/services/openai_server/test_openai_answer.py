"""Every form of answer that servers are known to send, and the diagnostics of bad audio."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from tests.helpers.chat_server import RATE, ChatServer, choice, completion, sending, streaming, tone, wav
from tests.helpers.serve_process import Reply, Served
from tests.services.openai_server.through import Through

QUESTION = "What is the capital of France?"
SPOKEN = "The capital is Paris."


@pytest.fixture
def service(through: Through) -> Served:
    return through()


def spoken(chat: ChatServer, service: Served, *choices: dict[str, Any]) -> Reply:
    chat.then(sending(completion(*choices)))
    return service.ask(QUESTION, output=Modality.SPEECH)


def sound(samples: np.ndarray | None = None, rate: int = RATE, **fields: Any) -> dict[str, Any]:
    return {"id": "a", "data": wav(tone(rate=rate) if samples is None else samples, rate), "expires_at": 0, **fields}


def test_one_choice_with_text_and_audio_and_metadata(chat: ChatServer, service: Served) -> None:
    answer = choice(SPOKEN, audio=sound(transcript=""))
    answer["audio_metadata"] = {"format": "wav", "sample_rate_hz": 8_000, "frame_count": 1, "channels": 1}
    reply = spoken(chat, service, answer)
    assert reply.text == SPOKEN
    assert reply.audio is not None
    assert reply.audio.sample_rate == RATE
    assert reply.complete.diagnostics["audio_rate_hz"] == RATE, "the file's header counts, not the metadata"
    np.testing.assert_allclose(reply.audio.samples, tone(), atol=2**-14)
    assert reply.complete.usage.input_tokens == 11
    assert reply.complete.usage.output_tokens == 3


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_choices_with_the_same_index(chat: ChatServer, service: Served, order: tuple[int, int]) -> None:
    both = (choice(SPOKEN), choice(None, audio=sound()))
    reply = spoken(chat, service, *(both[number] for number in order))
    assert reply.text == SPOKEN
    assert reply.audio is not None


def test_without_content_the_text_is_the_transcript(chat: ChatServer, service: Served) -> None:
    assert spoken(chat, service, choice(None, audio=sound(transcript=SPOKEN))).text == SPOKEN
    assert spoken(chat, service, choice("", audio=sound(transcript=SPOKEN))).text == SPOKEN
    assert spoken(chat, service, choice("content", audio=sound(transcript=SPOKEN))).text == "content"


def test_audio_without_text_is_an_answer(chat: ChatServer, service: Served) -> None:
    reply = spoken(chat, service, choice(None, audio=sound(transcript="")))
    assert reply.text == ""
    assert reply.audio is not None
    assert "seconds_per_word" not in reply.complete.diagnostics


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100])
def test_audio_at_the_headers_rate_is_resampled_to_the_cards(chat: ChatServer, service: Served, rate: int) -> None:
    reply = spoken(chat, service, choice(SPOKEN, audio=sound(rate=rate)))
    assert reply.complete.diagnostics["audio_rate_hz"] == rate
    assert reply.audio is not None
    assert reply.audio.sample_rate == service.describe().output_sample_rate_hz
    assert reply.audio.seconds == pytest.approx(0.5, abs=0.001)
    loudest = np.abs(np.fft.rfft(reply.audio.samples)).argmax() / reply.audio.seconds
    assert loudest == pytest.approx(440, abs=2)


def test_data_urls_and_lists_of_parts_are_read(chat: ChatServer, service: Served) -> None:
    answer = choice(None, audio={"data": f"data:audio/wav;base64,{wav(tone())}"})
    answer["message"]["content"] = [{"type": "text", "text": "The capital "}, {"type": "text", "text": "is Paris."}]
    reply = spoken(chat, service, answer)
    assert reply.text == SPOKEN
    assert reply.audio is not None


@pytest.mark.parametrize("data", ["", wav(np.zeros(0, np.float32))], ids=["empty", "header only"])
def test_empty_audio_is_an_answer_with_zero_audio_seconds(chat: ChatServer, service: Served, data: str) -> None:
    reply = spoken(chat, service, choice(SPOKEN, audio={"id": "a", "data": data, "transcript": ""}))
    assert reply.text == SPOKEN
    assert reply.audio is not None
    assert reply.audio.seconds == 0
    assert reply.complete.timings.audio_ttfp_s == 0
    assert reply.complete.diagnostics["audio_seconds"] == 0
    assert reply.complete.diagnostics["text_words"] == 4


def test_audio_that_is_too_short_shows_in_seconds_per_word(chat: ChatServer, service: Served) -> None:
    text = " ".join(["word"] * 100)
    reply = spoken(chat, service, choice(text, audio=sound()))
    assert reply.audio is not None
    assert reply.complete.diagnostics["seconds_per_word"] == pytest.approx(0.005, abs=1e-4)


def test_silence_shows_in_the_diagnostics_and_is_passed_on(chat: ChatServer, service: Served) -> None:
    reply = spoken(chat, service, choice(SPOKEN, audio=sound(np.zeros(RATE, np.float32))))
    assert reply.audio is not None
    assert reply.audio.seconds == 1
    found = reply.complete.diagnostics
    assert (found["audio_rms"], found["silent_share"], found["silent_end_s"]) == (0, 1, pytest.approx(1, abs=0.02))


def test_silence_after_speech_shows_in_silent_end_s(chat: ChatServer, service: Served) -> None:
    clip = np.concatenate([tone(1.0), np.zeros(3 * RATE, np.float32)])
    found = spoken(chat, service, choice(SPOKEN, audio=sound(clip))).complete.diagnostics
    assert found["silent_end_s"] == pytest.approx(3, abs=0.05)
    assert found["silent_share"] == pytest.approx(0.75, abs=0.02)
    assert found["audio_rms"] == pytest.approx(0.5 / np.sqrt(2) / 2, abs=0.01)


def test_audio_that_was_not_requested_is_dropped(chat: ChatServer, service: Served) -> None:
    chat.then(sending(completion(choice("Paris", audio=sound()))))
    reply = service.ask(QUESTION)
    assert (reply.text, reply.audio) == ("Paris", None)


@pytest.mark.parametrize("data", ["!!!", "aGVsbG8="], ids=["no base64", "no audio"])
def test_unreadable_audio_is_a_model_error(chat: ChatServer, service: Served, data: str) -> None:
    with pytest.raises(ContractError, match="audio") as failed:
        spoken(chat, service, choice(SPOKEN, audio={"data": data}))
    assert failed.value.reason is Reason.MODEL_ERROR


@pytest.mark.parametrize(
    ("word", "finish"),
    [
        ("stop", pb.FINISH_REASON_STOP),
        ("length", pb.FINISH_REASON_LENGTH),
        ("content_filter", pb.FINISH_REASON_REFUSED),
        ("eos", pb.FINISH_REASON_STOP),
    ],
)
def test_finish_reasons_are_mapped(
    chat: ChatServer, service: Served, word: str, finish: pb.FinishReason.ValueType
) -> None:
    chat.then(sending(completion(choice("Paris", finish=word))))
    assert service.ask(QUESTION).complete.finish_reason == finish


def test_a_refusal_is_the_text_with_its_finish_reason(chat: ChatServer, service: Served) -> None:
    answer = choice(None)
    answer["message"]["refusal"] = "I can't help with that."
    chat.then(sending(completion(answer)))
    reply = service.ask(QUESTION)
    assert reply.text == "I can't help with that."
    assert reply.complete.finish_reason == pb.FINISH_REASON_REFUSED


def test_reasoning_is_separate_and_tokens_are_counted(chat: ChatServer, service: Served) -> None:
    answer = choice("Paris")
    answer["message"]["reasoning_content"] = "France, so"
    details = {"completion_tokens_details": {"audio_tokens": 40}}
    chat.then(sending(completion(answer, prompt_tokens=5, completion_tokens=50, **details)))
    reply = service.ask(QUESTION)
    assert (reply.text, reply.reasoning) == ("Paris", "France, so")
    assert (reply.complete.usage.output_tokens, reply.complete.usage.audio_tokens) == (50, 40)


def test_text_requested_with_audio_is_the_transcript(chat: ChatServer, through: Through) -> None:
    service = through(text_modalities=["text", "audio"], stream=True)
    chat.then(sending(completion(choice(None, audio=sound(transcript=SPOKEN)))))
    reply = service.ask(QUESTION)
    assert (reply.text, reply.audio) == (SPOKEN, None)
    assert chat.asked[-1].body["modalities"] == ["text", "audio"]
    assert "stream" not in chat.asked[-1].body


def test_text_is_streamed_and_speech_is_not(chat: ChatServer, through: Through) -> None:
    service = through(stream=True)
    chat.then(streaming("Par", "is"))
    reply = service.ask(QUESTION)
    assert reply.text == "Paris"
    assert reply.complete.finish_reason == pb.FINISH_REASON_LENGTH
    assert (reply.complete.usage.input_tokens, reply.complete.usage.output_tokens) == (7, 2)
    assert service.ask(QUESTION, output=Modality.SPEECH).audio is not None
    assert "stream" not in chat.asked[-1].body


def test_a_streamed_refusal_is_the_text_with_its_finish_reason(chat: ChatServer, through: Through) -> None:
    service = through(stream=True)
    chat.then(streaming("I can't ", "help.", field="refusal"))
    reply = service.ask(QUESTION)
    assert (reply.text, reply.complete.finish_reason) == ("I can't help.", pb.FINISH_REASON_REFUSED)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_streamed_reasoning_is_separate_under_both_field_names(chat: ChatServer, through: Through, field: str) -> None:
    service = through(stream=True)
    chat.then(streaming("France, ", "so", field=field))
    reply = service.ask(QUESTION)
    assert (reply.text, reply.reasoning) == ("", "France, so")


def test_a_stream_that_breaks_off_is_an_error(chat: ChatServer, through: Through) -> None:
    service = through(stream=True)
    chat.then(streaming("Par", end=False))
    with pytest.raises(ContractError, match="ended before") as failed:
        service.ask(QUESTION)
    assert failed.value.reason is Reason.UPSTREAM_UNAVAILABLE
