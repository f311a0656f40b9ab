"""Counting what comes without a question of its own: marks in a text, beeps in audio, dots in an image."""

from __future__ import annotations

import re

import numpy as np
from PIL import Image
from scipy import ndimage

from omnigap.media import AudioClip

_ASKED = re.compile(r"\bcount\b.*\b(marks?|signs?|words?|dots?|spots?|circles?|beeps?|tones?)\b", re.I | re.S)

_FRAME_S = 0.01
_MIN_BEEP_S, _MIN_PAUSE_S = 0.03, 0.05
_LOUD = 0.25
_COLOUR_DISTANCE = 40
_MIN_DOT_SHARE = 2e-4


def asks_to_count(instruction: str) -> bool:
    """True where a typed instruction asks to count marks, dots or beeps."""
    return bool(_ASKED.search(instruction))


def count_marks(text: str) -> int:
    """Words or signs that stand apart."""
    return len(text.split())


def count_beeps(clip: AudioClip) -> int:
    """Stretches of sound that silence parts, by the envelope: louder than a quarter of the loudest 10 ms."""
    frame = max(1, round(_FRAME_S * clip.sample_rate))
    frames = clip.samples[: len(clip.samples) // frame * frame].reshape(-1, frame)
    if not len(frames):
        return 0
    envelope = np.sqrt(np.square(frames.astype(np.float64)).mean(axis=1))
    peak = float(envelope.max())
    if peak < 1e-4:
        return 0
    loud = envelope > _LOUD * peak
    # Short dips do not part a beep, short clicks are none.
    loud = ndimage.binary_closing(np.pad(loud, 8), np.ones(round(_MIN_PAUSE_S / _FRAME_S)))[8:-8]
    labels, found = ndimage.label(loud)
    lengths = np.bincount(labels, minlength=found + 1)[1:]
    return int((lengths * _FRAME_S >= _MIN_BEEP_S).sum())


def count_dots(image: Image.Image) -> int:
    """Connected spots whose colour is not the ground's, which is the commonest colour on the border."""
    pixels = np.asarray(image.convert("RGB"), dtype=np.int16)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    colours, counts = np.unique(border, axis=0, return_counts=True)
    ground = colours[int(np.argmax(counts))]
    differs = np.abs(pixels - ground).max(axis=2) > _COLOUR_DISTANCE
    labels, found = ndimage.label(differs, structure=np.ones((3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=found + 1)[1:]
    return int((sizes >= max(4, _MIN_DOT_SHARE * differs.size)).sum())
