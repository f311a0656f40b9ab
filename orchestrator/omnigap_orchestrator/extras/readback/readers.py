"""Asks readers for what carriers say, and keeps each reading under the carrier's bytes and the reader's digest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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
from omnigap_orchestrator.plan import scorer_key, transcript_key
from omnigap_orchestrator.pool import CallFailed, Service, Unavailable


@dataclass(frozen=True, slots=True)
class Subject:
    """One rendering of one item's question.

    Attributes:
        said: what it should say; None for a carrier of the item's own, whose words nobody gave.
        carrier: None where it was not made yet.
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


def subjects_of(cells: PlannedCells) -> Iterator[Subject]:
    """Every spoken and shown carrier that the plan uses, item by item."""
    inputs = {condition.input for condition in cells.plan.conditions}
    for item in cells.plan.items:
        for modality in (Modality.SPEECH, Modality.IMAGE):
            if modality not in inputs:
                continue
            if modality in item.carriers:
                yield Subject(item, modality, 0, cells.carriers.get(item.id, modality, 0), None)
                continue
            for variant in range(min(cells.plan.replicates, cells.carriers.variants(modality))):
                yield _made(cells, item, modality, variant)


def _made(cells: PlannedCells, item: Item, modality: Modality, variant: int) -> Subject:
    carrier = cells.carriers.get(item.id, modality, variant)
    if modality is Modality.SPEECH:
        spoken = cells.carriers.speech_variants[variant]
        said = spoken_text(item)
        return Subject(item, modality, variant, carrier, said, spoken.voice, spoken.words_per_minute)
    style = cells.carriers.styles[variant]
    return Subject(
        item, modality, variant, carrier, item.typed, font=style.font, font_size=style.size, colour=style.colour
    )


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader of one modality, now or in an earlier call; its readings are found again by `key`.

    Attributes:
        languages: primary tags that it says it knows; empty: it does not say.
        kind: its name and weights; readers of one kind are one opinion, of which the latest counts.
        asked: the key of how it was asked (`scorer_key`, and the instruction).
    """

    modality: Modality
    name: str
    digest: str
    languages: frozenset[str]
    kind: str
    asked: str
    language: str | None = None

    def knows(self, language: str) -> bool:
        return not self.languages or primary_language(self.language or language) in self.languages

    def key(self, subject: Subject) -> str:
        """Of a reading: the carrier's bytes, this reader as it is asked, and the language it is told."""
        assert subject.carrier is not None
        return transcript_key(subject.carrier.sha, self.asked, self.language or subject.item.language)

    @classmethod
    def of(cls, modality: Modality, card: pb.DescribeResponse, manner: ReadOptions) -> Reader:
        asked = scorer_key(card.digest, manner.decoding)
        if manner.instruction:
            asked += f"\n{manner.instruction}"
        known = frozenset(primary_language(tag) for tag in card.languages)
        kind = f"{card.name} {card.weights_revision or card.digest}"
        return cls(modality, card.name, card.digest, known, kind, asked, manner.language)


def remembered(records: Records, manners: Mapping[Modality, ReadOptions]) -> list[Reader]:
    """Every reader that ever read for this run, the latest first, asked as the configuration says now."""
    readers = []
    rows = [row for row in records.services.values() if row.role == Role.OCR]
    for row in sorted(rows, key=lambda row: (-row.seen_at, row.digest)):
        modality = Modality(row.name.partition("/")[0])
        readers.append(Reader.of(modality, pb.DescribeResponse.FromString(row.describe), manners[modality]))
    return readers


class ReadingBack:
    """One call of `verify` with one reader; what the journal holds is not read again."""

    def __init__(
        self, context: RunContext, service: Service, reader: Reader, manner: ReadOptions, timeout_s: float
    ) -> None:
        """`timeout_s` is that of one call."""
        self._context = context
        self._reader = reader
        self._manner = manner
        self._calls = ServiceCalls(service, timeout_s, self._away)

    async def run(self, subjects: Sequence[Subject]) -> int:
        """Reads what it has not read yet of its modality and languages; returns how many carriers are left."""
        reader, transcripts = self._reader, self._context.records.transcripts
        await self._context.save_service(Role.OCR, f"{reader.modality.value}/{reader.digest}", self._calls.service)
        able = [
            s
            for s in subjects
            if s.modality is reader.modality and s.said is not None and s.carrier and reader.knows(s.item.language)
        ]
        # Items may share a carrier: equal bytes are read once.
        every = {reader.key(subject): subject for subject in able}
        todo = [(key, subject) for key, subject in every.items() if key not in transcripts]
        what = "readings of recordings" if reader.modality is Modality.SPEECH else "readings of images"
        progress = (self._context.observer, what, len(every))
        await call_for_each(todo, self._read, self._calls, progress, self._failed)
        return len(every.keys() - transcripts.keys())

    async def _read(self, job: tuple[str, Subject]) -> None:
        key, subject = job
        await self._context.save_transcript(key, await self._calls.call(self._request(key, subject)))

    def _failed(self, job: tuple[str, Subject], failed: CallFailed) -> None:
        where = f"item {job[1].item.id!r}, {self._reader.modality.value}"
        self._context.observer.note(f"{where}: {self._reader.name} could not read it: {failed.error.message}")

    def _away(self, gone: Unavailable) -> None:
        self._context.observer.note(f"{self._reader.name}: {gone}; what it has not read stays unread")

    def _request(self, key: str, subject: Subject) -> pb.GenerateRequest:
        assert subject.carrier is not None
        parts = [carrier_part(subject.carrier, self._context.store.read)]
        if self._manner.instruction:
            parts.append(pb.InputPart(text=self._manner.instruction))
        return pb.GenerateRequest(
            request_id=f"{self._context.run_id}-{key}",
            parts=parts,
            output=pb.MODALITY_TEXT,
            decoding=decoding_message(self._manner.decoding, 0),
            language=self._reader.language or subject.item.language,
            expected_digest=self._reader.digest,
        )
