"""The carriers of a run: spoken text, own media, blank media, speech variants, image styles, and their keys."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from PIL import Image

from omnigap.digest import digest_of, sha256_hex
from omnigap.errors import ContractError
from omnigap.media import AudioLimits, ImageLimits, decode_audio, decode_image, encode_pcm16, encode_png, encode_wav
from omnigap.vocabulary import CHOICE_LETTERS, Modality
from omnigap_orchestrator.carriers.media_store import CarrierError
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.sections import ImageConfig
from omnigap_orchestrator.items.item import EXTENSIONS, Item, ItemError, OwnCarrier
from omnigap_orchestrator.plan import BLANK_TEXT

_MODALITIES = {"text": Modality.TEXT, "audio": Modality.SPEECH, "image": Modality.IMAGE}


@dataclass(frozen=True, slots=True)
class Carrier:
    """One question in one modality: `text` for a text carrier, else a medium in the store."""

    sha: str
    mime_type: str
    text: str = ""

    @property
    def modality(self) -> Modality:
        return _MODALITIES[self.mime_type.partition("/")[0]]

    @classmethod
    def typed(cls, text: str) -> Carrier:
        """A text carrier."""
        return cls(sha256_hex(text.encode()), "text/plain", text)


@dataclass(frozen=True, slots=True)
class SpeechVariant:
    """Voice and rate of a spoken question; None leaves the choice to the TTS service."""

    voice: str | None
    words_per_minute: float | None


@dataclass(frozen=True, slots=True)
class ImageStyle:
    """Style of an image carrier. Lengths are in pixels.

    Attributes:
        font: a name in `render.FONTS` or `render.SYSTEM_FONTS`, or the path of a TrueType or OpenType file.
        line_spacing: distance of two lines, in multiples of the font's line height.
    """

    font: str = "DejaVu Sans"
    size: int = 28
    colour: str = "#1a1a1a"
    background: str = "white"
    width: int = 768
    margin: int = 36
    line_spacing: float = 1.25


class CarrierSet:
    """The carriers of all cells. Replicates cycle through the speech variants and image styles."""

    def __init__(self, config: Config) -> None:
        speech = config.carriers.speech
        self.styles: tuple[ImageStyle, ...] = image_styles(config.carriers.image)
        self.speech_variants = speech_variants(speech.voices, speech.words_per_minute)
        self._carriers: dict[tuple[str, Modality, int], Carrier] = {}
        self._blanks: dict[str, Carrier] = {}

    def variants(self, modality: Modality) -> int:
        """Number of different renderings of a modality."""
        return {Modality.TEXT: 1, Modality.SPEECH: len(self.speech_variants), Modality.IMAGE: len(self.styles)}[
            modality
        ]

    def get(self, item_id: str, modality: Modality, replicate: int) -> Carrier | None:
        """The carrier of a replicate; None if it does not exist yet."""
        return self._carriers.get((item_id, modality, replicate % self.variants(modality)))

    def put(self, item_id: str, modality: Modality, variant: int, carrier: Carrier) -> None:
        self._carriers[item_id, modality, variant] = carrier

    def blank_of(self, carrier: Carrier) -> Carrier | None:
        """The blank carrier that replaces a carrier; None if it does not exist yet."""
        return Carrier.typed(BLANK_TEXT) if carrier.modality is Modality.TEXT else self._blanks.get(carrier.sha)

    def put_blank(self, carrier: Carrier, blank: Carrier) -> None:
        self._blanks[carrier.sha] = blank

    def speech_variant(self, replicate: int) -> SpeechVariant:
        """Voice and rate of a replicate."""
        return self.speech_variants[replicate % len(self.speech_variants)]

    def style(self, replicate: int) -> ImageStyle:
        """Image style of a replicate."""
        return self.styles[replicate % len(self.styles)]


def speech_variants(voices: Sequence[str], rates: Sequence[float]) -> tuple[SpeechVariant, ...]:
    """Every voice at every rate, voices changing fastest.

    Crossing both, instead of pairing them, lets the effects of voice and rate be separated.
    """
    at: Sequence[float | None] = rates or [None]
    spoken_by: Sequence[str | None] = voices or [None]
    return tuple(SpeechVariant(voice, rate) for rate, voice in product(at, spoken_by))


def image_styles(config: ImageConfig) -> tuple[ImageStyle, ...]:
    """All combinations of the configured values, fonts changing fastest. Replicates cycle through them."""
    combined = product(config.width, config.background, config.colour, config.size, config.font)
    return tuple(
        ImageStyle(font, size, colour, background, width, config.margin, config.line_spacing)
        for width, background, colour, size, font in combined
        if colour != background  # text in the colour of its background would be invisible
    )


# A gap to be filled in, written as underscores or dots, is spoken as the word "blank".
_BLANK = re.compile(r"_{2,}|\.{4,}|…{2,}")

# Markdown emphasis, code and headings, which a TTS service would read aloud.
_MARKUP = re.compile(r"\*{1,3}(?=\S)|(?<=\S)\*{1,3}|`+|^#{1,6}\s+", re.MULTILINE)
_BULLET = re.compile(r"^\s*[-•]\s+", re.MULTILINE)
_ENDS_SENTENCE = (".", "?", "!", ":", ";", ",", "…", "。", "？", "！", "¿", "¡")


def spoken_text(item: Item) -> str:
    """The text that a TTS service reads, on one line: the question, then each choice as a sentence, `A: Paris.`.

    Raises:
        CarrierError: the text contains nothing that can be spoken.
    """
    sentences = [pronounceable(item.question)]
    sentences += [
        _sentence(f"{letter}: {pronounceable(choice)}")
        for letter, choice in zip(CHOICE_LETTERS, item.choices, strict=False)
    ]
    # A full stop makes the voice pause, so that the question does not run into the first choice.
    if item.choices:
        sentences[0] = _sentence(sentences[0])
    text = " ".join(sentence for sentence in sentences if sentence)
    if not any(character.isalnum() for character in text):
        raise CarrierError(
            f"item {item.id!r}: the question {item.question!r} contains nothing that can be spoken: "
            "give the item its own recording, carriers.speech"
        )
    return text


def pronounceable(text: str) -> str:
    """A text on one line without markup. Line ends become pauses, and gaps to fill in become the word `blank`."""
    text = _BLANK.sub(" blank ", text)
    text = _MARKUP.sub("", _BULLET.sub("", text))
    lines = [" ".join(line.split()) for line in text.split("\n")]
    lines = [line for line in lines if line]
    joined = " ".join([*(_sentence(line) for line in lines[:-1]), *lines[-1:]])
    return re.sub(r"\bblank ([.?!,;:])", r"blank\1", joined)


def _sentence(text: str) -> str:
    return text if not text or text.endswith(_ENDS_SENTENCE) else f"{text}."


@dataclass(frozen=True, slots=True)
class CheckedMedium:
    """A medium that was decoded successfully.

    Attributes:
        data: the original bytes, which are stored and sent.
        extension: file extension in the media store.
        seconds: duration of audio; 0 for an image.
        size: width and height of an image in pixels; (0, 0) for audio.
    """

    data: bytes
    mime_type: str
    extension: str
    sha256: str
    seconds: float = 0.0
    size: tuple[int, int] = (0, 0)


def check_own_carrier(
    item: Item,
    modality: Modality,
    *,
    audio_limits: AudioLimits | None = None,
    image_limits: ImageLimits | None = None,
) -> CheckedMedium:
    """Reads and decodes an item's own recording or picture.

    Raises:
        ItemError: the medium can't be read or decoded, or exceeds the limits; the message names item and file.
        KeyError: the item has no such carrier.
    """
    carrier = item.carriers[modality]
    where = f"item {item.id!r}: carriers.{modality}: {_name_of(carrier)}"
    try:
        data = carrier.read()
    except OSError as error:
        raise ItemError(f"{where}: can't be read: {error.strerror}") from error
    seconds, size = 0.0, (0, 0)
    try:
        if modality is Modality.SPEECH:
            seconds = decode_audio(data, carrier.mime_type, limits=audio_limits).seconds
        else:
            size = decode_image(data, carrier.mime_type, limits=image_limits).size
    except ContractError as error:
        raise ItemError(f"{where}: {error.message}") from error
    return CheckedMedium(
        data, carrier.mime_type, EXTENSIONS[carrier.mime_type], sha256_hex(data), round(seconds, 3), size
    )


def _name_of(carrier: OwnCarrier) -> str:
    return str(carrier.path) if carrier.path is not None else f"{len(carrier.data or b'')} bytes in the row"


BLANK_VERSION = 1
"""Part of the key of every blank carrier; increase it if the same medium gives a different blank."""


def blank_image(data: bytes, mime_type: str) -> bytes:
    """A white PNG of the same size as the image.

    Raises:
        ContractError: see `decode_image`.
    """
    return encode_png(Image.new("RGB", decode_image(data, mime_type).size, "white"))


def silence(data: bytes, mime_type: str) -> bytes:
    """A silent mono WAV of the same length and sample rate as the recording.

    Raises:
        ContractError: see `decode_audio`.
    """
    clip = decode_audio(data, mime_type)
    return encode_wav(encode_pcm16(np.zeros_like(clip.samples)), clip.sample_rate)


def blank_carrier_key(sha256: str) -> str:
    """Key of a blank carrier: a digest of the replaced medium and the version of blanks."""
    return digest_of({"carrier": "blank", "of": sha256, "version": BLANK_VERSION})


def speech_carrier_key(text: str, voice: str | None, words_per_minute: float | None, tts_digest: str) -> str:
    """Key of a speech carrier: a digest of the text, voice, rate (None: the service's default) and TTS service."""
    rate = None if words_per_minute is None else float(words_per_minute)
    return digest_of({"carrier": "speech", "text": text, "voice": voice, "rate": rate, "tts": tts_digest})
