"""Which clips go through the model together, and where clips longer than its window are cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from omnigap.media.audio import Samples

SAMPLE_RATE = 16_000
_FRAME = SAMPLE_RATE // 50
# A cut is sought in the last third of a window.
_SEEK_SHARE = 3


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples start..end of clip number `clip`, at most one window of the model."""

    clip: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Clips, by number, that go through the model together, each padded to `frames` feature frames."""

    frames: int
    clips: tuple[int, ...]


def cut(samples: Samples, window: int, clip: int = 0) -> list[Piece]:
    """The pieces of a clip: itself up to `window` samples, else cut where the last third of each window is quietest."""
    pieces, start = [], 0
    while len(samples) - start > window:
        end = start + _quietest(samples[start : start + window])
        pieces.append(Piece(clip, start, end))
        start = end
    pieces.append(Piece(clip, start, len(samples)))
    return pieces


def _quietest(window: Samples) -> int:
    """Middle of the quietest 0.2 s in the last third of a window, in samples."""
    frames = window[: len(window) // _FRAME * _FRAME].reshape(-1, _FRAME)
    energy = np.square(frames.astype(np.float64)).mean(axis=1)
    smooth = np.convolve(energy, np.full(10, 0.1), mode="same")
    sought = len(smooth) // _SEEK_SHARE
    return int((len(smooth) - sought + int(np.argmin(smooth[-sought:-5]))) * _FRAME)


def batches(frames: Sequence[int], padding: int, largest: int) -> list[Batch]:
    """Puts clips that need the same padding together, at most `largest` in a batch; every clip in exactly one.

    What a clip is padded to follows from its own length alone, so that its text does not depend on its neighbours.

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
