"""Greedy answers do not depend on the batch; batches are split so that little is padding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from omnigap.vocabulary import Modality
from omnigap_services.adapter import DecodingOptions
from omnigap_services.qwen_omni.engine import batches
from tests.services.qwen_omni.recorded import Recorded, ask, ask_each, eight

if TYPE_CHECKING:
    from omnigap_services.qwen_omni.adapter import QwenOmniAdapter
    from tests.services.qwen_omni.conftest import Make


def test_texts_do_not_depend_on_the_batch(adapter: QwenOmniAdapter, written: list[Recorded]) -> None:
    single = ask_each(adapter, eight(Modality.TEXT))
    assert [turn.text for turn in written] == [turn.text for turn in single]
    assert [turn.done for turn in written] == [turn.done for turn in single]
    assert len({turn.text for turn in single}) > 5, "the answers should depend on the questions"


def test_codes_and_waves_do_not_depend_on_the_batch(adapter: QwenOmniAdapter, spoken: list[Recorded]) -> None:
    single = ask_each(adapter, eight(Modality.SPEECH))
    assert [turn.text for turn in spoken] == [turn.text for turn in single]
    # The completion holds the codes' checksum.
    assert [turn.done for turn in spoken] == [turn.done for turn in single]
    for several, one in zip(spoken, single, strict=True):
        np.testing.assert_array_equal(several.audio, one.audio)
    assert len({turn.done.diagnostics["codec_crc32"] for turn in single}) > 5


def test_a_speech_answer_has_the_text_of_the_text_answer(written: list[Recorded], spoken: list[Recorded]) -> None:
    assert [turn.text for turn in spoken] == [turn.text for turn in written]


def test_different_length_limits_do_not_affect_each_other(adapter: QwenOmniAdapter) -> None:
    requests = eight(Modality.SPEECH)[:2] + eight(Modality.SPEECH, decoding=DecodingOptions(max_new_tokens=5))[2:4]
    together = ask(adapter, *requests)
    assert [turn.done for turn in together] == [turn.done for turn in ask_each(adapter, requests)]
    assert [turn.done.output_tokens <= 5 for turn in together[2:]] == [True, True]


def test_requests_share_a_pass_of_the_model(adapter: QwenOmniAdapter) -> None:
    sizes: list[int] = []
    table = adapter._loaded.model.thinker.get_input_embeddings()
    hook = table.register_forward_pre_hook(lambda _module, inputs: sizes.append(inputs[0].shape[0]))
    try:
        ask(adapter, *eight(Modality.SPEECH)[0:2], *eight(Modality.SPEECH)[3:5])
    finally:
        hook.remove()
    assert max(sizes) == 4


def test_batches_have_prompts_of_similar_length() -> None:
    lengths = [30, 500, 31, 480, 33, 32]
    assert batches(lengths, max_batch_size=4, max_batch_tokens=10_000) == [(0, 2, 5, 4), (3, 1)]


def test_a_batch_is_split_when_its_padded_tokens_exceed_the_limit() -> None:
    assert batches([10, 10, 100, 100], max_batch_size=8, max_batch_tokens=210) == [(0, 1), (2, 3)]
    assert batches([10, 900], max_batch_size=8, max_batch_tokens=210) == [(0,), (1,)]
    assert batches([], max_batch_size=8, max_batch_tokens=210) == []


def test_a_split_batch_gives_the_same_answers(make: Make, kind: str, written: list[Recorded]) -> None:
    cut = make(kind, max_batch_tokens=80)
    assert [turn.done for turn in ask(cut, *eight(Modality.TEXT))] == [turn.done for turn in written]


def test_a_batch_that_runs_out_of_memory_is_halved_and_gives_the_same_answers(
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
    """The thinker's transformer, which takes embeddings."""
    thinker = model.thinker.model
    return getattr(thinker, "language_model", thinker)
