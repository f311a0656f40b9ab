"""Options of the `piper` service."""

from __future__ import annotations

from pydantic import Field

from omnigap_services.options import Options

SERVICE = "piper"

REPOSITORY = "rhasspy/piper-voices"
"""The hub's collection of Piper voices."""

OWN_WORDS_PER_MINUTE = 205
"""Words per minute at length_scale 1: measured with en_US-joe-medium, and taken for every voice."""

FIXED_LENGTH = 0.26
"""Share of that length which length_scale does not change, because each phoneme is rounded up to whole frames."""

RATES_WPM = (100, 350)
"""The slowest and the fastest rate: length_scale 2.4 and 0.44."""


class PiperOptions(Options):
    """Options of the `piper` service.

    Attributes:
        voices: .onnx files with their .onnx.json beside them, folders of such files, or names such as
            "en_US-joe-medium", which are looked up in `folders`, in the hub's cache and then on the hub.
        folders: searched for names, with their subfolders.
        revision: of the hub's rhasspy/piper-voices: tag, branch or commit.
        voice: for requests without a voice in its language, also VOICE#SPEAKER; empty: the first one of `voices`.
        speaker: of that voice, if it has several: a number as an integer, a name as a text; unset: the voice's default.
        words_per_minute: approximate rate if a request sets none; unset: the voice's own.
        seed: of the noise, if a request brings none; modulo 2**63.
        noise_scale, noise_w: strength of the noise of the sound and of the durations; unset: the voice's own.
        threads: per utterance. Another number changes the last bits of samples.
        workers: utterances at once.
        max_queue: requests that may wait.
        max_text_chars: longest text of one request.
    """

    voices: tuple[str, ...] = Field(min_length=1)
    folders: tuple[str, ...] = ()
    revision: str = Field(default="v1.0.0", min_length=1)
    voice: str = ""
    speaker: int | str | None = None
    words_per_minute: int | None = Field(default=None, ge=RATES_WPM[0], le=RATES_WPM[1])
    seed: int = Field(default=0, ge=0)
    noise_scale: float | None = Field(default=None, ge=0, le=2)
    noise_w: float | None = Field(default=None, ge=0, le=2)
    threads: int = Field(default=1, ge=1, le=64)
    workers: int = Field(default=2, ge=1, le=64)
    max_queue: int = Field(default=256, ge=0)
    max_text_chars: int = Field(default=10_000, ge=1, le=100_000)
