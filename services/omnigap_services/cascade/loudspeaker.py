"""The way from a part's voice to the turn: at once where its rate is the cascade's, else brought to that rate whole."""

from __future__ import annotations

import numpy as np

from omnigap.media import AudioClip, resample
from omnigap.media.audio import Samples
from omnigap_services.adapter import Turn


class Loudspeaker:
    """Speaks into one turn at one rate, in Hz."""

    def __init__(self, turn: Turn, sample_rate: int) -> None:
        self._turn = turn
        self._sample_rate = sample_rate
        self._kept: list[Samples] = []
        self._kept_rate = 0

    def play(self, samples: Samples, sample_rate: int) -> None:
        """A piece of audio. One at another rate is kept: pieces resampled one by one would click at their seams."""
        if sample_rate == self._sample_rate:
            self._turn.speak(samples, sample_rate)
        else:
            self._kept.append(samples)
            self._kept_rate = sample_rate

    def end(self) -> None:
        """Speaks what was kept."""
        if self._kept:
            clip = resample(AudioClip(np.concatenate(self._kept), self._kept_rate), self._sample_rate)
            self._turn.speak(clip.samples, clip.sample_rate)
            self._kept = []
