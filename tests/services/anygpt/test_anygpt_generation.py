"""What may follow what, where answers end, and what a caller gets of an answer, with a model that follows a script."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from omnigap.errors import ContractError
from omnigap.vocabulary import FinishReason, Modality, Reason
from omnigap_services.adapter import DecodingOptions, InputPart, Request
from omnigap_services.anygpt.answer import Reply, check_room
from omnigap_services.anygpt.vocabulary import IMAGE_PREFIX, SPEECH_PREFIX
from tests.services.anygpt.recorded import Recorded, picture, tone
from tests.services.anygpt.scripted import Scripted, Speaker, answered, builder

SOUND = [f"<{SPEECH_PREFIX}{code}>" for code in (3, 1, 4)]
OTHERS = [f"<{IMAGE_PREFIX}9>", "<soim>", "<eoim>", "<\U0001f3b65>", "<somu>", "<eosp>", *SOUND]


def one(script: Sequence[str], part: Any = "Q", output: Modality = Modality.TEXT, **fields: Any) -> Recorded:
    return answered(Scripted({"": script}), Request((part,), output), **fields)[0]


spoken = partial(one, part=tone(1.0), output=Modality.SPEECH)


@pytest.mark.parametrize("end", ["<eos>", "<sosp>", "[Human]", "[MMGPT]", "<eoh>"])
def test_a_text_ends_at_an_end_mark(end: str) -> None:
    turn = one(["a dog", end, "never"])
    assert turn.text == "a dog"
    assert turn.done.finish_reason is FinishReason.STOP
    assert turn.events == ["write", "complete"]


def test_tokens_of_other_modalities_never_appear_in_a_text() -> None:
    assert one([*OTHERS, "a", *OTHERS, "b", "<eos>"]).text == one(["a", "b", "<eos>"]).text


def test_a_text_at_its_limit_is_cut_and_says_so() -> None:
    turn = one(["a b c d e f"], max_new_tokens=3)
    assert turn.done.output_tokens == 3
    assert turn.done.finish_reason is FinishReason.LENGTH
    assert turn.done.diagnostics["text_capped"] == 1


def test_text_and_speech_of_a_spoken_question_come_from_one_generation() -> None:
    model = Scripted({"": ["<-Ins->", "what is it", "\n ", "<-Res->", "a dog", "<sosp>", *SOUND, "<eosp>", "never"]})
    (turn,) = answered(model, Request((tone(1.0),), Modality.SPEECH))
    assert len(model.calls) == 1
    assert (turn.text, turn.reasoning) == ("a dog", "what is it")
    assert turn.audio is not None
    np.testing.assert_array_equal(turn.audio * 1_024, [3, 1, 4])
    assert turn.done.finish_reason is FinishReason.STOP
    assert turn.done.audio_tokens == 3
    assert turn.done.diagnostics["codec_frames"] == 3
    assert turn.done.diagnostics["prompt_audio_tokens"] == 3


def test_a_written_answer_to_speech_is_the_text_of_the_spoken_one() -> None:
    script = ["<-Ins->", "what", "<-Res->", "a dog", "<sosp>", *SOUND, "<eosp>"]
    written, said = (one(script, tone(1.0), output) for output in (Modality.TEXT, Modality.SPEECH))
    assert (written.text, written.reasoning) == (said.text, said.reasoning) == ("a dog", "what")
    assert written.audio is None


def test_only_speech_may_follow_the_mark_of_speech() -> None:
    noise = ["text", "<eos>", "<sosp>", "<soim>", f"<{IMAGE_PREFIX}0>", "<-Res->", "[Human]"]
    turn = spoken(["a", "<sosp>", *noise, SOUND[0], *noise, SOUND[1], *noise, "<eosp>"])
    assert turn.audio is not None
    np.testing.assert_array_equal(turn.audio * 1_024, [3, 1])
    assert turn.text == "a"


def test_rows_of_a_batch_change_to_speech_on_their_own() -> None:
    model = Scripted(
        {"": ["short", "<sosp>", SOUND[0], SOUND[1], "<eosp>"], "long": ["a b c d e f", "<sosp>", SOUND[2], "<eosp>"]}
    )
    requests = [Request((tone(1.0), text), Modality.SPEECH) for text in ("x", "long", "x")]
    turns = answered(model, *requests)
    assert [call["rows"] for call in model.calls] == [3]
    assert [turn.text for turn in turns] == ["short", "a b c d e f", "short"]
    assert [(turn.audio * 1_024).tolist() for turn in turns if turn.audio is not None] == [[3, 1], [4], [3, 1]]


@pytest.mark.parametrize("carrier", ["Q", picture()])
def test_an_assisted_answer_is_written_first_and_then_read_aloud(carrier: InputPart) -> None:
    model = Scripted({"": ["a dog", "<eos>"], ": a dog <sosp>": [*SOUND, "<eosp>"]})
    speaker = Speaker()
    request = Request((carrier,), Modality.SPEECH, decoding=DecodingOptions(seed=9))
    (turn,) = answered(model, request, speaker=speaker)
    assert turn.events == ["write", "speak", "complete"]
    assert turn.text == "a dog"
    assert turn.audio is not None
    np.testing.assert_array_equal(turn.audio * 1_024, [3, 1, 4])
    assert [call["repetition_penalty"] for call in model.calls] == [1.0, 1.05]
    assert speaker.seeds == [9]


def test_a_reply_to_speech_without_speech_is_an_answer_without_sound() -> None:
    turn = spoken(["a dog", "<eos>"])
    assert turn.text == "a dog"
    assert turn.audio is not None
    assert len(turn.audio) == 0
    assert turn.done.finish_reason is FinishReason.STOP
    assert turn.done.diagnostics["speech_missing"] == 1


@pytest.mark.parametrize("script", [["<eos>"], ["<eom> more", "<eos>"]])
def test_an_assisted_answer_without_a_text_has_nothing_to_read(script: list[str]) -> None:
    model = Scripted({"": script})
    (turn,) = answered(model, Request(("Q",), Modality.SPEECH))
    assert turn.text == ""
    assert turn.audio is not None
    assert len(turn.audio) == 0
    assert len(model.calls) == 1


def test_speech_at_its_limit_is_cut_and_says_so() -> None:
    turn = spoken(["a", "<sosp>", *SOUND, "<eosp>"], max_speech_tokens=2)
    assert turn.done.audio_tokens == 2
    assert turn.done.finish_reason is FinishReason.LENGTH
    assert (turn.done.diagnostics["speech_capped"], turn.done.diagnostics["text_capped"]) == (1, 0)


def test_an_answer_is_cut_where_the_context_is_full() -> None:
    question = Request((tone(1.0),), Modality.SPEECH)
    room = len(builder([5, 6, 7]).prompt(question).ids)
    script = {"": ["a", "<sosp>", *SOUND, "<eosp>"]}
    for extra, expected in ((2, ("a", 0)), (4, ("a", 2)), (6, ("a", 3))):
        (turn,) = answered(Scripted(script, context=room + extra), question)
        assert (turn.text, turn.done.audio_tokens) == expected
        assert turn.done.finish_reason is (FinishReason.STOP if extra == 6 else FinishReason.LENGTH)


def test_an_answer_that_the_context_cannot_hold_twice_is_not_read_aloud() -> None:
    question = Request(("Q",), Modality.SPEECH)
    room = len(builder().prompt(question).ids)
    (turn,) = answered(Scripted({"": ["a", "<eos>"]}, context=room + 2), question)
    assert turn.text == "a"
    assert turn.audio is not None
    assert len(turn.audio) == 0
    assert turn.done.finish_reason is FinishReason.LENGTH


def test_a_question_over_the_context_is_refused_with_its_size() -> None:
    prompt = builder([5, 6, 7]).prompt(Request((tone(1.0),), Modality.TEXT))
    check_room(prompt, len(prompt.ids) + 1)
    with pytest.raises(ContractError, match=f"{len(prompt.ids)} tokens") as refused:
        check_room(prompt, len(prompt.ids))
    assert refused.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize(
    ("text", "answer", "transcript"),
    [
        ("a dog", "a dog", ""),
        ("<-Ins-> what\n <-Res-> a dog ", "a dog", "what"),
        ("<-Ins-> what", "", "what"),
        ("<-Res-> a dog", "a dog", ""),
        ("<-Res-> a dog <-Ins-> what", "a dog", "what"),
        ("<-Ins-> x <-Res-> y <-Res-> z", "z", "x <-Res-> y"),
        ("a dog<eom> more", "a dog", ""),
        ("<-Ins-> what<eom> <-Res-> a dog<eot>b", "a dog", "what<eom>"),
    ],
)
def test_the_form_of_a_reply_is_taken_apart(text: str, answer: str, transcript: str) -> None:
    found = Reply.of(text)
    assert (found.answer, found.transcript) == (answer, transcript)
    assert found.ended is ("<eo" in text)


@settings(max_examples=25, deadline=None)
@example(["<-Res->", "<-Ins->"])
@given(st.lists(st.sampled_from(["a", "<sosp>", "<eosp>", "<eos>", "<-Ins->", "<-Res->", *OTHERS]), max_size=12))
def test_any_output_of_the_model_ends_with_an_answer(script: list[str]) -> None:
    questions = [Request((part,), output) for part in (tone(1.0), "Q") for output in Modality if output != "image"]
    for turn in answered(Scripted({"": script}), *questions, max_new_tokens=6, max_speech_tokens=5):
        assert turn.error is None
        assert turn.done.finish_reason in (FinishReason.STOP, FinishReason.LENGTH)
        assert "<" not in turn.text
        assert (turn.audio is not None) is (turn.request.output is Modality.SPEECH)
        assert turn.audio is None or len(turn.audio) == turn.done.audio_tokens <= 5


def test_sampled_answers_run_alone_and_greedy_ones_of_one_decoding_together() -> None:
    model = Scripted({"": ["a", "<eos>"]})
    hot = DecodingOptions(temperature=1.0)
    requests = [
        Request(("Q",), Modality.TEXT, decoding=d) for d in (DecodingOptions(), hot, DecodingOptions(seed=4), hot)
    ]
    answered(model, *requests)
    assert [(call["rows"], call["do_sample"]) for call in model.calls] == [(2, False), (1, True), (1, True)]


def test_a_cancelled_turn_stops_and_the_others_go_on() -> None:
    model = Scripted({"": ["a b c d e f", "<eos>"]})
    turns: list[Recorded] = []

    def leave(rows: int) -> None:
        turns[0].cancelled = True

    model.before_call = leave
    requests = [Request(("Q",), Modality.SPEECH), Request(("Q",), Modality.SPEECH)]
    answered(model, *requests, turns=turns)
    assert turns[0].events == []
    assert turns[1].text == "a b c d e f"
    assert [call["rows"] for call in model.calls] == [2, 1]


def test_an_error_of_the_model_fails_its_batch_only() -> None:
    model = Scripted({"": ["a", "<eos>"]})

    def refuse(rows: int) -> None:
        if rows == 2:
            raise IndexError("index 7 is out of bounds")

    model.before_call = refuse
    other = DecodingOptions(repetition_penalty=2.0)
    requests = [Request(("Q",), Modality.TEXT, decoding=d) for d in (DecodingOptions(), DecodingOptions(), other)]
    turns = answered(model, *requests)
    assert [type(turn.error) for turn in turns] == [IndexError, IndexError, type(None)]
    assert turns[2].text == "a"


def test_an_error_of_reading_aloud_leaves_answers_to_spoken_questions() -> None:
    """Their speech comes from the first generation."""
    model = Scripted({"": ["a", "<sosp>", *SOUND, "<eosp>"]})

    def refuse(rows: int) -> None:
        if len(model.calls) == 2:
            raise IndexError("index 7 is out of bounds")

    model.before_call = refuse
    penalty = DecodingOptions(repetition_penalty=1.0)
    requests = [Request((part,), Modality.SPEECH, decoding=penalty) for part in (tone(1.0), "Q")]
    spoken_question, typed = answered(model, *requests)
    assert len(model.calls) == 2
    assert spoken_question.done.audio_tokens == 3
    assert isinstance(typed.error, IndexError)


def test_an_error_of_one_clip_fails_its_answer_only() -> None:
    class Breaks(Speaker):
        def wave(self, codes: Sequence[int], seed: int) -> Any:
            if len(codes) == 2:
                raise ValueError("no")
            return super().wave(codes, seed)

    model = Scripted({"": ["a", "<sosp>", *SOUND, "<eosp>"], "two": ["b", "<sosp>", *SOUND[:2], "<eosp>"]})
    requests = [Request((tone(1.0), text), Modality.SPEECH) for text in ("x", "two", "x")]
    turns = answered(model, *requests, speaker=Breaks())
    assert [type(turn.error) for turn in turns] == [type(None), ValueError, type(None)]
    assert turns[2].audio is not None


@pytest.mark.parametrize("fits", [0, 1, 2])
def test_a_batch_that_runs_out_of_memory_is_halved(fits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # It collects garbage, which takes half a second each time.
    monkeypatch.setattr("omnigap_services.torch_utils.generation.free_memory", lambda: None)
    model = Scripted({"": ["a", "<eos>"], ": a <sosp>": [*SOUND, "<eosp>"]})

    def refuse(rows: int) -> None:
        if rows > fits:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    model.before_call = refuse
    turns = answered(model, *[Request((f"Q{number}",), Modality.SPEECH) for number in range(3)])
    if not fits:
        reasons = [turn.error.reason for turn in turns if isinstance(turn.error, ContractError)]
        assert reasons == [Reason.OUT_OF_MEMORY] * 3
        return
    assert [turn.events for turn in turns] == [["write", "speak", "complete"]] * 3
    assert {turn.text for turn in turns} == {"a"}


def test_a_clip_that_runs_out_of_memory_fails_alone_and_names_the_option() -> None:
    class Large(Speaker):
        def wave(self, codes: Sequence[int], seed: int) -> Any:
            raise torch.OutOfMemoryError("CUDA out of memory")

    turn = spoken(["a", "<sosp>", *SOUND, "<eosp>"], speaker=Large())
    assert isinstance(turn.error, ContractError)
    assert turn.error.reason is Reason.OUT_OF_MEMORY
    assert "max_speech_tokens" in turn.error.message
