"""Registers read-back: `verify` reads rendered carriers with OCR and ASR, and marks those that lost content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from omnigap_orchestrator.extension import Command, Extra, Selection

if TYPE_CHECKING:
    import polars as pl

    from omnigap_orchestrator.analysis import Analysis, AnalysisOptions
    from omnigap_orchestrator.extras.readback.select import CarrierCheck
    from omnigap_orchestrator.pipeline.cells import PlannedCells
    from omnigap_orchestrator.pipeline.folder import RunFolder
    from omnigap_orchestrator.preflight import Finding, Inputs
    from omnigap_orchestrator.report.media import CollectMedia
    from omnigap_orchestrator.report.run_info import RunInfo
    from omnigap_orchestrator.report.sections.section import Section

MEDIA_BUDGET = 4_000_000
"""Bytes of base64 that the images and recordings of the section may add to the page; further ones are linked."""


class ReadBack(Extra):
    """Its evidence is a `CarrierCheck`; None if the run has no verification."""

    name = "readback"
    commands = {  # noqa: RUF012
        "verify": Command(
            "omnigap_orchestrator.extras.readback.commands:verify",
            "Read rendered carriers back with OCR and ASR, and mark those that lost content.",
            after="sample-clips",
        )
    }
    sections = {"ocr": "omnigap_orchestrator.extras.readback.options:OcrConfig"}  # noqa: RUF012

    def options(self, command: str) -> Sequence[click.Option]:
        if command != "report":
            return ()
        text = "Use only items whose generated carriers are all kept (see `verify`)."
        return (click.Option(["--verified-only"], is_flag=True, help=text),)

    def findings(self, inputs: Inputs) -> Sequence[Finding]:
        """Checks verification.parquet before a run: an unreadable one would fail the report at the end."""
        from omnigap_orchestrator.extras.readback.table import read_verification
        from omnigap_orchestrator.pipeline.folder import FolderError, RunFolder
        from omnigap_orchestrator.preflight import Finding

        try:
            read_verification(RunFolder(inputs.folder))
        except FolderError as error:
            return (Finding.failed("read-back", str(error)),)
        return ()

    def select(
        self, folder: RunFolder, results: pl.DataFrame, controls: pl.DataFrame | None, given: Mapping[str, Any]
    ) -> Selection | None:
        from omnigap_orchestrator.extras.readback.select import select_verified

        return select_verified(folder, results, controls) if given.get("verified_only") else None

    def evidence(
        self, folder: RunFolder, cells: PlannedCells, results: pl.DataFrame, options: AnalysisOptions
    ) -> object | None:
        from omnigap_orchestrator.extras.readback.select import carrier_check

        return carrier_check(folder, results, options)

    def files(self, folder: RunFolder) -> Sequence[Path]:
        return (folder.verification,)

    def summary(self, evidence: object | None) -> Mapping[str, Any]:
        from omnigap_orchestrator.extras.readback.check import count_by_rendering

        if evidence is None:
            return {"carriers": None}
        check = cast("CarrierCheck", evidence)
        return {"carriers": {"counts": count_by_rendering(check.table).to_dicts(), "gaps": check.gaps.to_dicts()}}

    def report_sections(self, analysis: Analysis, results: pl.DataFrame, collect: CollectMedia) -> Sequence[Section]:
        from omnigap_orchestrator.extras.readback.report_section import verification_section

        check = cast("CarrierCheck | None", analysis.evidence.get(self.name))
        if check is None:
            return ()
        # Lost carriers come first in `media`, so they are embedded first.
        return (verification_section(analysis, check, collect(check.media(), MEDIA_BUDGET)),)

    def methods(self, analysis: Analysis, info: RunInfo) -> str:
        check = cast("CarrierCheck | None", analysis.evidence.get(self.name))
        return "" if check is None else check.sentence()
