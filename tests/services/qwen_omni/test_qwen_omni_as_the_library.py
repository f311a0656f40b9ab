"""What the engine makes by driving the parts is what the library's own `generate` makes of the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from omni_asked import Recorded, ask, eight, tone
from through_library import Library, generate

from omnigap.vocabulary import Modality
from omnigap_services.adapter import DecodingOptions, Request

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


def assert_same(turn: Recorded, library: Library, row: int = 0) -> None:
    assert turn.text == library.texts[row]
    assert_same_codes(turn, library.codes[row])


@pytest.mark.parametrize("number", range(8))
def test_text_answers_are_the_library_s(adapter: QwenOmniAdapter, number: int) -> None:
    request = eight(Modality.TEXT)[number]
    assert ask(adapter, request)[0].text == generate(adapter, [request], speech=False).texts[0]


@pytest.mark.parametrize("number", [0, 1, 2, 3])
@pytest.mark.parametrize("kind", ["qwen3"], indirect=True)
def test_speech_of_qwen3_is_the_library_s(adapter: QwenOmniAdapter, number: int) -> None:
    request = eight(Modality.SPEECH)[number]
    turn, library = ask(adapter, request)[0], generate(adapter, [request], speech=True)
    assert_same(turn, library)
    assert_same_wave(turn, library.waves[0])


@pytest.mark.parametrize("numbers", [(0, 3), (1, 4), (2, 5), (6, 7)], ids=["text", "audio", "image", "mixed"])
@pytest.mark.parametrize("kind", ["qwen2.5"], indirect=True)
def test_speech_of_qwen25_is_the_library_s(adapter: QwenOmniAdapter, numbers: tuple[int, int]) -> None:
    """Two of different lengths: of a batch without padding the library drops the mask, and with it the talker leaves
    out the codec's start mark and a picture's positions."""
    requests = [eight(Modality.SPEECH)[number] for number in numbers]
    turns, library = ask(adapter, *requests), generate(adapter, requests, speech=True)
    for row, turn in enumerate(turns):
        assert_same(turn, library, row)
    # The library's second clip depends on the noise that its first one drew.
    assert_same_wave(turns[0], library.waves[0])


@pytest.mark.parametrize("kind", ["qwen2.5"], indirect=True)
def test_speech_of_qwen25_needs_no_neighbour_to_be_padded_by(adapter: QwenOmniAdapter) -> None:
    requests = [eight(Modality.SPEECH)[number] for number in (2, 5)]
    library = generate(adapter, requests, speech=True)
    for row, request in enumerate(requests):
        assert_same(ask(adapter, request)[0], library, row)


@pytest.mark.parametrize("kind", ["qwen3"], indirect=True)
def test_the_authors_sampled_speech_is_the_library_s(make: Make, kind: str) -> None:
    upstream = make(kind, profile="upstream")
    request = Request((tone(0.5), "Say it."), Modality.SPEECH)
    turn, library = ask(upstream, request)[0], generate(upstream, [request], True, talker_do_sample=True)
    assert_same(turn, library)
    assert_same_wave(turn, library.waves[0])


def test_sampled_speech_is_made_again_by_its_seed_and_by_no_other(make: Make, kind: str) -> None:
    upstream = make(kind, profile="upstream")

    def codes(seed: int) -> float:
        request = Request(("Say it.",), Modality.SPEECH, decoding=DecodingOptions(seed=seed))
        # Whatever was drawn in between.
        ask(upstream, Request(("Something else.",), Modality.SPEECH))
        return ask(upstream, request)[0].done.diagnostics["codec_crc32"]

    first = [codes(seed) for seed in (0, 1, 2)]
    assert [codes(seed) for seed in (0, 1, 2)] == first
    assert len(set(first)) == 3


def test_a_sampled_text_is_made_again_by_its_seed_in_any_company(adapter: QwenOmniAdapter) -> None:
    def asked(seed: int) -> Request:
        return Request(("Say it.",), Modality.TEXT, decoding=DecodingOptions(temperature=1.5, seed=seed))

    alone = [ask(adapter, asked(seed))[0].text for seed in (0, 1, 2)]
    together = ask(adapter, *(asked(seed) for seed in (0, 1, 2)), *eight(Modality.TEXT))
    assert [turn.text for turn in together[:3]] == alone
    assert len(set(alone)) == 3
