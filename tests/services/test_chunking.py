"""Long clips are cut in pauses; the padding of a clip does not depend on the others in its batch."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from omnigap_services.audio import SILENCE_PEAK
from omnigap_services.chunking import (
    MAX_SILENCE_S,
    SAMPLE_RATE,
    batches,
    cut,
    longest_stretch,
    without_silence,
)

WINDOW = 30 * SAMPLE_RATE


def test_every_clip_is_in_one_batch_of_its_own_padding() -> None:
    frames = [10, 250, 251, 0, 700, 249, 500, 3]
    made = batches(frames, padding=250, largest=2)
    assert sorted(number for batch in made for number in batch.clips) == list(range(len(frames)))
    for batch in made:
        assert len(batch.clips) <= 2
        assert {max(250, -(-frames[number] // 250) * 250) for number in batch.clips} == {batch.frames}


def test_the_padding_of_a_clip_does_not_depend_on_other_clips() -> None:
    def padded(frames: list[int]) -> int:
        return next(batch.frames for batch in batches(frames, 100, 8) if 0 in batch.clips)

    assert padded([130]) == padded([130, 20, 999]) == padded([130, 2999]) == 200


def test_no_clips_make_no_batches() -> None:
    assert batches([], 250, 8) == []


def test_a_long_clip_is_cut_in_its_pause_without_losing_samples() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 0.1, 45 * SAMPLE_RATE).astype(np.float32)
    samples[24 * SAMPLE_RATE : 25 * SAMPLE_RATE] = 0
    pieces = cut(samples, WINDOW, clip=3)
    assert [piece.clip for piece in pieces] == [3, 3]
    assert pieces[0].start == 0
    assert pieces[0].end == pieces[1].start
    assert pieces[1].end == len(samples)
    assert 24 * SAMPLE_RATE < pieces[0].end < 25 * SAMPLE_RATE


def test_no_piece_is_longer_than_the_window() -> None:
    rng = np.random.default_rng(1)
    assert len(cut(np.ones(WINDOW, dtype=np.float32), WINDOW)) == 1
    noise = rng.normal(0, 0.1, 10 * WINDOW + 1).astype(np.float32)
    assert max(piece.end - piece.start for piece in cut(noise, WINDOW)) <= WINDOW


@given(st.lists(st.tuples(st.integers(0, 3 * SAMPLE_RATE), st.booleans()), min_size=1, max_size=8))
def test_only_long_digital_silence_is_removed(runs: list[tuple[int, bool]]) -> None:
    """Each run is silence or sound of so many samples; sound never falls below the silence peak."""
    sound = np.concatenate([np.full(n, 0.5 if loud else SILENCE_PEAK, np.float32) for n, loud in runs])
    left = without_silence(sound)
    assert np.count_nonzero(left > SILENCE_PEAK) == np.count_nonzero(sound > SILENCE_PEAK)
    if not (sound > SILENCE_PEAK).any():
        assert not len(left)
    else:
        # The gaps between sounding samples, ends included.
        sounding = np.concatenate([[-1], np.flatnonzero(left > SILENCE_PEAK), [len(left)]])
        assert np.diff(sounding).max() - 1 <= MAX_SILENCE_S * SAMPLE_RATE


def test_quiet_speech_is_not_silence() -> None:
    quiet = np.full(4 * SAMPLE_RATE, 2 * SILENCE_PEAK, np.float32)
    assert without_silence(quiet) is quiet


def test_beyond_the_trained_length_cuts_are_in_the_longest_pause() -> None:
    rng = np.random.default_rng(2)
    samples = rng.normal(0, 0.1, 14 * SAMPLE_RATE).astype(np.float32)
    for start_s, length_s in ((3.0, 0.15), (5.0, 0.4), (7.0, 0.15)):
        samples[int(start_s * SAMPLE_RATE) : int((start_s + length_s) * SAMPLE_RATE)] *= 0.01
    pieces = cut(samples, WINDOW, trained=8 * SAMPLE_RATE)
    assert not pieces[0].forced
    assert 5.0 < pieces[0].end / SAMPLE_RATE < 5.4
    assert pieces[1].forced, "no pause is left"
    assert longest_stretch(pieces) == len(samples) - pieces[0].end
    assert [piece.start for piece in pieces[1:]] == [piece.end for piece in pieces[:-1]]
    assert pieces[-1].end == len(samples)


def test_a_clip_within_the_trained_length_is_one_piece() -> None:
    samples = np.zeros(8 * SAMPLE_RATE, np.float32)
    pieces = cut(samples, WINDOW, trained=8 * SAMPLE_RATE)
    assert len(pieces) == 1
    assert longest_stretch(pieces) == len(samples)
    assert longest_stretch([]) == 0
