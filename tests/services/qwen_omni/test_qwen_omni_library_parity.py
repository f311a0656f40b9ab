"""The engine, which drives the parts one by one, gives the same answers as the library's own `generate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from omnigap.vocabulary import Modality
from omnigap_services.adapter import DecodingOptions, Request
from tests.services.qwen_omni.library_reference import LibraryOutput, generate
from tests.services.qwen_omni.recorded import Recorded, ask, eight, tone

if TYPE_CHECKING:
    from omnigap_services.qwen_omni.adapter import QwenOmniAdapter
    from tests.services.qwen_omni.conftest import Make


def assert_same_codes(turn: Recorded, codes: object) -> None:
    from omnigap_services.qwen_omni.answer import codes_crc32

    frames = [tuple(frame) for frame in codes.T.tolist()]  # type: ignore[attr-defined]
    assert turn.done.diagnostics["codec_frames"] == len(frames)
    assert turn.done.diagnostics["codec_crc32"] == codes_crc32(frames)


def assert_same_wave(turn: Recorded, wave: object) -> None:
    np.testing.assert_allclose(turn.audio, np.asarray(wave), atol=1e-5)


def assert_same(turn: Recorded, library: LibraryOutput, row: int = 0) -> None:
    assert turn.text == library.texts[row]
    assert_same_codes(turn, library.codes[row])


@pytest.mark.parametrize("number", range(8))
def test_text_answers_equal_the_librarys(adapter: QwenOmniAdapter, number: int) -> None:
    request = eight(Modality.TEXT)[number]
    assert ask(adapter, request)[0].text == generate(adapter, [request], speech=False).texts[0]


@pytest.mark.parametrize("number", [0, 1, 2, 3])
@pytest.mark.parametrize("kind", ["qwen3"], indirect=True)
def test_speech_of_qwen3_equals_the_librarys(adapter: QwenOmniAdapter, number: int) -> None:
    request = eight(Modality.SPEECH)[number]
    turn, library = ask(adapter, request)[0], generate(adapter, [request], speech=True)
    assert_same(turn, library)
    assert_same_wave(turn, library.waves[0])


@pytest.mark.parametrize("numbers", [(0, 3), (1, 4), (2, 5), (6, 7)], ids=["text", "audio", "image", "mixed"])
@pytest.mark.parametrize("kind", ["qwen2.5"], indirect=True)
def test_speech_of_qwen25_equals_the_librarys(adapter: QwenOmniAdapter, numbers: tuple[int, int]) -> None:
    """Two requests of different lengths: in a batch without padding the library drops the mask, and without a mask
    the talker leaves out the codec's start mark and the positions of images."""
    requests = [eight(Modality.SPEECH)[number] for number in numbers]
    turns, library = ask(adapter, *requests), generate(adapter, requests, speech=True)
    for row, turn in enumerate(turns):
        assert_same(turn, library, row)
    # The library's second clip depends on the noise that its first one drew.
    assert_same_wave(turns[0], library.waves[0])


@pytest.mark.parametrize("kind", ["qwen2.5"], indirect=True)
def test_single_speech_answers_of_qwen25_equal_those_of_a_padded_batch(adapter: QwenOmniAdapter) -> None:
    requests = [eight(Modality.SPEECH)[number] for number in (2, 5)]
    library = generate(adapter, requests, speech=True)
    for row, request in enumerate(requests):
        assert_same(ask(adapter, request)[0], library, row)


@pytest.mark.parametrize("kind", ["qwen3"], indirect=True)
def test_sampled_speech_equals_the_librarys(make: Make, kind: str) -> None:
    upstream = make(kind, profile="upstream")
    request = Request((tone(0.5), "Say it."), Modality.SPEECH)
    turn, library = ask(upstream, request)[0], generate(upstream, [request], True, talker_do_sample=True)
    assert_same(turn, library)
    assert_same_wave(turn, library.waves[0])


def test_sampled_speech_depends_on_its_seed_only(make: Make, kind: str) -> None:
    upstream = make(kind, profile="upstream")

    def codes(seed: int) -> float:
        request = Request(("Say it.",), Modality.SPEECH, decoding=DecodingOptions(seed=seed))
        # Another request in between draws from the generator as well.
        ask(upstream, Request(("Something else.",), Modality.SPEECH))
        return ask(upstream, request)[0].done.diagnostics["codec_crc32"]

    first = [codes(seed) for seed in (0, 1, 2)]
    assert [codes(seed) for seed in (0, 1, 2)] == first
    assert len(set(first)) == 3


def test_a_sampled_text_depends_on_its_seed_and_not_on_the_batch(adapter: QwenOmniAdapter) -> None:
    def asked(seed: int) -> Request:
        return Request(("Say it.",), Modality.TEXT, decoding=DecodingOptions(temperature=1.5, seed=seed))

    single = [ask(adapter, asked(seed))[0].text for seed in (0, 1, 2)]
    together = ask(adapter, *(asked(seed) for seed in (0, 1, 2)), *eight(Modality.TEXT))
    assert [turn.text for turn in together[:3]] == single
    assert len(set(single)) == 3
