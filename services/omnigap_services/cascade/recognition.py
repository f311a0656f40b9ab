"""The ASR and OCR stages: turn a carrier into text, through a service or an engine in this process."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Protocol

from PIL import Image

from omnigap.card import weights_identity
from omnigap.digest import digest_of
from omnigap.media import AudioClip, resample
from omnigap.vocabulary import Modality
from omnigap_services.adapter import InputPart, Part, Request
from omnigap_services.asr.engine import AsrEngine, Transcript
from omnigap_services.asr.options import AsrOptions
from omnigap_services.audio import check_clip
from omnigap_services.cascade.client import PartClient
from omnigap_services.cascade.messages import completion_of, prefixed
from omnigap_services.chunking import SAMPLE_RATE
from omnigap_services.loop_thread import Gone
from omnigap_services.ocr.engine import OcrEngine
from omnigap_services.server.batcher import Batcher
from omnigap_services.source import source_hash


@dataclass(frozen=True, slots=True)
class Recognised:
    """The text of a carrier.

    Attributes:
        diagnostics: prefixed with the stage's name (`asr_avg_logprob`).
        language: that was detected; empty if the stage does not detect it.
    """

    text: str
    diagnostics: Mapping[str, float] = field(default_factory=dict)
    language: str = ""


class Recogniser(Protocol):
    """ASR or OCR. `recognise` may be called from many threads."""

    @property
    def description(self) -> str:
        """For the reason of an assisted condition: "ASR by faster-whisper"."""

    @property
    def part(self) -> Part: ...

    @property
    def weights_revision(self) -> str:
        """Of its checkpoint; empty if unknown."""

    @property
    def card_settings(self) -> Mapping[str, str]:
        """What the cascade's card says of its checkpoint: `asr_assumed` and `asr_force_padding`; mostly empty."""

    @property
    def max_audio_seconds(self) -> float:
        """Longest clip that it takes; 0 if it sets no limit or takes no audio."""

    @property
    def max_image_pixels(self) -> int:
        """Likewise for images."""

    def recognise(self, carrier: InputPart, language: str, gone: Gone) -> Recognised:
        """Raises ContractError for a carrier that cannot be recognised, or if the service is not available."""

    def close(self) -> None: ...


class RemoteRecogniser:
    """A service that transcribes a clip or reads an image."""

    def __init__(self, client: PartClient, prompt: str = "") -> None:
        """
        Args:
            prompt: sent after the carrier, for models that need an instruction.
        """
        self._client = client
        self._prompt = prompt
        self._stage = client.place.option
        self.part = client.part(self._stage)
        self.description = f"{self._stage.upper()} by {client.card.name}"
        self.weights_revision: str = weights_identity(client.card)
        self.card_settings: Mapping[str, str] = _card_settings(self._stage, client.card.settings)
        self.max_audio_seconds: float = client.card.limits.max_audio_seconds
        self.max_image_pixels: int = client.card.limits.max_image_pixels

    def recognise(self, carrier: InputPart, language: str, gone: Gone) -> Recognised:
        # Nothing of the request but the carrier: its typed instruction or decoding could steer the transcript.
        parts = (carrier, self._prompt) if self._prompt else (carrier,)
        answer = self._client.ask(Request(parts, Modality.TEXT, language=language), gone)
        done = completion_of(answer, self._stage)
        return Recognised(answer.own_text.strip(), done.diagnostics, done.detected_language)

    def close(self) -> None:
        self._client.close()


class InProcessAsr:
    """The ASR engine in this process. Clips that arrive while it is busy are transcribed together in the next batch."""

    def __init__(self, options: AsrOptions) -> None:
        self._engine = AsrEngine(options, "asr_")
        self._batcher: Batcher[AudioClip, Transcript] = Batcher("cascade-asr", self._transcribe, options.max_batch_size)
        checkpoint = self._engine.checkpoint
        self.description = f"ASR by faster-whisper ({checkpoint.name})"
        self.weights_revision = checkpoint.revision
        self.card_settings: Mapping[str, str] = _card_settings("asr", self._engine.settings)
        self.part = Part("asr", f"faster-whisper/{checkpoint.name}", self._digest())
        self.max_audio_seconds = 0.0
        self.max_image_pixels = 0

    def _digest(self) -> str:
        # The engine's source is in another package, which the cascade's own code hash does not cover.
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

    def recognise(self, carrier: InputPart, language: str, gone: Gone) -> Recognised:
        """The transcript of a clip.

        Raises:
            ContractError: BAD_MEDIA for an empty or non-finite clip, BAD_REQUEST for a language that the checkpoint
                does not know.
        """
        assert isinstance(carrier, AudioClip), "ASR takes audio"
        # Both checks come before the batch: an exception inside would fail all clips that share it.
        check_clip(carrier.samples)
        code = self._engine.language_code(language)
        # The engine decodes one language per pass, so the language is the batcher's kind.
        transcript = self._batcher.ask(resample(carrier, SAMPLE_RATE), code, gone)
        diagnostics = {"avg_logprob": transcript.avg_logprob, "no_speech_prob": transcript.no_speech_prob}
        return Recognised(transcript.text, prefixed("asr", diagnostics), transcript.language)

    def close(self) -> None:
        self._batcher.close()

    def _transcribe(self, clips: Sequence[AudioClip], language: Hashable) -> Sequence[Transcript]:
        return self._engine.transcribe([clip.samples for clip in clips], str(language))


class InProcessOcr:
    """The OCR engine of the `ocr` service in this process, for one caller at a time."""

    def __init__(self, image_side: int, threads: int) -> None:
        self._engine = OcrEngine(image_side, threads)
        # The engine is for one thread at a time.
        self._lock = threading.Lock()
        self.description = "OCR by RapidOCR"
        self.weights_revision = ""
        self.card_settings: Mapping[str, str] = {}
        self.part = Part("ocr", "rapidocr", self._engine.digest)
        self.max_audio_seconds = 0.0
        self.max_image_pixels = 0

    def recognise(self, carrier: InputPart, language: str, gone: Gone) -> Recognised:
        """The text of an image, one line of text per line of the image; empty if there is none."""
        assert isinstance(carrier, Image.Image), "OCR takes images"
        with self._lock:
            # Checked under the lock: waiting for it may have taken longer than the caller did.
            return Recognised("" if gone() else self._engine.read(carrier))

    def close(self) -> None:
        """Nothing to free."""


def _card_settings(stage: str, settings: Mapping[str, str]) -> dict[str, str]:
    # Without a dot in the name, so that the report shows them.
    return {f"{stage}_{key}": settings[key] for key in ("assumed", "force_padding") if key in settings}
