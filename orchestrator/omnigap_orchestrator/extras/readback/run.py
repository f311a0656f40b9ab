"""The carriers of a run that are to be read back: each with what it should say, and how it was made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from omnigap.vocabulary import Modality
from omnigap_orchestrator.carriers import spoken_text
from omnigap_orchestrator.carriers.carrier_set import Carrier
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.services import FleetKind
from omnigap_orchestrator.config.services import ServiceRole as Role
from omnigap_orchestrator.extras.readback.check import MAX_WORD_ERROR
from omnigap_orchestrator.extras.readback.readers import ReadOptions, Reader, ReadingBack, remembered
from omnigap_orchestrator.extras.readback.table import verification_table
from omnigap_orchestrator.fleet import Fleet, Endpoints, StaticFleet, Required, choose
from omnigap_orchestrator.fleet.choose import lists_role, services_of
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.pipeline.cells import PlannedCells
from omnigap_orchestrator.pipeline.context import RunContext
from omnigap_orchestrator.pipeline.folder import replacing


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


# One call of `verify`, from fleet to files: has every made carrier read back, judges it, writes the table.

_FIXES = {
    Modality.SPEECH: "start it, or name another with --speech-reader",
    Modality.IMAGE: "start it (Compose's: docker compose --profile ocr up -d --wait), or name another with "
    "--image-reader",
}


@dataclass(frozen=True, slots=True)
class Choices:
    """What a call of `verify` may choose.

    Attributes:
        image_reader, speech_reader: `host:port` of a service that reads instead of the run's own; empty: the run's.
        modalities: which carriers are read; what was read before is judged all the same.
    """

    fleet: FleetKind | None = None
    image_reader: tuple[str, ...] = ()
    speech_reader: tuple[str, ...] = ()
    modalities: tuple[Modality, ...] = (Modality.SPEECH, Modality.IMAGE)
    max_word_error: float = MAX_WORD_ERROR

    def names(self, modality: Modality) -> bool:
        """Whether this call says itself who reads a modality."""
        return bool(self.speech_reader if modality is Modality.SPEECH else self.image_reader)


@dataclass(frozen=True, slots=True)
class Readback:
    """What a call of `verify` came to.

    Attributes:
        table: of all carriers (`VERIFICATION_SCHEMA`), by whomever and whenever they were read.
        left: carriers that a reader whom this call names has not read, whoever else has.
    """

    table: pl.DataFrame
    left: int


async def verify(context: RunContext, cells: PlannedCells, choices: Choices) -> Readback:
    """Reads back what was not read yet, and writes the whole table.

    Raises:
        FleetError, JournalError, ServiceError: as `run`.
    """
    subjects = list(subjects_of(cells))
    call = _Call(cells.config, choices, context, subjects)
    left = 0
    for modality in choices.modalities:
        made = sum(s.modality is modality and s.said is not None and s.carrier is not None for s in subjects)
        if made:
            unread = await call.read_back(modality)
            left += (made if unread is None else unread) if choices.names(modality) else 0
    readers = remembered(context.records, _manners(cells.config))
    table = verification_table(subjects, readers, context.records.transcripts, choices.max_word_error)
    with replacing(context.folder.verification) as path:
        table.write_parquet(path)
    return Readback(table, left)


def _manners(config: Config) -> dict[Modality, ReadOptions]:
    """Recordings are heard as the answers are; images are read as `[reader]` says."""
    return {
        Modality.SPEECH: ReadOptions(config.scorer.decoding, language=config.scorer.language),
        Modality.IMAGE: ReadOptions(config.reader.decoding, config.reader.instruction),
    }


@dataclass(frozen=True, slots=True)
class _Call:
    """What one call works with; it has one modality after the other read."""

    config: Config
    choices: Choices
    context: RunContext
    subjects: Sequence[Subject]

    async def read_back(self, modality: Modality) -> int | None:
        """Brings the reader of a modality up, and has it read what it has not read yet.

        Returns:
            how many carriers it has still not read, of those in languages that it knows; None where it is away.
        """
        manner, note = _manners(self.config)[modality], self.context.observer.note
        async with self.context.using(await self._fleet(modality)) as endpoints:
            role = _role_of(modality)
            addresses = endpoints.scorer if modality is Modality.SPEECH else endpoints.reader
            service = await self.context.connect(role, addresses, self.config)
            if service is None:
                where = ", ".join(addresses) or "no endpoint is configured"
                note(f"the {role} is away ({where}): {modality.value} carriers stay unread; {_FIXES[modality]}")
                return None
            reader, timeout_s = Reader.of(modality, service.card, manner), self.config.run.request_timeout_s
            return await ReadingBack(self.context, service, reader, manner, timeout_s).run(self.subjects)

    async def _fleet(self, modality: Modality) -> Fleet:
        """Who reads a modality: the address of the call, else the configuration's, else what a fleet starts for it."""
        config, role = self.config, _role_of(modality)
        if role is Role.SCORER:
            addresses, what = self.choices.speech_reader or config.scorer.endpoints, "recordings are heard"
            endpoints = Endpoints({}, scorer=addresses, tts=())
        else:
            addresses, what = self.choices.image_reader or config.reader.endpoints, "images are read"
            endpoints = Endpoints({}, (), (), reader=addresses)
        if addresses:
            return StaticFleet(endpoints, f"{what} at {', '.join(addresses)}")
        # Without a table for it, it comes from Compose or is the default one, whatever else the configuration starts.
        services = services_of(config) if lists_role(config, role) else ()
        return await choose(
            self.choices.fleet or config.fleet.kind,
            None,
            services,
            self.context.folder.services,
            self.context.observer.note,
            config.fleet.start_timeout_s,
            Required(models=(), scorer=role is Role.SCORER, tts=False, reader=role is Role.READER),
        )


def _role_of(modality: Modality) -> Role:
    """Recordings are read by the scorer, which hears the answers too; images by a reader of their own."""
    return Role.SCORER if modality is Modality.SPEECH else Role.READER
