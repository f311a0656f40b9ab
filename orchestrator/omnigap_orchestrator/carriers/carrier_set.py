"""The carriers of a plan: renderings of each question over the replicates, and the keys that they are kept by.

Rendered carriers are kept by what they were made from, so that the same is never made twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product

from omnigap.digest import digest_of, sha256_hex
from omnigap.vocabulary import Modality
from omnigap_orchestrator.carriers.blank import BLANK_VERSION
from omnigap_orchestrator.carriers.render import LAYOUT_VERSION, ImageStyle, font_digest, image_styles
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.plan import BLANK_TEXT

_MODALITIES = {"text": Modality.TEXT, "audio": Modality.SPEECH, "image": Modality.IMAGE}


@dataclass(frozen=True, slots=True)
class Carrier:
    """One question in one modality: `text` where it is typed, else a medium in the store."""

    sha: str
    mime_type: str
    text: str = ""

    @property
    def modality(self) -> Modality:
        return _MODALITIES[self.mime_type.partition("/")[0]]

    @classmethod
    def typed(cls, text: str) -> Carrier:
        """The carrier of a typed question."""
        return cls(sha256_hex(text.encode()), "text/plain", text)


@dataclass(frozen=True, slots=True)
class SpeechVariant:
    """How a question is read aloud; None leaves the choice to the TTS service."""

    voice: str | None
    words_per_minute: float | None


class CarrierSet:
    """The carriers of all cells. Replicates cycle through the speech variants and the image styles."""

    def __init__(self, config: Config) -> None:
        speech = config.carriers.speech
        self.styles: tuple[ImageStyle, ...] = image_styles(config.carriers.image)
        self.speech_variants = speech_variants(speech.voices, speech.words_per_minute)
        self._carriers: dict[tuple[str, Modality, int], Carrier] = {}
        self._blanks: dict[str, Carrier] = {}

    def variants(self, modality: Modality) -> int:
        """How many different renderings a modality has."""
        return {Modality.TEXT: 1, Modality.SPEECH: len(self.speech_variants), Modality.IMAGE: len(self.styles)}[
            modality
        ]

    def get(self, item_id: str, modality: Modality, replicate: int) -> Carrier | None:
        """The carrier of a replicate; None where it could not be made yet."""
        return self._carriers.get((item_id, modality, replicate % self.variants(modality)))

    def put(self, item_id: str, modality: Modality, variant: int, carrier: Carrier) -> None:
        self._carriers[item_id, modality, variant] = carrier

    def blank_of(self, carrier: Carrier) -> Carrier | None:
        """The carrier without content that takes a carrier's place; None where it could not be made yet."""
        return Carrier.typed(BLANK_TEXT) if carrier.modality is Modality.TEXT else self._blanks.get(carrier.sha)

    def put_blank(self, carrier: Carrier, blank: Carrier) -> None:
        self._blanks[carrier.sha] = blank

    def speech_variant(self, replicate: int) -> SpeechVariant:
        """How a replicate's question is read aloud."""
        return self.speech_variants[replicate % len(self.speech_variants)]

    def style(self, replicate: int) -> ImageStyle:
        """How a replicate's question is drawn."""
        return self.styles[replicate % len(self.styles)]


def speech_variants(voices: Sequence[str], rates: Sequence[float]) -> tuple[SpeechVariant, ...]:
    """Every voice at every rate, voices changing fastest: in step, a voice could not be told from its rate."""
    at: Sequence[float | None] = rates or [None]
    spoken_by: Sequence[str | None] = voices or [None]
    return tuple(SpeechVariant(voice, rate) for rate, voice in product(at, spoken_by))


def image_carrier_key(text: str, style: ImageStyle) -> str:
    """Digest over the text, the style and the font's file (read once), and the layout's version.

    Raises:
        CarrierError: where the font does not exist.
    """
    look = asdict(style) | {"font": font_digest(style.font)}
    return digest_of({"carrier": "image", "text": text, "style": look, "layout": LAYOUT_VERSION})


def blank_carrier_key(sha256: str) -> str:
    """Digest over the medium whose place a blank one takes, and how blanks are made."""
    return digest_of({"carrier": "blank", "of": sha256, "version": BLANK_VERSION})


def speech_carrier_key(text: str, voice: str | None, words_per_minute: float | None, tts_digest: str) -> str:
    """Digest over the text, the voice and its rate (None: the service's own) and the TTS service's digest."""
    rate = None if words_per_minute is None else float(words_per_minute)
    return digest_of({"carrier": "speech", "text": text, "voice": voice, "rate": rate, "tts": tts_digest})
