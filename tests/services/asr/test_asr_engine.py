"""The engine: batched and single transcripts agree, repeats agree, long and silent clips are handled."""

from __future__ import annotations

import numpy as np
import pytest
from by_package import hear_by_package

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.vocabulary import Reason
from omnigap_services.asr.engine import AsrEngine
from omnigap_services.asr.options import AsrOptions
from omnigap_services.chunking import cut


@pytest.fixture(scope="module")
def engine() -> AsrEngine:
    return AsrEngine(AsrOptions())


def test_batched_texts_equal_texts_heard_one_at_a_time(engine: AsrEngine, clips: list[AudioClip]) -> None:
    together = [heard.text for heard in engine.hear([clip.samples for clip in clips])]
    alone = [engine.hear([clip.samples])[0].text for clip in clips]
    assert together == alone
    assert len(set(together)) == len(clips), "different sentences gave the same text"


def test_with_the_whole_window_texts_are_those_of_the_package_itself(clips: list[AudioClip]) -> None:
    whole = AsrEngine(AsrOptions(padding_s=0))
    together = [heard.text for heard in whole.hear([clip.samples for clip in clips])]
    assert together == [hear_by_package(whole, clip.samples) for clip in clips]


def test_the_order_of_a_batch_does_not_change_its_texts(engine: AsrEngine, clips: list[AudioClip]) -> None:
    forward = [heard.text for heard in engine.hear([clip.samples for clip in clips])]
    backward = [heard.text for heard in engine.hear([clip.samples for clip in reversed(clips)])]
    assert forward == backward[::-1]


def test_repeated_calls_give_the_same_text_and_statistics(engine: AsrEngine, clips: list[AudioClip]) -> None:
    samples = [clip.samples for clip in clips]
    assert engine.hear(samples) == engine.hear(samples)


def test_digital_silence_between_clips_is_empty_and_shifts_no_text(engine: AsrEngine, clips: list[AudioClip]) -> None:
    silence = np.zeros(16_000, dtype=np.float32)
    heard = engine.hear([silence, clips[0].samples, silence, clips[1].samples])
    assert [bool(h.text) for h in heard] == [False, True, False, True]
    assert heard[0].no_speech_prob == 1.0
    assert heard[1] == engine.hear([clips[0].samples])[0]


def test_a_clip_of_one_sample_does_not_disturb_its_neighbours(engine: AsrEngine, clips: list[AudioClip]) -> None:
    click = np.array([0.5], dtype=np.float32)
    heard = engine.hear([click, clips[2].samples, click])
    assert heard[1] == engine.hear([clips[2].samples])[0]


def test_a_clip_longer_than_the_window_is_heard_to_its_end(engine: AsrEngine, clips: list[AudioClip]) -> None:
    pause = np.zeros(16_000, dtype=np.float32)
    parts = [part for clip in (clips[2], clips[5]) * 6 for part in (clip.samples, pause)]
    long = np.concatenate([*parts, clips[0].samples])
    assert len(long) > 31 * 16_000
    heard = engine.hear([long])[0]
    assert heard.duration_s == pytest.approx(len(long) / 16_000)
    pieces = [long[piece.start : piece.end] for piece in cut(long, engine.window)]
    assert len(pieces) > 1
    assert heard.text == " ".join(part.text for part in engine.hear(pieces))


def test_statistics_are_in_their_ranges(engine: AsrEngine, clips: list[AudioClip]) -> None:
    for clip, heard in zip(clips, engine.hear([clip.samples for clip in clips]), strict=True):
        assert heard.avg_logprob <= 0
        assert 0 <= heard.no_speech_prob <= 1
        assert heard.compression_ratio > 0
        assert heard.duration_s == pytest.approx(clip.seconds)
        assert heard.tokens > 0


@pytest.mark.parametrize("bad", [np.zeros(0), np.array([0.1, np.nan]), np.array([np.inf, 0.0])])
def test_an_empty_or_non_finite_clip_is_refused(engine: AsrEngine, bad: np.ndarray) -> None:
    with pytest.raises(ContractError) as refused:
        engine.hear([bad.astype(np.float32)])
    assert refused.value.reason is Reason.BAD_MEDIA


def test_a_language_that_the_checkpoint_lacks_is_refused_and_regions_are_dropped(engine: AsrEngine) -> None:
    assert engine.language_code("en-GB") == "en"
    with pytest.raises(ContractError, match="'ko' is not known"):
        engine.language_code("ko")
