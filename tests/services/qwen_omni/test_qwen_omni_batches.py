"""Greedy answers do not depend on who else is in the batch; batches are cut so that little is padding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from omni_asked import Recorded, ask, ask_each, eight

from omnigap.vocabulary import Modality
from omnigap_services.adapter import DecodingOptions
from omnigap_services.qwen_omni.engine import batches

if TYPE_CHECKING:
    from omnigap_services.qwen_omni.adapter import QwenOmniAdapter
    from tests.services.qwen_omni.conftest import Make


def test_texts_at_batch_eight_are_those_at_batch_one(adapter: QwenOmniAdapter, written: list[Recorded]) -> None:
    alone = ask_each(adapter, eight(Modality.TEXT))
    assert [turn.text for turn in written] == [turn.text for turn in alone]
    assert [turn.done for turn in written] == [turn.done for turn in alone]
    assert len({turn.text for turn in alone}) > 5, "the answers should depend on the questions"


def test_codes_and_waves_at_batch_eight_are_those_at_batch_one(
    adapter: QwenOmniAdapter, spoken: list[Recorded]
) -> None:
    alone = ask_each(adapter, eight(Modality.SPEECH))
    assert [turn.text for turn in spoken] == [turn.text for turn in alone]
    # The completion holds the codes' checksum.
    assert [turn.done for turn in spoken] == [turn.done for turn in alone]
    for several, one in zip(spoken, alone, strict=True):
        np.testing.assert_array_equal(several.audio, one.audio)
    assert len({turn.done.diagnostics["codec_crc32"] for turn in alone}) > 5


def test_text_of_a_speech_answer_is_that_of_the_text_answer(written: list[Recorded], spoken: list[Recorded]) -> None:
    assert [turn.text for turn in spoken] == [turn.text for turn in written]


def test_a_row_of_another_length_limit_answers_as_it_does_alone(adapter: QwenOmniAdapter) -> None:
    requests = eight(Modality.SPEECH)[:2] + eight(Modality.SPEECH, decoding=DecodingOptions(max_new_tokens=5))[2:4]
    together = ask(adapter, *requests)
    assert [turn.done for turn in together] == [turn.done for turn in ask_each(adapter, requests)]
    assert [turn.done.output_tokens <= 5 for turn in together[2:]] == [True, True]


def test_many_go_through_the_model_at_once(adapter: QwenOmniAdapter) -> None:
    sizes: list[int] = []
    table = adapter._loaded.model.thinker.get_input_embeddings()
    hook = table.register_forward_pre_hook(lambda _module, inputs: sizes.append(inputs[0].shape[0]))
    try:
        ask(adapter, *eight(Modality.SPEECH)[0:2], *eight(Modality.SPEECH)[3:5])
    finally:
        hook.remove()
    assert max(sizes) == 4


def test_batches_hold_neighbours_in_length() -> None:
    lengths = [30, 500, 31, 480, 33, 32]
    assert batches(lengths, largest=4, most_tokens=10_000) == [(0, 2, 5, 4), (3, 1)]


def test_a_batch_is_cut_where_its_padded_tokens_pass_the_limit() -> None:
    assert batches([10, 10, 100, 100], largest=8, most_tokens=210) == [(0, 1), (2, 3)]
    assert batches([10, 900], largest=8, most_tokens=210) == [(0,), (1,)]
    assert batches([], largest=8, most_tokens=210) == []


def test_a_batch_that_is_cut_answers_the_same(make: Make, kind: str, written: list[Recorded]) -> None:
    cut = make(kind, max_batch_tokens=80)
    assert [turn.done for turn in ask(cut, *eight(Modality.TEXT))] == [turn.done for turn in written]


def test_a_batch_that_runs_out_of_memory_is_halved_and_answers_the_same(
    adapter: QwenOmniAdapter, spoken: list[Recorded]
) -> None:
    def refuse(_module: object, inputs: object, kwargs: dict[str, torch.Tensor]) -> None:
        if kwargs["inputs_embeds"].shape[0] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    model = adapter._loaded.model
    parts = (text_model(model), model.talker.model)
    hooks = [part.register_forward_pre_hook(refuse, with_kwargs=True) for part in parts]
    try:
        halved = ask(adapter, *eight(Modality.SPEECH))
    finally:
        for hook in hooks:
            hook.remove()
    assert [turn.done for turn in halved] == [turn.done for turn in spoken]


def text_model(model: Any) -> Any:
    """The thinker's transformer over embeddings of all carriers."""
    thinker = model.thinker.model
    return getattr(thinker, "language_model", thinker)
