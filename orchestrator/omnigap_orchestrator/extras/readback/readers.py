"""Sends carriers to readers (OCR and ASR services), and stores each text under the carrier's bytes and the reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from omnigap.card import weights_identity
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, primary_language
from omnigap_orchestrator.carriers import spoken_text
from omnigap_orchestrator.carriers.carrier_set import Carrier
from omnigap_orchestrator.extras.readback.options import ReadOptions
from omnigap_orchestrator.fleet import Role
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.journal import Records
from omnigap_orchestrator.pipeline.cells import PlannedCells
from omnigap_orchestrator.pipeline.context import RunContext, ServiceCalls, call_for_each
from omnigap_orchestrator.pipeline.requests import carrier_part, decoding_message
from omnigap_orchestrator.pipeline.stored import stored_transcript
from omnigap_orchestrator.plan import scorer_key, transcript_key
from omnigap_orchestrator.pool import CallFailed, Service, Unavailable


@dataclass(frozen=True, slots=True)
class Rendering:
    """One rendering of the question of an item.

    Attributes:
        variant: index of the voice or font, which replicates cycle through.
        carrier: None if it was not generated yet.
        said: the expected text; None for a carrier that comes with the item, because its text is unknown.
    """

    item: Item
    modality: Modality
    variant: int
    carrier: Carrier | None
    said: str | None
    voice: str | None = None
    words_per_minute: float | None = None
    font: str | None = None
    font_size: int | None = None
    colour: str | None = None


def renderings_of(cells: PlannedCells) -> Iterator[Rendering]:
    """Every speech and image carrier of the plan, item by item."""
    inputs = {condition.input for condition in cells.plan.conditions}
    for item in cells.plan.items:
        for modality in (Modality.SPEECH, Modality.IMAGE):
            if modality not in inputs:
                continue
            if modality in item.carriers:
                yield Rendering(item, modality, 0, cells.carriers.get(item.id, modality, 0), None)
                continue
            for variant in range(min(cells.plan.replicates, cells.carriers.variants(modality))):
                yield _generated(cells, item, modality, variant)


def _generated(cells: PlannedCells, item: Item, modality: Modality, variant: int) -> Rendering:
    carrier = cells.carriers.get(item.id, modality, variant)
    if modality is Modality.SPEECH:
        spoken = cells.carriers.speech_variants[variant]
        said = spoken_text(item)
        return Rendering(item, modality, variant, carrier, said, spoken.voice, spoken.words_per_minute)
    style = cells.carriers.styles[variant]
    return Rendering(
        item, modality, variant, carrier, item.typed, font=style.font, font_size=style.size, colour=style.colour
    )


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader of one modality, of this or an earlier call.

    Attributes:
        languages: primary tags of the languages that it declares; empty: it declares none.
        kind: its name and weights. Readers of the same kind make the same errors, so they count once.
        asked: digest and request options, as a part of the keys of its readbacks.
    """

    modality: Modality
    name: str
    digest: str
    languages: frozenset[str]
    kind: str
    asked: str
    language: str | None = None

    def supports(self, language: str) -> bool:
        """Whether it supports a language, or declares no languages."""
        return not self.languages or primary_language(self.language or language) in self.languages

    def key(self, rendering: Rendering) -> str:
        """Key of a readback: the bytes of the carrier, the reader with its options, and the language."""
        assert rendering.carrier is not None
        return transcript_key(rendering.carrier.sha, self.asked, self.language or rendering.item.language)

    @classmethod
    def of(cls, modality: Modality, card: pb.DescribeResponse, options: ReadOptions) -> Reader:
        """The reader that a service describes."""
        asked = scorer_key(card.digest, options.decoding)
        if options.instruction:
            asked += f"\n{options.instruction}"
        languages = frozenset(primary_language(tag) for tag in card.languages)
        kind = f"{card.name} {weights_identity(card) or card.digest}"
        return cls(modality, card.name, card.digest, languages, kind, asked, options.language)


def stored_readers(records: Records, options: Mapping[Modality, ReadOptions]) -> list[Reader]:
    """Every reader that was used in this run, the latest first, with the options of the current configuration."""
    readers = []
    rows = [row for row in records.services.values() if row.role == Role.OCR]
    # The digest makes the order of readers with the same time reproducible.
    for row in sorted(rows, key=lambda row: (-row.seen_at, row.digest)):
        modality = Modality(row.name.partition("/")[0])
        readers.append(Reader.of(modality, pb.DescribeResponse.FromString(row.describe), options[modality]))
    return readers


class ReaderCalls:
    """The calls of one reader in one call of `verify`; stored readbacks are not requested again."""

    def __init__(
        self, context: RunContext, service: Service, reader: Reader, options: ReadOptions, timeout_s: float
    ) -> None:
        """`timeout_s` is the time limit of one request."""
        self._context = context
        self._reader = reader
        self._options = options
        self._calls = ServiceCalls(service, timeout_s, self._unavailable)

    async def run(self, renderings: Sequence[Rendering]) -> int:
        """Reads the carriers of its modality and languages that have no readback; returns how many are left."""
        reader, transcripts = self._reader, self._context.records.transcripts
        # Saved before the first request: `stored_readers` finds readbacks of an interrupted call by it. The role is
        # OCR for both modalities, to keep readers apart from the ASR scorer of the run.
        card_name = f"{reader.modality.value}/{reader.digest}"
        await self._context.save_services([(Role.OCR, card_name, self._calls.service)])
        supported = [
            r
            for r in renderings
            if r.modality is reader.modality and r.said is not None and r.carrier and reader.supports(r.item.language)
        ]
        # Several items may have the same carrier; equal bytes have equal keys and are read once.
        every = {reader.key(rendering): rendering for rendering in supported}
        todo = [(k, r) for k, r in every.items() if stored_transcript(transcripts, k, reader.digest) is None]
        unit = "readbacks of recordings" if reader.modality is Modality.SPEECH else "readbacks of images"
        progress = (self._context.observer, unit, len(every))
        await call_for_each(todo, self._read, self._calls, progress, self._failed)
        return sum(stored_transcript(transcripts, key, reader.digest) is None for key in every)

    async def _read(self, job: tuple[str, Rendering]) -> None:
        key, rendering = job
        await self._context.save_transcript(key, await self._calls.call(self._request(key, rendering)))

    def _failed(self, job: tuple[str, Rendering], failed: CallFailed) -> None:
        where = f"item {job[1].item.id!r}, {self._reader.modality.value}"
        self._context.observer.note(f"{where}: {self._reader.name} failed to read the carrier: {failed.error.message}")

    def _unavailable(self, reason: Unavailable) -> None:
        self._context.observer.note(f"{self._reader.name}: {reason}; the remaining carriers stay unread")

    def _request(self, key: str, rendering: Rendering) -> pb.GenerateRequest:
        assert rendering.carrier is not None
        # OCR gets the image only: text in the request could lead a model to the expected text.
        parts = [carrier_part(rendering.carrier, self._context.store.read)]
        if self._options.instruction:
            parts.append(pb.InputPart(text=self._options.instruction))
        return pb.GenerateRequest(
            request_id=f"{self._context.run_id}-{key}",
            parts=parts,
            output=pb.MODALITY_TEXT,
            decoding=decoding_message(self._options.decoding, 0),
            language=self._reader.language or rendering.item.language,
            # Readbacks are stored under this digest, so a service that was replaced meanwhile must refuse the call.
            expected_digest=self._reader.digest,
        )
