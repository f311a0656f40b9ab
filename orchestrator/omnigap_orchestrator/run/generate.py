"""The generate stage: every planned cell without a stored answer is asked, model beside model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import lru_cache

from omnigap import convert
from omnigap.client import Answer
from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Outcome, Reason
from omnigap_orchestrator.carriers import MediaStore
from omnigap_orchestrator.config.services import DecodingConfig
from omnigap_orchestrator.dispatch import Away, CallFailed, Service
from omnigap_orchestrator.journal import AnswerRow
from omnigap_orchestrator.journal.writer import JournalWriter
from omnigap_orchestrator.run.book import Entry
from omnigap_orchestrator.run.carriers import Carrier
from omnigap_orchestrator.run.failures import failure_row
from omnigap_orchestrator.run.observer import Observer
from omnigap_orchestrator.run.settings import Stage
from omnigap_orchestrator.run.store import Keeper

OnAnswer = Callable[[Entry, AnswerRow], None]
SecondPass = Callable[[Entry, str], Entry]

CACHED_CARRIERS = 128


class Generation:
    """Asks one model its open cells."""

    def __init__(
        self,
        service: Service,
        store: MediaStore,
        keeper: Keeper,
        writer: JournalWriter,
        observer: Observer,
        run_id: str,
        timeout_s: float,
        on_answer: OnAnswer,
        second_pass: SecondPass,
    ) -> None:
        self._service = service
        # Both output conditions, and every replicate without a voice or font of its own, send the same bytes.
        self._read = lru_cache(maxsize=CACHED_CARRIERS)(store.read)
        self._keeper = keeper
        self._writer = writer
        self._observer = observer
        self._run_id = run_id
        self._timeout_s = timeout_s
        self._on_answer = on_answer
        self._second_pass = second_pass
        self._away = False

    async def run(self, open_cells: Iterator[Entry]) -> None:
        """Asks until the cells or the service are gone. Storing one answer overlaps with asking the next."""
        async with asyncio.TaskGroup() as group:
            for _ in range(2 * self._service.pool.capacity):
                group.create_task(self._work(open_cells))

    async def _work(self, open_cells: Iterator[Entry]) -> None:
        for entry in open_cells:
            if self._away:
                return
            row = await self._ask(entry)
            if row is not None and entry.is_first_pass:
                # A cell in two passes is one cell: the same worker asks the second as soon as the first is kept.
                entry = self._second_pass(entry, row.own_text)
                row = await self._ask(entry)
            if row is not None:
                cell = entry.cell
                self._observer.finished(Stage.GENERATE, cell.model, cell.condition, Outcome.ANSWERED, cell.control)
                self._on_answer(entry, row)

    async def _ask(self, entry: Entry) -> AnswerRow | None:
        """Asks and keeps; None where it failed, which is journalled, or where the service is away."""
        if self._away:
            return None
        try:
            answer = await self._service.pool.call(self._request(entry), self._timeout_s)
            self._check(entry, answer)
        except Away as away:
            if not self._away:
                self._observer.note(f"{self._service.name}: {away}; its open cells stay pending")
            self._away = True
            return None
        except CallFailed as failed:
            await self._fail(entry, failed)
            return None
        assert entry.key is not None
        return await self._keeper.answer(entry.key, answer)

    def _request(self, entry: Entry) -> pb.GenerateRequest:
        cell, item, spec = entry.cell, entry.item, entry.subject.spec
        assert entry.carrier is not None and entry.key is not None
        parts = [carrier_part(entry.carrier, self._read)]
        if entry.instruction:
            parts.append(pb.InputPart(text=entry.instruction))
        return pb.GenerateRequest(
            # With the run in it: another run's question is not answered from what the server still remembers.
            request_id=f"{self._run_id}-{entry.key}",
            system_prompt=spec.system_prompt,
            parts=parts,
            output=convert.modality_to_proto(cell.condition.output),
            decoding=decoding_message(spec.decoding, cell.replicate),
            voice=pb.VoiceSettings(name=spec.voice),
            language=item.language,
            expected_digest=self._service.digest,
        )

    def _check(self, entry: Entry, answer: Answer) -> None:
        """A speech answer without a byte of audio is an answer (silent); audio nobody asked for breaks the contract."""
        if answer.pcm and entry.cell.condition.output is Modality.TEXT:
            error = ContractError(Reason.MODEL_ERROR, "the model sent audio where text was asked for")
            raise CallFailed(error, answer.endpoint, 1)

    async def _fail(self, entry: Entry, failed: CallFailed) -> None:
        cell = entry.cell
        await self._writer.write(failure_row(Stage.GENERATE, cell, failed))
        self._observer.finished(Stage.GENERATE, cell.model, cell.condition, Outcome.FAILED, cell.control)


def carrier_part(carrier: Carrier, read: Callable[[str], bytes]) -> pb.InputPart:
    """The carrier as it travels: its text, or its bytes, read by their SHA-256."""
    if carrier.modality is Modality.TEXT:
        return pb.InputPart(text=carrier.text)
    data = read(carrier.sha)
    if carrier.modality is Modality.SPEECH:
        return pb.InputPart(audio=pb.Audio(data=data, mime_type=carrier.mime_type))
    return pb.InputPart(image=pb.Image(data=data, mime_type=carrier.mime_type))


def decoding_message(decoding: DecodingConfig, replicate: int) -> pb.Decoding:
    """The decoding of one replicate: each has its own seed, so that sampled replicates differ."""
    fields = decoding.model_dump(exclude_none=True)
    if decoding.seed is not None:
        fields["seed"] = decoding.seed + replicate
    return pb.Decoding(**fields)
