"""Registers ASR correction: calibration of the scorer, human labels, and a second scorer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from omnigap_orchestrator.extension import Command, Extra

if TYPE_CHECKING:
    import polars as pl

    from omnigap_orchestrator.analysis import Analysis, AnalysisOptions
    from omnigap_orchestrator.analysis.table import Table, Tables
    from omnigap_orchestrator.extras.asr_correction.rates import AsrEvidence
    from omnigap_orchestrator.pipeline.cells import PlannedCells
    from omnigap_orchestrator.pipeline.context import RunContext
    from omnigap_orchestrator.pipeline.folder import RunFolder
    from omnigap_orchestrator.pipeline.scope import RunScope
    from omnigap_orchestrator.report.media import CollectMedia
    from omnigap_orchestrator.report.run_info import RunInfo
    from omnigap_orchestrator.report.sections.section import Section

_COMMANDS = "omnigap_orchestrator.extras.asr_correction.commands"


class AsrCorrection(Extra):
    """The extra `asr_correction`. Its evidence is an `AsrEvidence`: calibration and labels of the run folder."""

    name = "asr_correction"
    commands = {  # noqa: RUF012
        "calibrate": Command(
            f"{_COMMANDS}:calibrate",
            "Measure the error rates of the ASR scorer, to correct spoken answers for them.",
            after="report",
        ),
        "sample-clips": Command(
            f"{_COMMANDS}:sample_clips",
            "Draw spoken answers for human labels, as a listening sheet.",
            after="calibrate",
        ),
    }

    def options(self, command: str) -> Sequence[click.Option]:
        path = click.Path(dir_okay=False, path_type=Path)
        if command == "report":
            text = "CSV file of human labels, as `sample-clips` prepares it; the run folder keeps a copy."
            return (click.Option(["--labels"], type=path, metavar="FILE", help=text),)
        return ()

    async def after_pipeline(self, context: RunContext, cells: PlannedCells, scope: RunScope) -> None:
        from omnigap_orchestrator.extras.asr_correction.second_scorer import transcribe_again
        from omnigap_orchestrator.pipeline.scope import Stage

        second = cells.config.second_scorer
        if second is not None and Stage.TRANSCRIBE in scope.stages:
            await transcribe_again(context, cells, scope, second)

    def keep(self, folder: RunFolder, results: Callable[[], pl.DataFrame], given: Mapping[str, Any]) -> Sequence[Path]:
        """Keeps the labels of `report --labels`, so that later reports use them too."""
        from omnigap_orchestrator.extras.asr_correction.clips import keep_labels

        return () if given.get("labels") is None else (keep_labels(folder, given["labels"], results()),)

    def evidence(
        self, folder: RunFolder, cells: PlannedCells, results: pl.DataFrame, options: AnalysisOptions
    ) -> object | None:
        from omnigap_orchestrator.extras.asr_correction.clips import evidence_in

        return evidence_in(folder, cells, results)

    def files(self, folder: RunFolder) -> Sequence[Path]:
        return (folder.calibration, folder.labels)

    def scorer_errors(self, evidence: object | None) -> pl.DataFrame | None:
        from omnigap_orchestrator.extras.asr_correction.transcript_errors import errors_by_voice

        clips = None if evidence is None else cast("AsrEvidence", evidence).clips
        return None if clips is None else errors_by_voice(clips)

    def tables(self) -> Sequence[Table[Any]]:
        from omnigap_orchestrator.extras.asr_correction.corrected import CALIBRATED
        from omnigap_orchestrator.extras.asr_correction.human import HUMAN
        from omnigap_orchestrator.extras.asr_correction.rates import CALIBRATION
        from omnigap_orchestrator.extras.asr_correction.transcript_errors import TRANSCRIPT_ERRORS

        return (CALIBRATION, CALIBRATED, TRANSCRIPT_ERRORS, HUMAN)

    def summary(self, evidence: object | None) -> Mapping[str, Any]:
        return {"asr_correction_note": "" if evidence is None else cast("AsrEvidence", evidence).note}

    def report_sections(self, analysis: Analysis, results: pl.DataFrame, collect: CollectMedia) -> Sequence[Section]:
        from omnigap_orchestrator.extras.asr_correction.report_section import calibration_section

        section = calibration_section(analysis)
        return () if section is None else (section,)

    def methods(self, analysis: Analysis, info: RunInfo) -> str:
        from omnigap_orchestrator.extras.asr_correction.report_methods import correction_paragraph

        return correction_paragraph(analysis, info)

    def condition_columns(self, tables: Tables, model: str) -> Mapping[str, Mapping[str, str]]:
        from omnigap_orchestrator.cli.tables import estimate_text
        from omnigap_orchestrator.extras.asr_correction.corrected import CALIBRATED

        gaps = {
            row.condition: estimate_text(row.corrected_gap, row.gap_low, row.gap_high, sign="+")
            for row in tables.rows(CALIBRATED)
            if row.model == model and row.corrected_gap is not None
        }
        # The first screen does not show the note of the section, so the heading has the reason.
        evidence = getattr(tables, "evidence", {}).get(self.name)
        unlike = evidence is not None and cast("AsrEvidence", evidence).unlike
        return {"corrected for ASR errors" + unlike * " (unreliable: the clips are unlike the answers)": gaps}
