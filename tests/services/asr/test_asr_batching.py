"""The tape: clips laid end to end come apart again at the right places."""

from __future__ import annotations

import numpy as np

from omnigap_services.asr.batching import MIN_SAMPLES, SAMPLE_RATE, Piece, cut, lay

WINDOW = 30 * SAMPLE_RATE


def test_timestamps_come_back_as_the_same_samples() -> None:
    lengths = [MIN_SAMPLES + 7919 * number % 100_003 for number in range(1, 60)]
    clips = [np.full(length, number, dtype=np.float32) for number, length in enumerate(lengths)]
    tape = lay(clips, [Piece(number, 0, length) for number, length in enumerate(lengths)])
    for clip, stamp in zip(clips, tape.timestamps(), strict=True):
        # As the batched pipeline does it.
        start, end = int(stamp["start"] * SAMPLE_RATE), int(stamp["end"] * SAMPLE_RATE)
        np.testing.assert_array_equal(tape.samples[start:end], clip)


def test_a_rounded_start_finds_its_piece() -> None:
    lengths = [MIN_SAMPLES, MIN_SAMPLES + 1, 48_001, MIN_SAMPLES]
    clips = [np.ones(length, dtype=np.float32) for length in lengths]
    tape = lay(clips, [Piece(number, 0, length) for number, length in enumerate(lengths)])
    assert [tape.piece_at(round(stamp["start"], 3)) for stamp in tape.timestamps()] == [0, 1, 2, 3]


def test_a_long_clip_is_cut_in_its_pause_and_nothing_is_lost() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 0.1, 45 * SAMPLE_RATE).astype(np.float32)
    samples[24 * SAMPLE_RATE : 25 * SAMPLE_RATE] = 0
    pieces = cut(samples, WINDOW, clip=3)
    assert [piece.clip for piece in pieces] == [3, 3]
    assert pieces[0].start == 0
    assert pieces[0].end == pieces[1].start
    assert pieces[1].end == len(samples)
    assert 24 * SAMPLE_RATE < pieces[0].end < 25 * SAMPLE_RATE


def test_a_clip_as_long_as_the_window_stays_whole_and_no_piece_is_longer() -> None:
    rng = np.random.default_rng(1)
    assert len(cut(np.ones(WINDOW, dtype=np.float32), WINDOW)) == 1
    noise = rng.normal(0, 0.1, 10 * WINDOW + 1).astype(np.float32)
    assert max(piece.end - piece.start for piece in cut(noise, WINDOW)) <= WINDOW
