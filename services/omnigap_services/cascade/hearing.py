"""Hearing: the ASR engine inside the cascade's own process, with its own checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from omnigap.digest import digest_of
from omnigap.media import AudioClip
from omnigap_services.asr.engine import AsrEngine
from omnigap_services.asr.options import AsrOptions
from omnigap_services.asr.transcript import Heard


class Ear:
    """A loaded ASR that takes clips of one language together."""

    def __init__(self, options: AsrOptions) -> None:
        self._engine = AsrEngine(options)

    @property
    def name(self) -> str:
        return self._engine.checkpoint.name

    @property
    def weights_revision(self) -> str:
        return self._engine.checkpoint.revision

    @property
    def digest(self) -> str:
        """Over weights, settings and library versions."""
        return digest_of(
            {
                "weights": self._engine.checkpoint.revision,
                "settings": self._engine.settings,
                "faster-whisper": version("faster-whisper"),
                "ctranslate2": version("ctranslate2"),
            }
        )

    def hear(self, clips: Sequence[AudioClip]) -> list[Heard]:
        """Transcripts of clips at 16 kHz, in order.

        Raises:
            ContractError: BAD_MEDIA for empty or non-finite clips.
        """
        return self._engine.hear([clip.samples for clip in clips])
