"""One call of `verify`, from fleet to files: has every made carrier read back, judges it, writes the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from omnigap.vocabulary import Modality
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.services import FleetKind
from omnigap_orchestrator.config.services import ServiceRole as Role
from omnigap_orchestrator.extras.readback.readers import Manner, Reader, ReadingBack, remembered
from omnigap_orchestrator.extras.readback.subjects import Subject, subjects_of
from omnigap_orchestrator.extras.readback.table import verification_table
from omnigap_orchestrator.extras.readback.verdict import MAX_WORD_ERROR
from omnigap_orchestrator.fleet import Fleet, Roster, StaticFleet, Wanted, choose
from omnigap_orchestrator.fleet.choose import lists_role, services_of
from omnigap_orchestrator.pipeline.cells import PlannedCells
from omnigap_orchestrator.pipeline.context import RunContext
from omnigap_orchestrator.pipeline.folder import replacing

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


def _manners(config: Config) -> dict[Modality, Manner]:
    """Recordings are heard as the answers are; images are read as `[reader]` says."""
    return {
        Modality.SPEECH: Manner(config.scorer.decoding, language=config.scorer.language),
        Modality.IMAGE: Manner(config.reader.decoding, config.reader.instruction),
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
            roster = Roster({}, scorer=addresses, tts=())
        else:
            addresses, what = self.choices.image_reader or config.reader.endpoints, "images are read"
            roster = Roster({}, (), (), reader=addresses)
        if addresses:
            return StaticFleet(roster, f"{what} at {', '.join(addresses)}")
        # Without a table for it, it comes from Compose or is the default one, whatever else the configuration starts.
        services = services_of(config) if lists_role(config, role) else ()
        return await choose(
            self.choices.fleet or config.fleet.kind,
            None,
            services,
            self.context.folder.services,
            self.context.observer.note,
            config.fleet.start_timeout_s,
            Wanted(models=(), scorer=role is Role.SCORER, tts=False, reader=role is Role.READER),
        )


def _role_of(modality: Modality) -> Role:
    """Recordings are read by the scorer, which hears the answers too; images by a reader of their own."""
    return Role.SCORER if modality is Modality.SPEECH else Role.READER
