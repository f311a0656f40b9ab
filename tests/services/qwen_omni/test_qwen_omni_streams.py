"""The order of streamed pieces: text by token, audio in the decoder's pieces, each answer when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from omnigap.vocabulary import Modality
from omnigap_services.adapter import DecodingOptions, Request
from omnigap_services.qwen_omni.answer import DivergedError, OwnText
from omnigap_services.qwen_omni.options import TALKER_LIMIT
from tests.services.qwen_omni.recorded import Recorded, ask, eight

if TYPE_CHECKING:
    from omnigap_services.qwen_omni.adapter import QwenOmniAdapter
    from tests.services.qwen_omni.conftest import Make

LONG_SPEECH = DecodingOptions(max_new_tokens=6, extra={TALKER_LIMIT: "70"})


def test_text_is_sent_token_by_token(adapter: QwenOmniAdapter) -> None:
    turn = Recorded(Request(("Hi",), Modality.TEXT))
    passes: list[int] = []
    steps: list[int] = []
    turn.watch = lambda event: steps.append(len(passes))
    hook = adapter._loaded.model.thinker.lm_head.register_forward_hook(lambda *_: passes.append(1))
    try:
        adapter.generate([turn])
    finally:
        hook.remove()
    assert len(turn.pieces) > 4
    assert steps[:-1] == sorted(set(steps[:-1])), "one piece a step"
    assert steps[0] <= 2


def test_the_text_of_a_speech_answer_is_sent_before_its_audio(adapter: QwenOmniAdapter) -> None:
    turn = ask(adapter, eight(Modality.SPEECH)[1])[0]
    assert turn.events[0] == "write"
    assert turn.events[-2:] == ["speak", "complete"]
    assert turn.events.index("speak") > turn.events.count("write") - 1


def test_a_short_answer_does_not_wait_for_a_long_one(adapter: QwenOmniAdapter) -> None:
    order: list[int] = []
    turns = [Recorded(request) for request in (eight(Modality.SPEECH)[number] for number in (0, 1, 3, 4, 6, 7))]
    for number, turn in enumerate(turns):
        turn.watch = lambda event, number=number: order.append(number) if event == "complete" else None
    adapter.generate(turns)
    frames = [turn.done.audio_tokens for turn in turns]
    assert [frames[number] for number in order] == sorted(frames)
    assert len(set(frames)) > 1


@pytest.mark.parametrize("kind", ["qwen3"], indirect=True)
def test_pieces_of_qwen3_equal_the_librarys_chunked_decoding(make: Make, kind: str) -> None:
    chunked = make(kind, wave_chunk_frames=26)
    engine = chunked._loaded.engine
    talker = engine.talker
    assert talker is not None
    # Otherwise it would end before the first piece.
    ends, talker._end = talker._end, 10**6  # type: ignore[attr-defined]
    spoken_at: list[int] = []
    passes: list[int] = []
    turn = Recorded(Request(("Hi",), Modality.SPEECH, decoding=LONG_SPEECH))
    turn.watch = lambda event: spoken_at.append(len(passes)) if event == "speak" else None
    kept: list[torch.Tensor] = []
    decoder = chunked._loaded.model.code2wav
    hooks = [
        chunked._loaded.model.talker.model.register_forward_pre_hook(lambda *_: passes.append(1)),
        decoder.register_forward_pre_hook(lambda _module, inputs: kept.append(inputs[0])),
    ]
    try:
        chunked.generate([turn])
    finally:
        talker._end = ends  # type: ignore[attr-defined]
        for hook in hooks:
            hook.remove()
    frames = int(turn.done.diagnostics["codec_frames"])
    assert frames > 52
    assert len(turn.clips) == 3
    # Sent while the talker was generating: a frame is complete one step after its first code.
    assert spoken_at[0] == 27
    assert spoken_at[1] == 53
    codes = torch.cat([kept[0], kept[1][..., 25:], kept[2][..., 25:]], dim=-1)
    assert codes.shape[-1] == frames
    with torch.no_grad():
        library = decoder.chunked_decode(codes, chunk_size=26, left_context_size=25)
    np.testing.assert_allclose(turn.audio, library[0, 0].numpy(), atol=1e-6)


@pytest.mark.parametrize("kind", ["qwen2.5"], indirect=True)
def test_qwen25_sends_a_clip_as_a_whole(spoken: list[Recorded]) -> None:
    assert [len(turn.clips) for turn in spoken] == [1] * 8


def test_characters_of_several_tokens_are_sent_whole(adapter: QwenOmniAdapter) -> None:
    tokenizer = adapter._loaded.tokenizer
    text = "Größe 한국어 🙂 ok"
    ids = tokenizer(text)["input_ids"]
    assert len(ids) > len(text)
    pieces: list[str] = []
    own = OwnText(tokenizer, pieces.append)
    for token in [*ids[:5], tokenizer.convert_tokens_to_ids("<|im_start|>"), *ids[5:]]:
        own.add(token)
    own.finish()
    assert "".join(pieces) == own.text == text
    assert not any("\ufffd" in piece for piece in pieces)
    assert len(pieces) == len(text)


def test_an_incomplete_character_is_sent_at_the_end(adapter: QwenOmniAdapter) -> None:
    tokenizer = adapter._loaded.tokenizer
    pieces: list[str] = []
    own = OwnText(tokenizer, pieces.append)
    for token in tokenizer("a한")["input_ids"][:-1]:
        own.add(token)
    assert pieces == ["a"]
    own.finish()
    assert "".join(pieces) == "a\ufffd"


def test_a_restarted_text_sends_only_what_is_new(adapter: QwenOmniAdapter) -> None:
    tokenizer = adapter._loaded.tokenizer
    pieces: list[str] = []
    own = OwnText(tokenizer, pieces.append)
    for token in tokenizer("abc")["input_ids"]:
        own.add(token)
    own.restart()
    for token in tokenizer("abcde")["input_ids"]:
        own.add(token)
    assert "".join(pieces) == "abcde"
    own.restart()
    with pytest.raises(DivergedError):
        for token in tokenizer("abX")["input_ids"]:
            own.add(token)
    own.restart()
    for token in tokenizer("abc")["input_ids"]:
        own.add(token)
    with pytest.raises(DivergedError, match="ends before 'de'"):
        own.finish()
