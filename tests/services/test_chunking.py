"""Long clips are cut in pauses; the padding of a clip does not depend on the others in its batch."""

from __future__ import annotations

import numpy as np

from omnigap_services.chunking import SAMPLE_RATE, batches, cut

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
