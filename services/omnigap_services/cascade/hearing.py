"""Hearing inside the cascade's own process: the ASR engine with its own checkpoint, many callers' clips in one pass."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from importlib.metadata import version

from omnigap.digest import digest_of
from omnigap.media import AudioClip, resample
from omnigap_services.adapter import InputPart, Part
from omnigap_services.asr.engine import AsrEngine
from omnigap_services.asr.options import AsrOptions
from omnigap_services.asr.transcript import Heard
from omnigap_services.audio import check_clip
from omnigap_services.batching import Batcher
from omnigap_services.cascade.sensing import HEARD, Perceived, prefixed
from omnigap_services.chunking import SAMPLE_RATE
from omnigap_services.loop_thread import Gone
from omnigap_services.source import source_hash


class Ear:
    """A loaded ASR. What callers ask meanwhile waits, and then goes through the model together."""

    def __init__(self, options: AsrOptions) -> None:
        self._engine = AsrEngine(options)
        self._batcher: Batcher[AudioClip, Heard] = Batcher("cascade-asr", self._hear, options.max_batch_size)
        checkpoint = self._engine.checkpoint
        self.words = f"the ASR faster-whisper ({checkpoint.name}) hears"
        self.weights_revision = checkpoint.revision
        self.part = Part("asr", f"faster-whisper/{checkpoint.name}", self._digest())
        self.max_audio_seconds = 0.0
        self.max_image_pixels = 0

    def _digest(self) -> str:
        """Over weights, settings, library versions, and the engine's source, which lies in another folder than ours."""
        return digest_of(
            {
                "weights": self._engine.checkpoint.revision,
                "settings": self._engine.settings,
                "faster-whisper": version("faster-whisper"),
                "ctranslate2": version("ctranslate2"),
                "code": source_hash("omnigap_services.asr"),
                "code.audio": source_hash("omnigap_services.audio", "omnigap_services.chunking"),
            }
        )

    def perceive(self, carrier: InputPart, language: str, gone: Gone) -> Perceived:
        """The transcript of a clip.

        Raises:
            ContractError: BAD_MEDIA for an empty or non-finite clip, BAD_REQUEST for a language that the checkpoint
                does not know.
        """
        assert isinstance(carrier, AudioClip), "an ear takes audio"
        check_clip(carrier.samples)
        # A fault of this call alone, found before it can end others that are heard with it.
        code = self._engine.language_code(language)
        heard = self._batcher.ask(resample(carrier, SAMPLE_RATE), code, gone)
        diagnostics = {"avg_logprob": heard.avg_logprob, "no_speech_prob": heard.no_speech_prob}
        return Perceived(heard.text, prefixed(HEARD, diagnostics), heard.language)

    def close(self) -> None:
        self._batcher.close()

    def _hear(self, clips: Sequence[AudioClip], language: Hashable) -> Sequence[Heard]:
        return self._engine.hear([clip.samples for clip in clips], str(language))
