"""Counts what a carrier without words shows: marks in a text, beeps in audio, dots in an image.

These carriers test perception: nothing is spoken or written in them that ASR or OCR could pass on.
"""

from __future__ import annotations

import re

import numpy as np
from PIL import Image
from scipy import ndimage

from omnigap.media import AudioClip

_ASKED = re.compile(r"\bcount\b.*\b(marks?|signs?|words?|dots?|spots?|circles?|beeps?|tones?)\b", re.I | re.S)

_FRAME_S = 0.01
_MIN_BEEP_S, _MIN_PAUSE_S = 0.03, 0.05
# A frame belongs to a beep if its RMS exceeds this share of the loudest frame's.
_LOUD = 0.25
# RMS below which a clip counts as silent, in float samples.
_SILENCE = 1e-4
# Difference in one of the channels, 0 to 255, from which a pixel is not background.
_COLOUR_DISTANCE = 40
# A dot covers at least this share of the image; smaller spots are not counted.
_MIN_DOT_SHARE = 2e-4


def asks_to_count(instruction: str) -> bool:
    """True if a typed instruction asks to count marks, dots or beeps."""
    return bool(_ASKED.search(instruction))


def count_marks(text: str) -> int:
    """Words or signs that spaces separate."""
    return len(text.split())


def count_beeps(clip: AudioClip) -> int:
    """Sounds between pauses, counted on the RMS envelope in frames of 10 ms."""
    frame = max(1, round(_FRAME_S * clip.sample_rate))
    frames = clip.samples[: len(clip.samples) // frame * frame].reshape(-1, frame)
    if not len(frames):
        return 0
    envelope = np.sqrt(np.square(frames.astype(np.float64)).mean(axis=1))
    peak = float(envelope.max())
    if peak < _SILENCE:
        return 0
    loud = envelope > _LOUD * peak
    # Closing bridges dips shorter than a pause; the padding keeps it from changing the ends. Clicks are too short to
    # count and are dropped by their length below.
    loud = ndimage.binary_closing(np.pad(loud, 8), np.ones(round(_MIN_PAUSE_S / _FRAME_S)))[8:-8]
    labels, found = ndimage.label(loud)
    lengths = np.bincount(labels, minlength=found + 1)[1:]
    return int((lengths * _FRAME_S >= _MIN_BEEP_S).sum())


def count_dots(image: Image.Image) -> int:
    """Connected spots whose colour differs from the background, the most frequent colour on the border."""
    pixels = np.asarray(image.convert("RGB"), dtype=np.int16)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    colours, counts = np.unique(border, axis=0, return_counts=True)
    background = colours[int(np.argmax(counts))]
    differs = np.abs(pixels - background).max(axis=2) > _COLOUR_DISTANCE
    labels, found = ndimage.label(differs, structure=np.ones((3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=found + 1)[1:]
    return int((sizes >= max(4, _MIN_DOT_SHARE * differs.size)).sum())
