"""One call of `verify`: starts or connects the readers, reads the carriers, and writes verification.parquet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from omnigap.vocabulary import Modality
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.services import ServiceRole as Role
from omnigap_orchestrator.extras.readback.options import OcrConfig, ReadOptions, VerifyOptions
from omnigap_orchestrator.extras.readback.readers import (
    Reader,
    ReaderCalls,
    Rendering,
    renderings_of,
    stored_readers,
)
from omnigap_orchestrator.extras.readback.table import verification_table
from omnigap_orchestrator.fleet import Endpoints, Fleet, Required, StaticFleet
from omnigap_orchestrator.fleet.choose import lists_role, services_of
from omnigap_orchestrator.pipeline.cells import PlannedCells
from omnigap_orchestrator.pipeline.context import Observer, RunContext, in_thread, open_run
from omnigap_orchestrator.pipeline.folder import RunFolder, load_plan, replacing
from omnigap_orchestrator.pipeline.instruments import choose_fleet
from omnigap_orchestrator.pipeline.prepare import load_cells
from omnigap_orchestrator.pipeline.stored_files import remember
from omnigap_orchestrator.preflight import PreflightScope, run_preflight
from omnigap_orchestrator.run import refresh

VERIFY = PreflightScope(
    makes_carriers=False, generates=False, transcribes=False, judges=False, scores=False, connects=True
)
"""What the preflight checks for `verify`, which only reads existing carriers."""

_FIXES = {
    Modality.SPEECH: "start it, or name another with --asr",
    Modality.IMAGE: "start it (Compose's: docker compose --profile ocr up -d --wait), or name another with --ocr",
}


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The result of one call of `verify`.

    Attributes:
        table: all carriers with the readbacks of all readers, also of earlier calls (`VERIFICATION_SCHEMA`).
        left: number of carriers that the readers named by this call have not read.
    """

    table: pl.DataFrame
    left: int


async def verify(folder: RunFolder, options: VerifyOptions, observer: Observer) -> VerifyResult:
    """Reads the rendered carriers of a stored run back, and writes its public files again.

    Raises:
        FolderError: the folder has no run. Other errors as for `run.run`.
    """
    stored = load_plan(folder)
    run_preflight(*stored, VERIFY, folder.root, observer.note)
    async with open_run(folder, observer) as context:
        cells = load_cells(*stored, folder, context.records)
        result = await _read_back(context, cells, options)
        await in_thread(refresh, context, cells)
        return result


async def _read_back(context: RunContext, cells: PlannedCells, options: VerifyOptions) -> VerifyResult:
    """Reads the carriers that have no readback, and writes the complete table."""
    renderings = list(renderings_of(cells))
    call = _Call(cells.config, options, context, renderings)
    left = 0
    # One modality after the other: an embedded reader is stopped before the next one starts.
    for modality in options.modalities:
        generated = sum(r.modality is modality and r.said is not None and r.carrier is not None for r in renderings)
        if generated:
            unread = await call.read_back(modality)
            left += (generated if unread is None else unread) if options.overrides(modality) else 0
    readers = stored_readers(context.records, _read_options(cells.config))
    table = verification_table(renderings, readers, context.records.transcripts, options.max_word_error)
    with replacing(context.folder.verification) as path:
        table.write_parquet(path)
    remember(context.journal, context.folder.verification)
    return VerifyResult(table, left)


def _read_options(config: Config) -> dict[Modality, ReadOptions]:
    """Recordings use the options of the ASR scorer, images those of `[ocr]`."""
    ocr = config.section("ocr", OcrConfig)
    return {
        Modality.SPEECH: ReadOptions(config.scorer.decoding, language=config.scorer.language),
        Modality.IMAGE: ReadOptions(ocr.decoding, ocr.instruction),
    }


@dataclass(frozen=True, slots=True)
class _Call:
    config: Config
    options: VerifyOptions
    context: RunContext
    renderings: Sequence[Rendering]

    async def read_back(self, modality: Modality) -> int | None:
        """Starts the reader of a modality, and reads the carriers that it has not read yet.

        Returns:
            The number of carriers in supported languages that are still unread; None if the reader is unavailable.
        """
        options, note = _read_options(self.config)[modality], self.context.observer.note
        async with self.context.using(await self._fleet(modality)) as endpoints:
            role = _role_of(modality)
            addresses = endpoints.scorer if modality is Modality.SPEECH else endpoints.ocr
            service = await self.context.connect(role, addresses, self.config)
            # Not an error: other modalities can still be read, and the same command resumes.
            if service is None:
                where = ", ".join(addresses) or "no endpoint is configured"
                note(f"the {role} is unavailable ({where}): {modality.value} carriers stay unread; {_FIXES[modality]}")
                return None
            reader, timeout_s = Reader.of(modality, service.card, options), self.config.run.request_timeout_s
            return await ReaderCalls(self.context, service, reader, options, timeout_s).run(self.renderings)

    async def _fleet(self, modality: Modality) -> Fleet:
        """The fleet of a reader: addresses of the call, else of the configuration, else a fleet that starts it."""
        config, role = self.config, _role_of(modality)
        if role is Role.SCORER:
            addresses, use = self.options.asr or config.scorer.endpoints, "recordings are transcribed"
            endpoints = Endpoints({}, scorer=addresses, tts=())
        else:
            addresses, use = self.options.ocr or config.section("ocr", OcrConfig).endpoints, "images are read"
            endpoints = Endpoints({}, (), (), ocr=addresses)
        if addresses:
            return StaticFleet(endpoints, f"{use} at {', '.join(addresses)}")
        # If the configuration lists no service of this role, use Compose or the default service, even if it lists
        # services of other roles.
        services = services_of(config) if lists_role(config, role) else ()
        return await choose_fleet(
            self.context,
            config,
            Required(models=(), scorer=role is Role.SCORER, tts=False, ocr=role is Role.OCR),
            kind=self.options.fleet,
            services=services,
            remember=False,
        )


def _role_of(modality: Modality) -> Role:
    """Recordings are read by the ASR scorer of the answers, images by the OCR service."""
    return Role.SCORER if modality is Modality.SPEECH else Role.OCR
