"""`[ocr]` of the configuration, how a reader is asked, and what a call of `verify` may choose."""

from __future__ import annotations

from dataclasses import dataclass

from omnigap.vocabulary import Modality
from omnigap_orchestrator.config.services import DecodingConfig, FleetKind
from omnigap_orchestrator.validation import EndpointList, StrictModel

MAX_WORD_ERROR = 0.2
"""Word error up to which a carrier counts as read back."""


class OcrConfig(StrictModel):
    """Who reads images back for `verify`: an OCR, or any other service that takes an image and writes text.

    Attributes:
        endpoints: empty: the fleet's own, which is started for `verify` alone.
        instruction: typed beside the image, for a model that has to be told what to do; an OCR takes none.
    """

    endpoints: EndpointList = ()
    instruction: str = ""
    decoding: DecodingConfig = DecodingConfig()


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a reader is asked, beside the carrier; all of it decides over what it writes.

    Attributes:
        instruction: typed beside an image; a recogniser of speech gets none.
        language: told instead of the item's own; None: the item's.
    """

    decoding: DecodingConfig
    instruction: str = ""
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Choices:
    """What a call of `verify` may choose.

    Attributes:
        ocr, asr: `host:port` of a service that reads instead of the run's own; empty: the run's.
        modalities: which carriers are read; what was read before is judged all the same.
    """

    fleet: FleetKind | None = None
    ocr: tuple[str, ...] = ()
    asr: tuple[str, ...] = ()
    modalities: tuple[Modality, ...] = (Modality.SPEECH, Modality.IMAGE)
    max_word_error: float = MAX_WORD_ERROR

    def names(self, modality: Modality) -> bool:
        """Whether this call says itself who reads a modality."""
        return bool(self.asr if modality is Modality.SPEECH else self.ocr)
