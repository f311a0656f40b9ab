"""Cuts clips that are longer than an ASR model's window, and groups clips into batches of equal padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from omnigap.media.audio import Samples

SAMPLE_RATE = 16_000
"""Hz of all ASR engines of this project."""

# 20 ms, in samples.
_FRAME = SAMPLE_RATE // 50
# A cut is searched for in the last third of a window, so that pieces do not become short.
_SEARCH_SHARE = 3


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples `start` to `end` of clip number `clip`, at most one window of the model."""

    clip: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Numbers of clips that go through the model together, each padded to `frames` feature frames."""

    frames: int
    clips: tuple[int, ...]


def cut(samples: Samples, window: int, clip: int = 0) -> list[Piece]:
    """The pieces of a clip of shape (n,), each of at most `window` samples.

    A longer clip is cut where it is quietest, most likely in a pause, so that no word is cut in two.
    """
    pieces, start = [], 0
    while len(samples) - start > window:
        end = start + _quietest(samples[start : start + window])
        pieces.append(Piece(clip, start, end))
        start = end
    pieces.append(Piece(clip, start, len(samples)))
    return pieces


def _quietest(window: Samples) -> int:
    """The middle of the quietest 0.2 s in the last third of a window, in samples."""
    frames = window[: len(window) // _FRAME * _FRAME].reshape(-1, _FRAME)
    energy = np.square(frames.astype(np.float64)).mean(axis=1)
    # The mean over 10 frames: a single quiet frame occurs inside of words too.
    smooth = np.convolve(energy, np.full(10, 0.1), mode="same")
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
