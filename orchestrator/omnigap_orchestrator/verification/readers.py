"""Asks readers for what carriers say, and keeps each reading under the carrier's bytes and the reader's digest."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, primary_language
from omnigap_orchestrator.carriers import MediaStore
from omnigap_orchestrator.config.services import DecodingConfig
from omnigap_orchestrator.dispatch import Away, CallFailed, Service
from omnigap_orchestrator.fleet import Role
from omnigap_orchestrator.journal import Journal, ServiceRow, TranscriptRow
from omnigap_orchestrator.journal.writer import JournalWriter
from omnigap_orchestrator.plan import scorer_key, transcript_key
from omnigap_orchestrator.run.asking import ask_side_by_side
from omnigap_orchestrator.run.generate import decoding_message
from omnigap_orchestrator.run.observer import Observer
from omnigap_orchestrator.run.store import Keeper
from omnigap_orchestrator.verification.subjects import Subject


@dataclass(frozen=True, slots=True)
class Manner:
    """How a reader is asked, beside the carrier; all of it decides over what it writes.

    Attributes:
        instruction: typed beside an image; a recogniser of speech gets none.
        language: told instead of the item's own; None: the item's.
    """

    decoding: DecodingConfig
    instruction: str = ""
    language: str | None = None


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
    def of(cls, modality: Modality, card: pb.DescribeResponse, manner: Manner) -> Reader:
        asked = scorer_key(card.digest, manner.decoding)
        if manner.instruction:
            asked += f"\n{manner.instruction}"
        known = frozenset(primary_language(tag) for tag in card.languages)
        kind = f"{card.name} {card.weights_revision or card.digest}"
        return cls(modality, card.name, card.digest, known, kind, asked, manner.language)


def remembered(journal: Journal, manners: Mapping[Modality, Manner]) -> list[Reader]:
    """Every reader that ever read for this run, the latest first, asked as the configuration says now."""
    readers = []
    rows = [row for row in journal.all(ServiceRow) if row.role == Role.READER]
    for row in sorted(rows, key=lambda row: (-row.seen_at, row.digest)):
        modality = Modality(row.name.partition("/")[0])
        readers.append(Reader.of(modality, pb.DescribeResponse.FromString(row.describe), manners[modality]))
    return readers


class ReadingBack:
    """One call of `verify` with one reader; what the journal holds is not read again."""

    def __init__(
        self,
        service: Service,
        reader: Reader,
        manner: Manner,
        store: MediaStore,
        journal: Journal,
        writer: JournalWriter,
        observer: Observer,
        timeout_s: float,
    ) -> None:
        self._service = service
        self._reader = reader
        self._manner = manner
        self._store = store
        self._keeper = Keeper(store, writer)
        self._writer = writer
        self._observer = observer
        self._timeout_s = timeout_s
        self._run_id = journal.run_id
        self._known = {row.key for row in journal.all(TranscriptRow)}

    async def run(self, subjects: Sequence[Subject]) -> int:
        """Reads what it has not read yet of its modality and languages; returns how many carriers are left."""
        reader = self._reader
        card = self._service.card.SerializeToString(deterministic=True)
        name = f"{reader.modality.value}/{reader.digest}"
        await self._writer.write(ServiceRow(Role.READER, name, reader.digest, card, time.time()))
        able = [
            s
            for s in subjects
            if s.modality is reader.modality and s.said is not None and s.carrier and reader.knows(s.item.language)
        ]
        # Items may share a carrier: equal bytes are read once.
        todo = {reader.key(subject): subject for subject in able}
        total = len(todo)
        todo = {key: subject for key, subject in todo.items() if key not in self._known}
        what = "readings of recordings" if reader.modality is Modality.SPEECH else "readings of images"
        progress = (self._observer, what, total)
        await ask_side_by_side(list(todo.items()), self._read, self._service, progress, self._failed, self._away)
        return len(todo.keys() - self._known)

    async def _read(self, job: tuple[str, Subject]) -> None:
        key, subject = job
        await self._keeper.transcript(key, await self._service.pool.call(self._request(key, subject), self._timeout_s))
        self._known.add(key)

    def _failed(self, job: tuple[str, Subject], failed: CallFailed) -> None:
        where = f"item {job[1].item.id!r}, {self._reader.modality.value}"
        self._observer.note(f"{where}: {self._reader.name} could not read it: {failed.error.message}")

    def _away(self, gone: Away) -> None:
        self._observer.note(f"{self._reader.name}: {gone}; what it has not read stays unread")

    def _request(self, key: str, subject: Subject) -> pb.GenerateRequest:
        assert subject.carrier is not None
        data, mime_type = self._store.read(subject.carrier.sha), subject.carrier.mime_type
        if subject.modality is Modality.SPEECH:
            parts = [pb.InputPart(audio=pb.Audio(data=data, mime_type=mime_type))]
        else:
            parts = [pb.InputPart(image=pb.Image(data=data, mime_type=mime_type))]
        if self._manner.instruction:
            parts.append(pb.InputPart(text=self._manner.instruction))
        return pb.GenerateRequest(
            request_id=f"{self._run_id}-{key}",
            parts=parts,
            output=pb.MODALITY_TEXT,
            decoding=decoding_message(self._manner.decoding, 0),
            language=self._reader.language or subject.item.language,
            expected_digest=self._reader.digest,
        )
