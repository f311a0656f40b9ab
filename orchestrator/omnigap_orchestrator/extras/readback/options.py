"""Section `[ocr]` of the configuration, request options of readers, and options of `verify`."""

from __future__ import annotations

from dataclasses import dataclass

from omnigap.vocabulary import Modality
from omnigap_orchestrator.config.services import DecodingConfig, FleetKind
from omnigap_orchestrator.validation import EndpointList, StrictModel

MAX_WORD_ERROR = 0.2
"""Default of the largest word error rate of a kept carrier."""


class OcrConfig(StrictModel):
    """The service that reads images back for `verify`: OCR, or any service with image input and text output.

    Attributes:
        endpoints: empty: the OCR service of the fleet, started for `verify` only.
        instruction: text sent with the image, for a vision model; OCR takes none.
    """

    endpoints: EndpointList = ()
    instruction: str = ""
    decoding: DecodingConfig = DecodingConfig()


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Request options of a reader; all of them change what it returns, so they are part of the key of a readback.

    Attributes:
        instruction: text sent with an image; not sent to an ASR service.
        language: replaces the language of the item; None: the language of the item.
    """

    decoding: DecodingConfig
    instruction: str = ""
    language: str | None = None


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """Options of one call of `verify`.

    Attributes:
        ocr, asr: `host:port` of services that replace the run's own readers; empty: the run's readers.
        modalities: carriers to read; existing readbacks of other modalities still count.
    """

    fleet: FleetKind | None = None
    ocr: tuple[str, ...] = ()
    asr: tuple[str, ...] = ()
    modalities: tuple[Modality, ...] = (Modality.SPEECH, Modality.IMAGE)
    max_word_error: float = MAX_WORD_ERROR

    def overrides(self, modality: Modality) -> bool:
        """Whether this call names the reader of a modality itself."""
        return bool(self.asr if modality is Modality.SPEECH else self.ocr)
