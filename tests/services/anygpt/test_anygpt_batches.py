"""The tiny checkpoint: answers do not depend on the batch, and equal seeds give equal answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import Mock

import numpy as np
import pytest
import soundfile
import torch

from omnigap.errors import ContractError
from omnigap.vocabulary import Modality, Reason
from omnigap_services.adapter import DecodingOptions, Request
from tests.services.anygpt.recorded import Recorded, ask, eight, tone

if TYPE_CHECKING:
    from omnigap_services.anygpt.adapter import AnygptAdapter
    from tests.services.anygpt.conftest import Make


@pytest.fixture(scope="module")
def written(adapter: AnygptAdapter) -> list[Recorded]:
    return ask(adapter, *eight(Modality.TEXT))


@pytest.fixture(scope="module")
def spoken(adapter: AnygptAdapter) -> list[Recorded]:
    return ask(adapter, *eight(Modality.SPEECH))


@pytest.mark.parametrize("output", [Modality.TEXT, Modality.SPEECH])
def test_text_codes_and_wave_are_the_same_at_batch_1_and_8(
    adapter: AnygptAdapter, output: Modality, written: list[Recorded], spoken: list[Recorded]
) -> None:
    together = written if output is Modality.TEXT else spoken
    single = [ask(adapter, request)[0] for request in eight(output)]
    # The completion holds the checksum of the codes.
    assert [turn.same for turn in together] == [turn.same for turn in single]
    backwards = ask(adapter, *reversed(eight(output)))
    assert [turn.same for turn in reversed(backwards)] == [turn.same for turn in single]


def test_answers_depend_on_the_questions_and_are_printable(written: list[Recorded], spoken: list[Recorded]) -> None:
    assert len({turn.text for turn in written}) > 5
    assert all(turn.text.isascii() and turn.text.isprintable() and turn.text for turn in written)
    assert len({turn.done.diagnostics["codec_crc32"] for turn in spoken}) > 5


def test_spoken_answers_are_audible_and_mostly_end_by_themselves(spoken: list[Recorded]) -> None:
    for turn in spoken:
        assert turn.audio is not None
        assert len(turn.audio) == 320 * turn.done.audio_tokens
        assert np.sqrt(np.mean(turn.audio**2)) > 0.01
        assert np.abs(turn.audio).max() <= 1
    assert sum(turn.done.diagnostics["speech_capped"] for turn in spoken) < 4


def test_a_speech_answer_has_the_text_of_the_text_answer(written: list[Recorded], spoken: list[Recorded]) -> None:
    assert [turn.text for turn in spoken] == [turn.text for turn in written]


def test_a_batch_that_runs_out_of_memory_gives_the_same_answers(
    adapter: AnygptAdapter, spoken: list[Recorded], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omnigap_services.torch_utils.generation.free_memory", lambda: None)

    def refuse(_: object, inputs: tuple[torch.Tensor, ...]) -> None:
        if inputs[0].shape[0] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    hook = adapter._loaded.engine.model.get_input_embeddings().register_forward_pre_hook(refuse)
    try:
        halved = ask(adapter, *eight(Modality.SPEECH))
    finally:
        hook.remove()
    assert [turn.same for turn in halved] == [turn.same for turn in spoken]


@pytest.mark.parametrize("part", ["codec", "image encoder"])
def test_a_carrier_that_does_not_fit_into_memory_fails_alone(
    adapter: AnygptAdapter, written: list[Recorded], monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    prompts = adapter._loaded.prompts
    encoder = prompts._speech_tokenizer if part == "codec" else prompts._image_encoder
    assert encoder is not None
    monkeypatch.setattr(encoder, "encode", Mock(side_effect=torch.OutOfMemoryError("CUDA out of memory")))
    freed = Mock()
    monkeypatch.setattr("omnigap_services.torch_utils.generation.free_memory", freed)
    turns = ask(adapter, *eight(Modality.TEXT))
    kind = Modality.SPEECH if part == "codec" else Modality.IMAGE
    for turn, before in zip(turns, written, strict=True):
        if turn.request.condition.input is not kind:
            assert turn.same == before.same
            continue
        assert isinstance(turn.error, ContractError)
        assert turn.error.reason is Reason.OUT_OF_MEMORY
        assert turn.events == ["fail"]
    assert freed.call_count == sum(turn.error is not None for turn in turns) > 0


def test_limits_of_one_request_do_not_affect_the_others(adapter: AnygptAdapter, spoken: list[Recorded]) -> None:
    requests = eight(Modality.SPEECH)
    short = DecodingOptions(max_new_tokens=1, extra={"max_speech_tokens": "3"})
    requests[1:3] = eight(Modality.SPEECH, decoding=short)[1:3]
    turns = ask(adapter, *requests)
    assert [turn.same for turn in turns[3:]] == [turn.same for turn in spoken[3:]]
    assert all(turn.done.audio_tokens <= 3 for turn in turns[1:3])


def test_the_seed_chooses_the_voice_and_leaves_a_greedy_answer(adapter: AnygptAdapter) -> None:
    def asked(seed: int) -> Recorded:
        return ask(adapter, Request(("Hi",), Modality.SPEECH, decoding=DecodingOptions(seed=seed)))[0]

    first, again, other = asked(1), asked(1), asked(2)
    assert first.same == again.same
    assert (other.text, other.done) == (first.text, first.done)
    assert other.audio is not None
    assert first.audio is not None
    assert not np.array_equal(first.audio, other.audio)


def test_a_sampled_answer_repeats_with_its_seed_in_any_batch(adapter: AnygptAdapter) -> None:
    requests = eight(Modality.SPEECH, decoding=DecodingOptions(temperature=20.0, seed=5))[:2]
    single = [ask(adapter, request)[0] for request in requests]
    assert [turn.same for turn in ask(adapter, *requests)] == [turn.same for turn in single]
    other = ask(adapter, *eight(Modality.SPEECH, decoding=DecodingOptions(temperature=20.0, seed=6))[:2])
    assert [turn.text for turn in other] != [turn.text for turn in single]


def test_a_voice_clip_changes_the_voice_only(make: Make, tmp_path: Path, spoken: list[Recorded]) -> None:
    clips = []
    for pitch in (150, 330):
        clips.append(tmp_path / f"{pitch}.wav")
        soundfile.write(clips[-1], tone(0.6, pitch).samples, 16_000)
    adapters = [make(voice_clip=str(clip)) for clip in clips]
    said = [ask(adapter, *eight(Modality.SPEECH)[:2]) for adapter in adapters]
    for turns in (spoken, *said):
        assert [turn.done for turn in turns[:2]] == [turn.done for turn in spoken[:2]]
    waves = [turns[0].audio for turns in (spoken, *said)]
    assert len({wave.tobytes() for wave in waves if wave is not None}) == 3


def test_one_bad_request_fails_alone(adapter: AnygptAdapter, written: list[Recorded]) -> None:
    requests = eight(Modality.TEXT)
    requests[1] = Request(("Hi",), Modality.TEXT, decoding=DecodingOptions(beam_size=3))
    requests[4] = Request(("word " * 4_000,), Modality.TEXT)
    turns = ask(adapter, *requests)
    assert [turn.events for turn in turns].count(["fail"]) == 2
    for number in (0, 2, 3, 5, 6, 7):
        assert turns[number].same == written[number].same
