"""Each question's carriers: which there are, under which key they are kept, and which were made already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from omnigap.digest import digest_of, sha256_hex
from omnigap.vocabulary import Control, Modality
from omnigap_orchestrator.carriers import (
    ImageStyle,
    MediaStore,
    blank_carrier_key,
    image_carrier_key,
    image_styles,
    speech_carrier_key,
    spoken_text,
)
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.items import Item, OwnCarrier
from omnigap_orchestrator.journal import CarrierRow, Journal
from omnigap_orchestrator.plan import BLANK_TEXT, Plan


@dataclass(frozen=True, slots=True)
class Carrier:
    """One question in one modality: `text` for typed ones, else a medium in the store."""

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


_MODALITIES = {"text": Modality.TEXT, "audio": Modality.SPEECH, "image": Modality.IMAGE}


@dataclass(frozen=True, slots=True)
class Reading:
    """How a question is read aloud; None leaves the choice to the TTS service."""

    voice: str | None
    words_per_minute: float | None


class CarrierSet:
    """Looks a cell's carrier up. Replicates cycle through the readings and the image styles."""

    def __init__(self, config: Config) -> None:
        speech = config.carriers.speech
        self.styles: tuple[ImageStyle, ...] = image_styles(config.carriers.image)
        self.readings = _readings(speech.voices, speech.words_per_minute)
        self._carriers: dict[tuple[str, Modality, int], Carrier] = {}
        self._blanks: dict[str, Carrier] = {}

    def variants(self, modality: Modality) -> int:
        """How many different renderings a modality has."""
        return {Modality.TEXT: 1, Modality.SPEECH: len(self.readings), Modality.IMAGE: len(self.styles)}[modality]

    def get(self, item_id: str, modality: Modality, replicate: int) -> Carrier | None:
        """The carrier of a replicate; None where it could not be made yet."""
        return self._carriers.get((item_id, modality, replicate % self.variants(modality)))

    def put(self, item_id: str, modality: Modality, variant: int, carrier: Carrier) -> None:
        self._carriers[item_id, modality, variant] = carrier

    def blank_of(self, carrier: Carrier) -> Carrier | None:
        """What takes a carrier's place and holds nothing; None where it could not be made yet."""
        return Carrier.typed(BLANK_TEXT) if carrier.modality is Modality.TEXT else self._blanks.get(carrier.sha)

    def put_blank(self, carrier: Carrier, blank: Carrier) -> None:
        self._blanks[carrier.sha] = blank

    def reading(self, replicate: int) -> Reading:
        """How a replicate's question is read aloud."""
        return self.readings[replicate % len(self.readings)]

    def style(self, replicate: int) -> ImageStyle:
        """How a replicate's question is drawn."""
        return self.styles[replicate % len(self.styles)]


def _readings(voices: Sequence[str], rates: Sequence[float]) -> tuple[Reading, ...]:
    """Every voice at every rate, voices changing fastest: in step, nobody could tell a voice from its rate."""
    at: Sequence[float | None] = rates or [None]
    spoken_by: Sequence[str | None] = voices or [None]
    return tuple(Reading(voice, rate) for rate, voice in product(at, spoken_by))


class CarrierFinder:
    """Finds what was made before, by the hash of what it was made from."""

    def __init__(self, config: Config, store: MediaStore, journal: Journal, tts_digest: str) -> None:
        self.set = CarrierSet(config)
        self._store = store
        self._tts_digest = tts_digest
        self._made = {row.key: row for row in journal.all(CarrierRow)}

    def missing(self, plan: Plan) -> list[tuple[Item, Modality, int]]:
        """Fills the set with all that is there; returns what must be made, in plan order."""
        inputs = {condition.input for condition in plan.conditions}
        wanted = [(modality, min(plan.replicates, self.set.variants(modality))) for modality in sorted(inputs)]
        missing = []
        for item in plan.items:
            for modality, variants in wanted:
                for variant in range(variants):
                    carrier = self.find(item, modality, variant)
                    if carrier is None:
                        missing.append((item, modality, variant))
                    else:
                        self.set.put(item.id, modality, variant, carrier)
        return missing

    def missing_blanks(self, plan: Plan) -> list[Carrier]:
        """Fills the set with the blanks that are there; returns the carriers that still need one, each once.

        Only a plan with the blank control has any. Carriers that are not made yet have none either.
        """
        if Control.BLANK not in plan.controls:
            return []
        missing: dict[str, Carrier] = {}
        for item in plan.items:
            for modality in {condition.input for condition in plan.conditions} - {Modality.TEXT}:
                for replicate in range(min(plan.replicates, self.set.variants(modality))):
                    carrier = self.set.get(item.id, modality, replicate)
                    if carrier is None or self.set.blank_of(carrier) is not None:
                        continue
                    row = self._made.get(blank_carrier_key(carrier.sha))
                    if row is not None and self._store.exists(row.media_sha):
                        self.set.put_blank(carrier, Carrier(row.media_sha, row.mime_type))
                    else:
                        missing[carrier.sha] = carrier
        return list(missing.values())

    def find(self, item: Item, modality: Modality, variant: int) -> Carrier | None:
        own = item.carriers.get(modality)
        if modality is Modality.TEXT:
            text = own.read().decode() if own is not None else item.typed
            return Carrier.typed(text)
        if own is not None and own.path is not None and self._store.root in own.path.parents:
            # Items read back from a run's own folder: the file's name is its hash already.
            return Carrier(own.path.stem, own.mime_type)
        row = self._made.get(self.key(item, modality, variant))
        return Carrier(row.media_sha, row.mime_type) if row is not None and self._store.exists(row.media_sha) else None

    def key(self, item: Item, modality: Modality, variant: int) -> str:
        """What the carrier is kept under; of a rendered one over text, style or voice, and what renders it."""
        own = item.carriers.get(modality)
        if own is not None:
            return _own_key(own)
        if modality is Modality.IMAGE:
            return image_carrier_key(item.typed, self.set.styles[variant])
        reading = self.set.readings[variant]
        return speech_carrier_key(spoken_text(item), reading.voice or "", reading.words_per_minute, self._tts_digest)


def _own_key(own: OwnCarrier) -> str:
    """Of a file by path, size and time, so that a resumed run need not read gigabytes again; of bytes by content."""
    if own.path is not None and own.data is None:
        stat = own.path.stat()
        return digest_of(["own", str(own.path.absolute()), stat.st_size, stat.st_mtime_ns])
    return digest_of(["own", sha256_hex(own.read())])
