"""Batches of `hf-chat`: padding changes nothing, running out of memory halves them, and nothing is sent twice."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_services.adapter import Completion, DecodingOptions, InputPart, Request
from omnigap_services.hf.chat import tiny as tiny_chat
from omnigap_services.hf.chat.adapter import ChatAdapter
from omnigap_services.hf.chat.streaming import RowDecoder, ThinkingSplitter, TurnWriter
from omnigap_services.options import OptionsError
from tests.helpers.serve_process import Served
from tests.services.hf import tiny_gemma, tiny_phi
from tests.services.hf.hosting import Build, Built, Host

GREEDY = DecodingOptions(max_new_tokens=16)


class RecordedTurn:
    """A turn that records what it gets."""

    def __init__(self, *parts: InputPart, decoding: DecodingOptions = GREEDY) -> None:
        self.request = Request(parts=parts, output=Modality.TEXT, decoding=decoding)
        self.cancelled = False
        self.text, self.thinking = "", ""
        self.completion: Completion | None = None
        self.error: Exception | None = None

    def write(self, text: str) -> None:
        self.text += text

    def reason(self, text: str) -> None:
        self.thinking += text

    def speak(self, samples: Any, sample_rate: int) -> None:
        raise AssertionError("a chat model spoke")

    def complete(self, completion: Completion) -> None:
        self.completion = completion

    def fail(self, error: Exception) -> None:
        self.error = error


def loaded(folder: object, **options: object) -> ChatAdapter:
    adapter = ChatAdapter({"model": str(folder), **options})
    adapter.load()
    return adapter


def texts(adapter: ChatAdapter, turns: list[RecordedTurn]) -> list[str]:
    adapter.generate(turns)
    assert [turn.error for turn in turns] == [None] * len(turns)
    return [turn.text for turn in turns]


def media(kind: str) -> list[InputPart]:
    draw = np.random.default_rng(0)
    if kind == "image":
        return [Image.fromarray(draw.integers(0, 255, (20 + n, 30, 3), dtype=np.uint8)) for n in range(8)]
    lengths = (np.arange(8) + 1) * 4_000
    return [AudioClip(draw.standard_normal(length).astype(np.float32) * 0.3, 16_000) for length in lengths]


@pytest.mark.parametrize("builder", [tiny_chat.llama, tiny_chat.qwen3])
def test_text_answers_do_not_depend_on_the_batch(builder: Build, built: Built) -> None:
    adapter = loaded(built(builder))
    questions = ["a", "What is it?", "b" * 60, "Say yes.", "12 + 7", "c" * 30, "Who?", "The end"]
    together = texts(adapter, [RecordedTurn(question) for question in questions])
    assert together == [texts(adapter, [RecordedTurn(question)])[0] for question in questions]
    assert len(set(together)) > 4


@pytest.mark.parametrize(
    ("builder", "kind"),
    [
        (tiny_chat.llava, "image"),
        (tiny_chat.qwen2_audio, "audio"),
        (tiny_gemma.gemma4, "image"),
        (tiny_gemma.gemma4, "audio"),
        (tiny_phi.phi4, "audio"),
    ],
)
def test_answers_to_media_do_not_depend_on_the_batch(builder: Build, kind: str, built: Built) -> None:
    """Phi-4-multimodal does not mask the padding behind a clip, so its clips are not batched."""
    adapter = loaded(built(builder))
    questions = [(part, "word " * number + "?") for number, part in enumerate(media(kind))]
    together = texts(adapter, [RecordedTurn(*question) for question in questions])
    assert together == [texts(adapter, [RecordedTurn(*question)])[0] for question in questions]
    assert len(set(together)) > 2


def test_a_mixed_batch_is_answered_like_single_requests(built: Built) -> None:
    adapter = loaded(built(tiny_chat.llava))
    picture = media("image")[0]
    warm = DecodingOptions(max_new_tokens=16, temperature=2.0, seed=5)
    short = DecodingOptions(max_new_tokens=3)

    def turns() -> list[RecordedTurn]:
        return [
            RecordedTurn("Who?"),
            RecordedTurn(picture, "Who?"),
            RecordedTurn("Who?", decoding=warm),
            RecordedTurn("Who?", decoding=short),
            RecordedTurn(picture, "Who?", decoding=warm),
        ]

    together = texts(adapter, turns())
    assert together == [texts(adapter, [turn])[0] for turn in turns()]


def test_lora_adapters_are_switched_by_the_questions_media(built: Built) -> None:
    adapter = loaded(built(tiny_phi.phi4))
    chat = adapter._generation._chat
    assert chat.lora.folders == {"speech": "speech-lora", "image": "vision-lora"}
    layer = chat.model.model.layers[0].self_attn.qkv_proj
    clip, picture = media("audio")[0], media("image")[0]
    found = []
    for parts in ((clip,), (picture,), ("Who?",), (clip, "Who?")):
        texts(adapter, [RecordedTurn(*parts)])
        found.append(None if layer.disable_adapters else layer.active_adapters)
    assert found == [["omnigap_lora_speech"], ["omnigap_lora_image"], None, ["omnigap_lora_speech"]]


def test_a_checkpoint_without_its_adapters_is_refused(built: Built, tmp_path: Path) -> None:
    folder = tmp_path / "half"
    shutil.copytree(built(tiny_phi.phi4), folder, ignore=shutil.ignore_patterns("vision-lora"))
    with pytest.raises(OptionsError, match=r"image in .*vision-lora.*download the whole checkpoint"):
        loaded(folder)


def test_a_question_that_is_too_long_does_not_fail_others(built: Built) -> None:
    adapter = loaded(built(tiny_chat.llama))
    turns = [RecordedTurn("Who?"), RecordedTurn("a" * 3_000), RecordedTurn("When?")]
    adapter.generate(turns)
    assert isinstance(turns[1].error, ContractError)
    assert turns[1].error.reason is Reason.TOO_LARGE
    assert [turn.completion is not None for turn in turns] == [True, False, True]


def limit_memory(adapter: ChatAdapter, monkeypatch: pytest.MonkeyPatch, max_rows: int, steps: int = 0) -> list[int]:
    """Raises out-of-memory for batches of more than `max_rows` rows after `steps` tokens; returns the batch sizes."""
    model = adapter._generation._chat.model
    forward, sizes, count = model.forward, [], [0]

    def limited(*args: Any, **inputs: Any) -> Any:
        rows = inputs["input_ids"].shape[0]
        count[0] = 0 if inputs["input_ids"].shape[1] > 1 else count[0] + 1
        if inputs["input_ids"].shape[1] > 1:
            sizes.append(rows)
        if rows > max_rows and count[0] >= steps:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(*args, **inputs)

    monkeypatch.setattr(model, "forward", limited)
    return sizes


@pytest.mark.parametrize("steps", [0, 5], ids=["in the prompt pass", "during the answer"])
def test_a_batch_that_does_not_fit_is_halved_and_nothing_is_sent_twice(
    built: Built, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    adapter = loaded(built(tiny_chat.llama))
    questions = ["Who?", "What?", "When?", "Where?", "Why?"]
    single = [texts(adapter, [RecordedTurn(question)])[0] for question in questions]
    sizes = limit_memory(adapter, monkeypatch, max_rows=2, steps=steps)
    assert texts(adapter, [RecordedTurn(question) for question in questions]) == single
    assert sizes == [5, 2, 3, 1, 2]


def test_a_single_question_that_does_not_fit_is_out_of_memory(built: Built, hosted: Host, monkeypatch: Any) -> None:
    adapter = ChatAdapter({"model": str(built(tiny_chat.llama)), "max_new_tokens": 4})
    served = hosted(adapter)
    limit_memory(adapter, monkeypatch, max_rows=0)
    with pytest.raises(ContractError, match="max_batch_size") as caught:
        served.ask("Who?")
    assert caught.value.reason is Reason.OUT_OF_MEMORY


def test_a_retry_that_contradicts_sent_text_ends_out_of_memory(built: Built) -> None:
    adapter = loaded(built(tiny_chat.llama))
    tokenizer = adapter._generation._chat.tokenizer
    turn = RecordedTurn("Who?")
    writer = TurnWriter(turn)
    first, second = (tokenizer(text)["input_ids"] for text in ("Paris", "Rome!"))
    RowDecoder(writer, tokenizer, ThinkingSplitter("", ""), frozenset()).update(first)
    RowDecoder(writer, tokenizer, ThinkingSplitter("", ""), frozenset()).update(second)
    assert turn.text == "Paris"
    assert isinstance(turn.error, ContractError)
    assert turn.error.reason is Reason.OUT_OF_MEMORY


def test_a_cancelled_row_stops_and_the_others_continue(built: Built) -> None:
    adapter = loaded(built(tiny_chat.llama))

    class CancelledTurn(RecordedTurn):
        def write(self, text: str) -> None:
            super().write(text)
            self.cancelled = self.cancelled or bool(text)

    stays, leaves = RecordedTurn("Who?"), CancelledTurn("When?")
    adapter.generate([stays, leaves])
    assert stays.completion is not None
    assert stays.text == texts(adapter, [RecordedTurn("Who?")])[0]
    assert leaves.completion is None
    assert len(leaves.text) == 1


@pytest.mark.parametrize("beams", [1, 2])
def test_a_short_answer_does_not_wait_for_the_longest_of_its_batch(built: Built, beams: int) -> None:
    """With beams no answer is final before the search ends."""
    adapter = loaded(built(tiny_chat.llama), max_new_tokens=24)
    # The context holds 2,048 tokens: ten are left for the second question's answer.
    long, short = "Who?", "a" * 2_020
    left_open: list[bool] = []

    class ShortTurn(RecordedTurn):
        def complete(self, completion: Completion) -> None:
            super().complete(completion)
            left_open.append(first.completion is None)

    decoding = DecodingOptions(beam_size=beams)
    first, second = RecordedTurn(long, decoding=decoding), ShortTurn(short, decoding=decoding)
    adapter.generate([first, second])
    assert left_open == [beams == 1]
    alone = [RecordedTurn(long, decoding=decoding), RecordedTurn(short, decoding=decoding)]
    assert [first.text, second.text] == [texts(adapter, [turn])[0] for turn in alone]
    assert [first.completion, second.completion] == [turn.completion for turn in alone]


def test_rows_that_were_complete_when_memory_ran_out_are_not_answered_again(
    built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = loaded(built(tiny_chat.llama), max_new_tokens=24)
    questions = ["Who?", "a" * 2_020, "b" * 2_021]
    single = [texts(adapter, [RecordedTurn(question)])[0] for question in questions]
    sizes = limit_memory(adapter, monkeypatch, max_rows=2, steps=15)
    ended: list[str] = []

    class CountedTurn(RecordedTurn):
        def complete(self, completion: Completion) -> None:
            super().complete(completion)
            ended.append(self.text)

    assert texts(adapter, [CountedTurn(question) for question in questions]) == single
    assert sorted(ended) == sorted(single)
    assert sizes == [3, 1]


def test_clips_of_different_lengths_are_answered_together(built: Built, hosted: Host) -> None:
    served: Served = hosted(ChatAdapter({"model": str(built(tiny_chat.qwen2_audio)), "max_batch_size": 4}))
    clips = media("audio")
    found: dict[int, str] = {}

    def ask(number: int) -> None:
        found[number] = served.ask(clips[number], decoding=pb.Decoding(max_new_tokens=6)).text  # type: ignore[arg-type]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert found == {n: served.ask(clips[n], decoding=pb.Decoding(max_new_tokens=6)).text for n in range(6)}  # type: ignore[arg-type]


@pytest.mark.parametrize("beams", [1, 2])
def test_a_longer_question_in_the_batch_does_not_shorten_an_answer(built: Built, beams: int) -> None:
    adapter = loaded(built(tiny_chat.llama), max_new_tokens=24)
    decoding = DecodingOptions(beam_size=beams)
    questions = ["Who?", "a" * 2_020]

    def answers(batch: list[str]) -> list[tuple[str, int]]:
        turns = [RecordedTurn(question, decoding=decoding) for question in batch]
        found = texts(adapter, turns)
        return [
            (text, turn.completion.output_tokens) for text, turn in zip(found, turns, strict=True) if turn.completion
        ]

    single = [answers([question])[0] for question in questions]
    assert [count for _, count in single] == [24, 10]
    assert answers(questions) == single


def test_max_audio_seconds_beyond_the_processors_window_is_refused(built: Built) -> None:
    with pytest.raises(OptionsError, match=r"'max_audio_seconds' is 31.*cuts off the end"):
        loaded(built(tiny_chat.qwen2_audio), max_audio_seconds=31)


def test_an_error_fails_only_the_questions_with_the_same_decoding(
    built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = loaded(built(tiny_chat.llama))
    model = adapter._generation._chat.model
    generate = model.generate

    def faulty(**arguments: Any) -> Any:
        if arguments["num_beams"] > 1:
            raise ValueError("no such beams")
        return generate(**arguments)

    monkeypatch.setattr(model, "generate", faulty)
    turns = [RecordedTurn("Who?", decoding=DecodingOptions(max_new_tokens=4, beam_size=beams)) for beams in (3, 1, 2)]
    adapter.generate(turns)
    assert [str(turn.error or "") for turn in turns] == ["no such beams", "", "no such beams"]
    assert turns[1].completion is not None
