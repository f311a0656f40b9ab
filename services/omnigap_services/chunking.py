"""What an ASR model gets of a clip: without long digital silence, cut into pieces, and batched by padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnigap.media.audio import Samples
from omnigap_services.audio import SILENCE_PEAK

SAMPLE_RATE = 16_000
"""Hz of all ASR engines of this project."""
MAX_SILENCE_S = 0.5
"""Longer digital silence is shortened to this: about the pause between two sentences. Whisper writes words that nobody
said for more of it."""

# 20 ms, in samples.
_FRAME = SAMPLE_RATE // 50
# A cut is searched for in the last third of a window, so that pieces do not become short.
_SEARCH_SHARE = 3
# A pause: frames far below the loud ones, for longer than the closure of a consonant.
_PAUSE_FRAMES = 5
_PAUSE_LEVEL = 0.05
_LOUD_PERCENTILE = 90


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples `start` to `end` of clip number `clip`, at most one window of the model.

    Attributes:
        forced: the piece was ended within speech, because there was no pause.
    """

    clip: int
    start: int
    end: int
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Numbers of clips that go through the model together, each padded to `frames` feature frames."""

    frames: int
    clips: tuple[int, ...]


def without_silence(samples: Samples) -> Samples:
    """The samples of shape (n,) with every run of digital silence shortened to `MAX_SILENCE_S`; empty if all is silent.

    Only what never exceeds `SILENCE_PEAK` is removed, so no speech is lost, however quiet it is.
    """
    quiet = np.abs(samples) <= SILENCE_PEAK
    if quiet.all():
        return samples[:0]
    edges = np.flatnonzero(np.diff(np.concatenate(([False], quiet, [False]))))
    starts, ends = edges[::2], edges[1::2]
    keep, longest = np.ones(len(samples), dtype=bool), int(MAX_SILENCE_S * SAMPLE_RATE)
    for start, end in zip(starts, ends, strict=True):
        if end - start > longest:
            # From its middle: the decay before it and the onset after it stay.
            keep[start + longest // 2 : end - (longest - longest // 2)] = False
    return samples if keep.all() else samples[keep]


def cut(samples: Samples, window: int, clip: int = 0, trained: int = 0) -> list[Piece]:
    """The pieces of a clip of shape (n,), each of at most `window` samples.

    A longer clip is cut where it is quietest, most likely in a pause, so that no word is cut in two.

    Args:
        trained: samples for which the model was trained, if that is less than its window: a longer clip is cut in the
            longest pause within this length, and where there is none, within speech (`Piece.forced`).
    """
    longest = min(window, trained or window)
    pieces, start = [], 0
    pauses = _pauses(samples) if trained and len(samples) > longest else []
    while len(samples) - start > longest:
        pause = _longest_pause(pauses, start + longest // _SEARCH_SHARE, start + longest)
        end = start + _quietest(samples[start : start + longest]) if pause is None else pause
        pieces.append(Piece(clip, start, end, forced=bool(trained) and pause is None))
        start = end
    pieces.append(Piece(clip, start, len(samples)))
    return pieces


def longest_stretch(pieces: Sequence[Piece]) -> int:
    """Samples of the longest stretch of a clip without a pause to cut it in; 0 without pieces."""
    found, start = [0], None
    for piece in pieces:
        start = piece.start if start is None else start
        if not piece.forced:
            found.append(piece.end - start)
            start = None
    return max(found)


def _pauses(samples: Samples) -> list[tuple[int, int]]:
    """Start and end of each pause, in samples."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    level = np.sqrt(np.square(frames.astype(np.float64)).mean(axis=1))
    quiet = level < _PAUSE_LEVEL * np.percentile(level, _LOUD_PERCENTILE)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], quiet, [False]))))
    found = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [(start * _FRAME, end * _FRAME) for start, end in found if end - start >= _PAUSE_FRAMES]


def _longest_pause(pauses: Sequence[tuple[int, int]], low: int, high: int) -> int | None:
    """The middle of the longest pause whose middle is between two positions, the later of equal ones; None for none."""
    reachable = [(end - start, (start + end) // 2) for start, end in pauses if low <= (start + end) // 2 <= high]
    return max(reachable)[1] if reachable else None


def _quietest(window: Samples) -> int:
    """The middle of the quietest 0.2 s in the last third of a window, in samples."""
    frames = window[: len(window) // _FRAME * _FRAME].reshape(-1, _FRAME)
    energy = np.square(frames.astype(np.float64)).mean(axis=1)
    # The mean over 10 frames: a single quiet frame occurs inside of words too.
    smooth: npt.NDArray[np.float64] = np.convolve(energy, np.full(10, 0.1), mode="same")
    searched = len(smooth) // _SEARCH_SHARE
    # The last 5 frames are left out: there the mean runs over the edge of the window and is too low.
    return int((len(smooth) - searched + int(np.argmin(smooth[-searched:-5]))) * _FRAME)


def batches(frames: Sequence[int], padding: int, largest: int) -> list[Batch]:
    """Groups clips that need the same padding, at most `largest` in a batch; every clip is in exactly one.

    The padding of a clip follows from its own length only, so that its transcript does not depend on the other clips.

    Args:
        frames: feature frames of each clip.
        padding: clips are padded to the next multiple of this many frames.
    """
    groups: dict[int, list[int]] = {}
    for number, length in enumerate(frames):
        groups.setdefault(max(1, -(-length // padding)) * padding, []).append(number)
    return [
        Batch(padded, tuple(numbers[start : start + largest]))
        for padded, numbers in sorted(groups.items())
        for start in range(0, len(numbers), largest)
    ]
