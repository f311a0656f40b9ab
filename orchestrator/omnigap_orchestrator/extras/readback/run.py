"""One call of `verify`: has every rendered carrier read back, judges it, and writes the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from omnigap.vocabulary import Modality
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.services import ServiceRole as Role
from omnigap_orchestrator.extras.readback.options import Choices, OcrConfig, ReadOptions
from omnigap_orchestrator.extras.readback.readers import Reader, ReadingBack, Subject, remembered, subjects_of
from omnigap_orchestrator.extras.readback.table import verification_table
from omnigap_orchestrator.fleet import Endpoints, Fleet, Required, StaticFleet, choose
from omnigap_orchestrator.fleet.choose import lists_role, services_of
from omnigap_orchestrator.pipeline.cells import PlannedCells
from omnigap_orchestrator.pipeline.context import Observer, RunContext, in_thread, open_run
from omnigap_orchestrator.pipeline.folder import RunFolder, load_plan, replacing
from omnigap_orchestrator.pipeline.prepare import load_cells
from omnigap_orchestrator.preflight import PreflightScope, run_preflight
from omnigap_orchestrator.run import refresh

VERIFY = PreflightScope(
    makes_carriers=False, generates=False, transcribes=False, judges=False, scores=False, connects=True
)
"""`verify` finds the carriers that were made and has them read."""


# One call of `verify`, from fleet to files: has every made carrier read back, judges it, writes the table.

_FIXES = {
    Modality.SPEECH: "start it, or name another with --asr",
    Modality.IMAGE: "start it (Compose's: docker compose --profile ocr up -d --wait), or name another with --ocr",
}


@dataclass(frozen=True, slots=True)
class Readback:
    """What a call of `verify` came to.

    Attributes:
        table: of all carriers (`VERIFICATION_SCHEMA`), by whomever and whenever they were read.
        left: carriers that a reader whom this call names has not read, whoever else has.
    """

    table: pl.DataFrame
    left: int


async def verify(folder: RunFolder, choices: Choices, observer: Observer) -> Readback:
    """Reads the rendered carriers of a stored run back, and writes its files again.

    Raises:
        as `run.run`; FolderError where the folder holds no run.
    """
    stored = load_plan(folder)
    run_preflight(*stored, VERIFY, folder.root, observer.note)
    async with open_run(folder, observer) as context:
        cells = load_cells(*stored, folder, context.records)
        found = await _read_back(context, cells, choices)
        await in_thread(refresh, context, cells)
        return found


async def _read_back(context: RunContext, cells: PlannedCells, choices: Choices) -> Readback:
    """Reads back what was not read yet, and writes the whole table."""
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
    """Recordings are transcribed as the answers are; images are read as `[ocr]` says."""
    ocr = config.section("ocr", OcrConfig)
    return {
        Modality.SPEECH: ReadOptions(config.scorer.decoding, language=config.scorer.language),
        Modality.IMAGE: ReadOptions(ocr.decoding, ocr.instruction),
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
            addresses = endpoints.scorer if modality is Modality.SPEECH else endpoints.ocr
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
            addresses, what = self.choices.asr or config.scorer.endpoints, "recordings are heard"
            endpoints = Endpoints({}, scorer=addresses, tts=())
        else:
            addresses, what = self.choices.ocr or config.section("ocr", OcrConfig).endpoints, "images are read"
            endpoints = Endpoints({}, (), (), ocr=addresses)
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
            Required(models=(), scorer=role is Role.SCORER, tts=False, ocr=role is Role.OCR),
        )


def _role_of(modality: Modality) -> Role:
    """Recordings are read by the scorer, which hears the answers too; images by a reader of their own."""
    return Role.SCORER if modality is Modality.SPEECH else Role.OCR
