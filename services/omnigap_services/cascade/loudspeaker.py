"""The way from a part's voice to the turn: as it comes where its rate is the cascade's, else resampled as a whole."""

from __future__ import annotations

from omnigap.media import AudioClip, pcm16_to_float, resample
from omnigap_services.adapter import Turn


class Loudspeaker:
    """Speaks into one turn at one rate, in Hz."""

    def __init__(self, turn: Turn, sample_rate: int) -> None:
        self._turn = turn
        self._sample_rate = sample_rate
        self._kept: list[bytes] = []
        self._kept_rate = 0

    def play(self, data: bytes, sample_rate: int) -> None:
        """A piece of 16-bit mono audio. At another rate it is kept: resampled piece by piece it would click."""
        if sample_rate == self._sample_rate:
            self._turn.speak_pcm16(data, sample_rate)
        else:
            self._kept.append(data)
            self._kept_rate = sample_rate

    def end(self) -> None:
        """Speaks what was kept: decoded once, and encoded once by the turn."""
        if self._kept:
            clip = resample(AudioClip(pcm16_to_float(b"".join(self._kept)), self._kept_rate), self._sample_rate)
            self._turn.speak(clip.samples, clip.sample_rate)
            self._kept = []
