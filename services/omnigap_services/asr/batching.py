"""Laying clips end to end so that one call transcribes many, and cutting long ones at quiet places."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from omnigap.media.audio import Samples

SAMPLE_RATE = 16_000
MIN_SAMPLES = SAMPLE_RATE // 10
"""Shorter clips are filled up with silence: a few samples make no frame."""

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
class Tape:
    """Pieces laid end to end.

    Attributes:
        samples: float32, shape (n,), 16 kHz.
        starts: where each piece begins, in samples.
        ends: where it ends.
    """

    samples: Samples
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def timestamps(self) -> list[dict[str, float]]:
        """`clip_timestamps` as faster-whisper's batched pipeline takes them, in seconds.

        The pipeline truncates seconds x rate to whole samples: half a sample more keeps rounding from losing one.
        """
        return [
            {"start": (start + 0.5) / SAMPLE_RATE, "end": (end + 0.5) / SAMPLE_RATE}
            for start, end in zip(self.starts, self.ends, strict=True)
        ]

    def piece_at(self, seconds: float) -> int:
        """The number of the piece in which a segment that starts at `seconds` lies.

        The pipeline rounds starts to milliseconds, 16 samples; a piece is never shorter than `MIN_SAMPLES`.
        """
        return bisect_right(self.starts, seconds * SAMPLE_RATE + 16) - 1


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


def lay(clips: Sequence[Samples], pieces: Sequence[Piece]) -> Tape:
    """The pieces as one tape, each at least `MIN_SAMPLES` long."""
    parts, starts, ends, at = [], [], [], 0
    for piece in pieces:
        samples = clips[piece.clip][piece.start : piece.end]
        if len(samples) < MIN_SAMPLES:
            samples = np.pad(samples, (0, MIN_SAMPLES - len(samples)))
        parts.append(samples)
        starts.append(at)
        at += len(samples)
        ends.append(at)
    return Tape(np.concatenate(parts), tuple(starts), tuple(ends))
