"""Batches of `hf-chat`: padding changes nothing, memory that runs out halves them, what was sent is not sent twice."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_chat
import tiny_gemma
import tiny_phi
import torch
from hosting import Build, Built, Host
from PIL import Image
from served import Served

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_services.adapter import Completion, DecodingOptions, InputPart, Request
from omnigap_services.hf.chat.adapter import ChatAdapter
from omnigap_services.hf.chat.streaming import RowDecoder, ThinkingSplitter, TurnWriter
from omnigap_services.options import OptionsError

GREEDY = DecodingOptions(max_new_tokens=16)


class Kept:
    """A turn that keeps what it gets."""

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


def texts(adapter: ChatAdapter, turns: list[Kept]) -> list[str]:
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
def test_text_answers_are_the_same_alone_and_in_a_batch_of_eight(builder: Build, built: Built) -> None:
    adapter = loaded(built(builder))
    questions = ["a", "What is it?", "b" * 60, "Say yes.", "12 + 7", "c" * 30, "Who?", "The end"]
    together = texts(adapter, [Kept(question) for question in questions])
    assert together == [texts(adapter, [Kept(question)])[0] for question in questions]
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
def test_answers_to_media_are_the_same_alone_and_in_a_batch_of_eight(builder: Build, kind: str, built: Built) -> None:
    """Phi-4-multimodal hears the padding behind a clip, so its clips go one by one."""
    adapter = loaded(built(builder))
    questions = [(part, "word " * number + "?") for number, part in enumerate(media(kind))]
    together = texts(adapter, [Kept(*question) for question in questions])
    assert together == [texts(adapter, [Kept(*question)])[0] for question in questions]
    assert len(set(together)) > 2


def test_a_batch_of_all_kinds_and_decodings_gets_each_its_own(built: Built) -> None:
    adapter = loaded(built(tiny_chat.llava))
    picture = media("image")[0]
    warm = DecodingOptions(max_new_tokens=16, temperature=2.0, seed=5)
    short = DecodingOptions(max_new_tokens=3)

    def turns() -> list[Kept]:
        return [
            Kept("Who?"),
            Kept(picture, "Who?"),
            Kept("Who?", decoding=warm),
            Kept("Who?", decoding=short),
            Kept(picture, "Who?", decoding=warm),
        ]

    together = texts(adapter, turns())
    assert together == [texts(adapter, [turn])[0] for turn in turns()]


def test_a_models_own_adapters_are_switched_on_by_what_a_question_brings(built: Built) -> None:
    adapter = loaded(built(tiny_phi.phi4))
    chat = adapter._generation._chat
    assert chat.adapters.folders == {"speech": "speech-lora", "image": "vision-lora"}
    layer = chat.model.model.layers[0].self_attn.qkv_proj
    clip, picture = media("audio")[0], media("image")[0]
    found = []
    for parts in ((clip,), (picture,), ("Who?",), (clip, "Who?")):
        texts(adapter, [Kept(*parts)])
        found.append(None if layer.disable_adapters else layer.active_adapters)
    assert found == [["omnigap_lora_speech"], ["omnigap_lora_image"], None, ["omnigap_lora_speech"]]


def test_a_checkpoint_without_its_adapters_is_refused(built: Built, tmp_path: Path) -> None:
    folder = tmp_path / "half"
    shutil.copytree(built(tiny_phi.phi4), folder, ignore=shutil.ignore_patterns("vision-lora"))
    with pytest.raises(OptionsError, match=r"image in .*vision-lora.*fetch the whole checkpoint"):
        loaded(folder)


def test_a_question_that_cannot_be_put_ends_alone(built: Built) -> None:
    adapter = loaded(built(tiny_chat.llama))
    turns = [Kept("Who?"), Kept("a" * 3_000), Kept("When?")]
    adapter.generate(turns)
    assert isinstance(turns[1].error, ContractError)
    assert turns[1].error.reason is Reason.TOO_LARGE
    assert [turn.completion is not None for turn in turns] == [True, False, True]


def short_of_memory(adapter: ChatAdapter, monkeypatch: pytest.MonkeyPatch, room: int, steps: int = 0) -> list[int]:
    """Lets memory run out where a batch has more than `room` rows, after so many tokens; gives the sizes that ran."""
    model = adapter._generation._chat.model
    forward, sizes, count = model.forward, [], [0]

    def limited(*args: Any, **inputs: Any) -> Any:
        rows = inputs["input_ids"].shape[0]
        count[0] = 0 if inputs["input_ids"].shape[1] > 1 else count[0] + 1
        if inputs["input_ids"].shape[1] > 1:
            sizes.append(rows)
        if rows > room and count[0] >= steps:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(*args, **inputs)

    monkeypatch.setattr(model, "forward", limited)
    return sizes


@pytest.mark.parametrize("steps", [0, 5], ids=["at once", "amid the answer"])
def test_a_batch_that_does_not_fit_is_halved_and_nothing_is_said_twice(
    built: Built, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    adapter = loaded(built(tiny_chat.llama))
    questions = ["Who?", "What?", "When?", "Where?", "Why?"]
    alone = [texts(adapter, [Kept(question)])[0] for question in questions]
    sizes = short_of_memory(adapter, monkeypatch, room=2, steps=steps)
    assert texts(adapter, [Kept(question) for question in questions]) == alone
    assert sizes == [5, 2, 3, 1, 2]


def test_one_question_that_does_not_fit_alone_is_out_of_memory(built: Built, hosted: Host, monkeypatch: Any) -> None:
    adapter = ChatAdapter({"model": str(built(tiny_chat.llama)), "max_new_tokens": 4})
    served = hosted(adapter)
    short_of_memory(adapter, monkeypatch, room=0)
    with pytest.raises(ContractError, match="max_batch_size") as caught:
        served.ask("Who?")
    assert caught.value.reason is Reason.OUT_OF_MEMORY


def test_a_second_attempt_that_says_something_else_ends_out_of_memory(built: Built) -> None:
    adapter = loaded(built(tiny_chat.llama))
    tokenizer = adapter._generation._chat.tokenizer
    turn = Kept("Who?")
    outbox = TurnWriter(turn)
    first, second = (tokenizer(text)["input_ids"] for text in ("Paris", "Rome!"))
    RowDecoder(outbox, tokenizer, ThinkingSplitter("", ""), frozenset()).take(first)
    RowDecoder(outbox, tokenizer, ThinkingSplitter("", ""), frozenset()).take(second)
    assert turn.text == "Paris"
    assert isinstance(turn.error, ContractError)
    assert turn.error.reason is Reason.OUT_OF_MEMORY


def test_a_row_whose_caller_left_stops_and_the_others_go_on(built: Built) -> None:
    adapter = loaded(built(tiny_chat.llama))

    class Leaves(Kept):
        def write(self, text: str) -> None:
            super().write(text)
            self.cancelled = self.cancelled or bool(text)

    stays, leaves = Kept("Who?"), Leaves("When?")
    adapter.generate([stays, leaves])
    assert stays.completion is not None
    assert stays.text == texts(adapter, [Kept("Who?")])[0]
    assert leaves.completion is None
    assert len(leaves.text) == 1


def test_callers_of_different_sizes_are_served_at_once(built: Built, hosted: Host) -> None:
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
def test_a_longer_neighbour_at_the_contexts_end_takes_nothing_from_a_short_questions_answer(
    built: Built, beams: int
) -> None:
    adapter = loaded(built(tiny_chat.llama), max_new_tokens=24)
    decoding = DecodingOptions(beam_size=beams)
    questions = ["Who?", "a" * 2_020]

    def answers(asked: list[str]) -> list[tuple[str, int]]:
        turns = [Kept(question, decoding=decoding) for question in asked]
        found = texts(adapter, turns)
        return [
            (text, turn.completion.output_tokens) for text, turn in zip(found, turns, strict=True) if turn.completion
        ]

    alone = [answers([question])[0] for question in questions]
    assert [count for _, count in alone] == [24, 10]
    assert answers(questions) == alone


def test_clips_longer_than_the_processors_window_are_not_promised(built: Built) -> None:
    with pytest.raises(OptionsError, match=r"'max_audio_seconds' is 31.*cuts off the end"):
        loaded(built(tiny_chat.qwen2_audio), max_audio_seconds=31)


def test_a_fault_amid_some_questions_leaves_those_decoded_otherwise_alone(
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
    turns = [Kept("Who?", decoding=DecodingOptions(max_new_tokens=4, beam_size=beams)) for beams in (3, 1, 2)]
    adapter.generate(turns)
    assert [str(turn.error or "") for turn in turns] == ["no such beams", "", "no such beams"]
    assert turns[1].completion is not None
