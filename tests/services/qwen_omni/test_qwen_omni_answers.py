"""The content of answers: text and speech of one generation, consistent counts, and nothing of the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from omnigap.errors import ContractError
from omnigap.vocabulary import FinishReason, Modality, Reason
from omnigap_services.adapter import DecodingOptions, Request
from omnigap_services.qwen_omni.options import TALKER_LIMIT
from tests.services.qwen_omni.recorded import Recorded, ask, eight, picture, tone

if TYPE_CHECKING:
    from omnigap_services.qwen_omni.adapter import QwenOmniAdapter
    from tests.services.qwen_omni.conftest import Make


def runs_of(module: Any, work: Any) -> int:
    """Number of passes of a module during `work`."""
    runs: list[None] = []
    hook = module.register_forward_pre_hook(lambda *_: runs.append(None))
    try:
        work()
    finally:
        hook.remove()
    return len(runs)


def speech_parts(adapter: QwenOmniAdapter) -> list[Any]:
    model = adapter._loaded.model
    return [model.talker, model.token2wav if hasattr(model, "token2wav") else model.code2wav]


def test_text_answers_never_run_the_talker(adapter: QwenOmniAdapter) -> None:
    for part in speech_parts(adapter):
        assert runs_of(part, lambda: ask(adapter, *eight(Modality.TEXT)[:4])) == 0
        assert runs_of(part, lambda: ask(adapter, *eight(Modality.SPEECH)[:1])) > 0


def test_text_and_speech_come_from_one_generation(adapter: QwenOmniAdapter) -> None:
    embedding_table = adapter._loaded.model.thinker.get_input_embeddings()
    request = eight(Modality.SPEECH)[1]
    turns: list[Recorded] = []
    reads = runs_of(embedding_table, lambda: turns.extend(ask(adapter, request)))
    done = turns[0].done
    # The prompt once, then each token but the last; the talker's marks come through the same table.
    assert reads <= done.output_tokens + 1
    assert turns[0].text
    assert len(turns[0].audio)


def test_the_prompt_has_the_requests_media_and_no_others(adapter: QwenOmniAdapter, kind: str) -> None:
    def media(*parts: Any) -> tuple[float, float]:
        diagnostics = ask(adapter, Request(parts, Modality.TEXT))[0].done.diagnostics
        return diagnostics["prompt_audio_tokens"], diagnostics["prompt_image_tokens"]

    # A second of sound is 25 tokens in Qwen2.5-Omni and 13 in Qwen3-Omni.
    second = 25 if kind == "qwen2.5" else 13
    assert media("What?") == (0, 0)
    assert media(tone(1.0)) == (second, 0)
    assert media(tone(2.0), "One word.") == (2 * second, 0)
    audio_tokens, image_tokens = media(picture(), "One word.")
    assert audio_tokens == 0
    assert media(picture(60, 60)) == (0, 4)
    assert image_tokens > 4


def test_input_tokens_are_counted_without_the_batchs_padding(adapter: QwenOmniAdapter) -> None:
    short, long = (Request((text,), Modality.TEXT) for text in ("Hi", "Hi, and a good deal more than that."))
    together = ask(adapter, short, long)
    single = [ask(adapter, request)[0] for request in (short, long)]
    assert [turn.done.input_tokens for turn in together] == [turn.done.input_tokens for turn in single]
    assert together[1].done.input_tokens - together[0].done.input_tokens > 10


def test_the_answer_has_nothing_of_the_prompt(adapter: QwenOmniAdapter) -> None:
    turn = ask(adapter, Request(("Repeat ZEBRA-QUAGGA.",), Modality.TEXT))[0]
    assert turn.done.output_tokens <= 12
    assert "ZEBRA" not in turn.text
    assert "assistant\n" not in turn.text
    again = adapter._loaded.tokenizer(turn.text)["input_ids"]
    assert len(turn.text) <= 12 * max(map(len, adapter._loaded.tokenizer.get_vocab()))
    assert len(again) >= 1


def test_the_audio_is_as_long_as_its_codec_frames(spoken: list[Recorded], kind: str) -> None:
    lengths = set()
    for turn in spoken:
        frames = int(turn.done.diagnostics["codec_frames"])
        # 50 frames a second, and 12.5 of which the causal decoder loses a fixed piece of its last one.
        expected = 480 * frames if kind == "qwen2.5" else max(0, 1920 * frames - 555)
        assert len(turn.audio) == turn.done.diagnostics["audio_samples"] == expected
        assert turn.done.audio_tokens == frames
        lengths.add(frames)
    assert len(lengths) > 2


def test_the_audio_is_not_silent(spoken: list[Recorded]) -> None:
    for turn in spoken:
        assert 0.005 < float(np.sqrt(np.mean(turn.audio**2))) < 0.9


def test_the_finish_reason_is_stop_or_length(spoken: list[Recorded]) -> None:
    for turn in spoken:
        done = turn.done
        capped = done.diagnostics["text_capped"] or done.diagnostics["speech_capped"]
        assert (done.finish_reason is FinishReason.LENGTH) == bool(capped)
        assert done.diagnostics["text_capped"] == (done.output_tokens == 12)
    assert {turn.done.finish_reason for turn in spoken} == {FinishReason.STOP, FinishReason.LENGTH}


def test_an_empty_text_is_answered_without_speech(adapter: QwenOmniAdapter, spoken: list[Recorded]) -> None:
    first = spoken[0].text[0]
    other = next(number for number, turn in enumerate(spoken) if first not in turn.text)
    engine = adapter._loaded.engine
    before = engine.text_ends
    try:
        # As if the first answer's first character were an end mark.
        engine.text_ends = before | frozenset(adapter._loaded.tokenizer(first)["input_ids"])
        empty, second = ask(adapter, eight(Modality.SPEECH)[0], eight(Modality.SPEECH)[other])
    finally:
        engine.text_ends = before
    assert empty.text == ""
    assert len(empty.audio) == 0
    assert empty.done.finish_reason is FinishReason.STOP
    assert second.done == spoken[other].done


def test_a_single_token_at_its_limit_is_answered_without_speech(adapter: QwenOmniAdapter) -> None:
    decoding = DecodingOptions(max_new_tokens=1)
    turn = ask(adapter, Request(("What?",), Modality.SPEECH, decoding=decoding))[0]
    assert turn.done.output_tokens == 1
    assert turn.done.finish_reason is FinishReason.LENGTH


def test_a_requests_own_limits_apply(adapter: QwenOmniAdapter) -> None:
    decoding = DecodingOptions(max_new_tokens=4, extra={TALKER_LIMIT: "3"})
    turn = ask(adapter, Request((tone(1.0),), Modality.SPEECH, decoding=decoding))[0]
    assert turn.done.output_tokens <= 4
    assert turn.done.diagnostics["codec_frames"] <= 3


def test_the_wave_decoders_noise_depends_on_the_seed(adapter: QwenOmniAdapter, kind: str) -> None:
    def asked(seed: int) -> Recorded:
        return ask(adapter, Request(("Say.",), Modality.SPEECH, decoding=DecodingOptions(seed=seed)))[0]

    first, again, other = asked(0), asked(0), asked(7)
    np.testing.assert_array_equal(first.audio, again.audio)
    assert first.done == other.done, "a greedy answer has the same codes with every seed"
    # Qwen3's decoder starts from no noise.
    assert np.array_equal(first.audio, other.audio) == (kind == "qwen3")


def test_speakers_differ(adapter: QwenOmniAdapter) -> None:
    spoken = [ask(adapter, Request(("Say.",), Modality.SPEECH, voice=name))[0] for name in ("Chelsie", "ethan")]
    assert spoken[0].text == spoken[1].text
    assert not np.array_equal(spoken[0].audio, spoken[1].audio)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"decoding": DecodingOptions(beam_size=4)}, "beam_size is 4"),
        ({"decoding": DecodingOptions(top_p=0.5)}, "top_p or top_k"),
        ({"decoding": DecodingOptions(extra={"tempo": "2"})}, "tempo"),
        ({"decoding": DecodingOptions(extra={TALKER_LIMIT: "many"})}, "'many'"),
        ({"decoding": DecodingOptions(extra={TALKER_LIMIT: "9" * 5_000})}, TALKER_LIMIT),
        ({"voice": "Cherry"}, "Cherry"),
        ({"words_per_minute": 200.0}, "words_per_minute is 200"),
    ],
)
def test_an_unsupported_request_is_refused_and_the_others_are_answered(
    adapter: QwenOmniAdapter, fields: dict[str, Any], named: str
) -> None:
    good, bad = ask(adapter, Request(("What?",), Modality.TEXT), Request(("What?",), Modality.TEXT, **fields))
    assert good.text
    assert isinstance(bad.error, ContractError)
    assert bad.error.reason is Reason.BAD_REQUEST
    assert named in bad.error.message


def test_an_image_that_the_processor_refuses_fails_its_request_only(adapter: QwenOmniAdapter) -> None:
    narrow = Request((picture(3000, 10),), Modality.TEXT)
    good, bad = ask(adapter, Request(("What?",), Modality.TEXT), narrow)
    assert good.text
    assert isinstance(bad.error, ContractError)
    assert bad.error.reason is Reason.BAD_MEDIA


def test_prompts_follow_the_chat_template(adapter: QwenOmniAdapter, kind: str) -> None:
    text = adapter._loaded.prompt_builder.text(
        Request((picture(), "Answer with one word."), Modality.TEXT, system_prompt="Be brief.")
    )
    assert text.endswith("<|im_end|>\n<|im_start|>assistant\n")
    if kind == "qwen2.5":
        # Speech needs the authors' own words there, and nothing else.
        assert text.startswith("<|im_start|>system\nYou are Qwen, a virtual human")
        assert "text and speech.<|im_end|>\n<|im_start|>user\nBe brief.\n<|vision_bos|>" in text
    else:
        assert text.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n<|vision_start|>")
    typed = adapter._loaded.prompt_builder.text(Request(("What?", "Answer with one word."), Modality.TEXT))
    assert "user\nWhat?\nAnswer with one word.<|im_end|>" in typed


def test_the_system_prompt_is_the_same_in_all_six_conditions(adapter: QwenOmniAdapter) -> None:
    starts = {
        adapter._loaded.prompt_builder.text(request).partition("<|im_start|>user")[0]
        for output in (Modality.TEXT, Modality.SPEECH)
        for request in eight(output)
    }
    assert len(starts) == 1


def test_without_speech_no_talker_is_loaded(make: Make, kind: str, written: list[Recorded]) -> None:
    text_only = make(kind, speech=False)
    assert not hasattr(text_only._loaded.model, "talker")
    assert ask(text_only, eight(Modality.TEXT)[3])[0].text == written[3].text
