"""Cancelled calls and running out of memory: a row stops between tokens, and the others of the batch continue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import torch

from omnigap.errors import ContractError
from omnigap.vocabulary import Modality, Reason
from omnigap_services.adapter import Completion, DecodingOptions, Request
from omnigap_services.qwen_omni.options import TALKER_LIMIT
from tests.services.qwen_omni.recorded import Recorded, ask, eight, tone

if TYPE_CHECKING:
    from omnigap_services.qwen_omni.adapter import QwenOmniAdapter

# Far more than any of these answers has.
LONG = DecodingOptions(max_new_tokens=400, extra={TALKER_LIMIT: "400"})


@contextmanager
def counted(module: Any) -> Iterator[list[int]]:
    """Rows of each pass through a module."""
    passes: list[int] = []
    hook = module.register_forward_pre_hook(
        lambda _module, _inputs, kwargs: passes.append(_rows(kwargs)), with_kwargs=True
    )
    try:
        yield passes
    finally:
        hook.remove()


@contextmanager
def failing(module: Any, when: Any) -> Iterator[None]:
    """Raises out-of-memory in each pass for which `when(rows, number of the pass)` is true."""
    numbers: list[None] = []

    def refuse(_module: Any, _inputs: Any, kwargs: dict[str, torch.Tensor]) -> None:
        numbers.append(None)
        if when(_rows(kwargs), len(numbers)):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    hook = module.register_forward_pre_hook(refuse, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()


def _rows(kwargs: dict[str, torch.Tensor]) -> int:
    return int(kwargs["inputs_embeds"].shape[0])


def thinker_text(adapter: QwenOmniAdapter) -> Any:
    thinker = adapter._loaded.model.thinker.model
    return getattr(thinker, "language_model", thinker)


def endless(adapter: QwenOmniAdapter) -> Any:
    """Without end marks only a limit or the caller ends a text."""

    @contextmanager
    def without_ends() -> Iterator[None]:
        engine = adapter._loaded.engine
        before, engine.text_ends = engine.text_ends, frozenset({adapter._loaded.tokenizer.pad_token_id})
        try:
            yield
        finally:
            engine.text_ends = before

    return without_ends()


def test_a_cancelled_text_stops_at_the_next_token(adapter: QwenOmniAdapter) -> None:
    turn = Recorded(Request(("Hi",), Modality.TEXT, decoding=LONG), cancel_after=3)
    with counted(thinker_text(adapter)) as passes, endless(adapter):
        adapter.generate([turn])
    assert len(turn.pieces) == 3
    assert turn.completion is None
    assert len(passes) < 20


def test_a_call_cancelled_before_its_batch_runs_no_pass(adapter: QwenOmniAdapter) -> None:
    turn = Recorded(Request(("Hi",), Modality.SPEECH, decoding=LONG), cancel_after=0)
    with counted(thinker_text(adapter)) as passes:
        adapter.generate([turn])
    assert passes == []


def test_a_speech_answer_cancelled_during_its_text_never_reaches_the_talker(
    adapter: QwenOmniAdapter,
) -> None:
    turn = Recorded(Request(("Hi",), Modality.SPEECH, decoding=LONG), cancel_after=2)
    with counted(adapter._loaded.model.talker.model) as passes, endless(adapter):
        adapter.generate([turn])
    assert passes == []
    assert turn.clips == []


def test_a_cancelled_talker_stops_at_the_next_token(adapter: QwenOmniAdapter) -> None:
    request = Request(("Hi",), Modality.SPEECH, decoding=DecodingOptions(max_new_tokens=4, extra={TALKER_LIMIT: "400"}))
    turn = Recorded(request)

    def cancel(_module: Any, _inputs: Any, _kwargs: Any) -> None:
        if len(passes) == 3:
            turn.cancel_after = 0

    talker = adapter._loaded.model.talker.model
    with counted(talker) as passes:
        hook = talker.register_forward_pre_hook(cancel, with_kwargs=True)
        adapter.generate([turn])
        hook.remove()
    assert len(passes) == 3
    assert turn.clips == []
    assert turn.completion is None


def test_a_cancelled_row_does_not_affect_the_others(adapter: QwenOmniAdapter, spoken: list[Recorded]) -> None:
    requests, whole = ([every[number] for number in (0, 3, 6)] for every in (eight(Modality.SPEECH), spoken))
    turns = [Recorded(request) for request in requests]
    turns[1].cancel_after = 2
    adapter.generate(turns)
    assert turns[1].completion is None
    assert [turns[0].done, turns[2].done] == [whole[0].done, whole[2].done]


def test_a_request_that_does_not_fit_is_out_of_memory_and_the_others_are_answered(
    adapter: QwenOmniAdapter,
) -> None:
    requests = [eight(Modality.TEXT)[number] for number in (0, 3, 6)]
    whole = ask(adapter, *requests)
    longest = max(turn.done.input_tokens for turn in whole)
    turns = [Recorded(request) for request in requests]

    def too_long(_module: Any, _inputs: Any, kwargs: dict[str, torch.Tensor]) -> None:
        if kwargs["inputs_embeds"].shape[1] >= longest:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    hook = thinker_text(adapter).register_forward_pre_hook(too_long, with_kwargs=True)
    try:
        adapter.generate(turns)
    finally:
        hook.remove()
    assert [turns[0].done, turns[1].done] == [whole[0].done, whole[1].done]
    assert isinstance(turns[2].error, ContractError)
    assert turns[2].error.reason is Reason.OUT_OF_MEMORY


@pytest.mark.parametrize("output", [Modality.TEXT, Modality.SPEECH])
def test_running_out_of_memory_during_a_text_sends_nothing_twice(adapter: QwenOmniAdapter, output: Modality) -> None:
    requests = [eight(output)[number] for number in (0, 3, 6)]
    whole = ask(adapter, *requests)
    turns = [Recorded(request) for request in requests]
    with failing(thinker_text(adapter), lambda rows, number: rows == 3 and number == 5):
        adapter.generate(turns)
    assert [turn.text for turn in turns] == [turn.text for turn in whole]
    assert [turn.done for turn in turns] == [turn.done for turn in whole]


def test_running_out_of_memory_in_the_talker_does_not_repeat_the_text(
    adapter: QwenOmniAdapter, spoken: list[Recorded]
) -> None:
    requests, whole = ([every[number] for number in (0, 3, 6)] for every in (eight(Modality.SPEECH), spoken))
    turns = [Recorded(request) for request in requests]
    with (
        counted(thinker_text(adapter)) as passes,
        failing(adapter._loaded.model.talker.model, lambda rows, number: rows == 3 and number == 4),
    ):
        adapter.generate(turns)
    assert [turn.done for turn in turns] == [turn.done for turn in whole]
    assert passes == [3] * len(passes), "the thinker's batch ran once"


def test_a_retry_that_contradicts_sent_text_fails_instead_of_mixing_two_answers(
    adapter: QwenOmniAdapter,
) -> None:
    turns = [Recorded(eight(Modality.TEXT)[number]) for number in (0, 3)]
    head = adapter._loaded.model.thinker.lm_head
    tries: list[None] = []
    second = head.register_forward_hook(lambda _module, _inputs, logits: logits.roll(1, -1) if tries else None)

    def once(rows: int, number: int) -> bool:
        if rows == 2 and number == 4:
            tries.append(None)
            return True
        return False

    try:
        with failing(thinker_text(adapter), once):
            adapter.generate(turns)
    finally:
        second.remove()
    for turn in turns:
        assert isinstance(turn.error, ContractError)
        assert turn.error.reason is Reason.OUT_OF_MEMORY
        assert "max_batch_size" in turn.error.message


def test_an_error_of_the_model_fails_its_batch_only(adapter: QwenOmniAdapter) -> None:
    # Prompts with an image are in a separate batch.
    turns = [Recorded(request) for request in (Request((tone(0.5),), Modality.TEXT), eight(Modality.TEXT)[2])]

    def broken(_module: Any, _inputs: Any, _kwargs: Any) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    hook = adapter._loaded.model.thinker.model.visual.register_forward_pre_hook(broken, with_kwargs=True)
    try:
        adapter.generate(turns)
    finally:
        hook.remove()
    assert isinstance(turns[0].done, Completion)
    assert isinstance(turns[1].error, RuntimeError)
