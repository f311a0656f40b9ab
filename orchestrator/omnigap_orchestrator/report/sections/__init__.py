"""The sections of the report, in the order in which a reader meets them; one file makes one section."""

from __future__ import annotations

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.extras.asr_correction.report_section import calibration_section
from omnigap_orchestrator.extras.readback.report_section import CarrierCheck, verification_section
from omnigap_orchestrator.extras.routing.report_section import routing_section
from omnigap_orchestrator.report.media import ReportMedia
from omnigap_orchestrator.report.sections.consistency import consistency_section
from omnigap_orchestrator.report.sections.controls import controls_section
from omnigap_orchestrator.report.sections.gaps import effect_section, gap_section
from omnigap_orchestrator.report.sections.latency import latency_section
from omnigap_orchestrator.report.sections.metrics import metrics_section
from omnigap_orchestrator.report.sections.missing import asr_section, missing_section
from omnigap_orchestrator.report.sections.power import power_section
from omnigap_orchestrator.report.sections.section import Section
from omnigap_orchestrator.report.sections.tasks import task_section
from omnigap_orchestrator.report.sections.types import architecture_section
from omnigap_orchestrator.report.sections.variance import variance_section
from omnigap_orchestrator.report.sections.waterfall import waterfall_section

__all__ = ["Section", "all_sections"]


def all_sections(
    analysis: Analysis, results: pl.DataFrame, check: CarrierCheck | None, media: ReportMedia
) -> tuple[Section, ...]:
    """Every section that has something to show.

    Args:
        check: what reading the carriers back found; media: its media.
    """
    found = (
        gap_section(analysis),
        effect_section(analysis),
        task_section(analysis),
        metrics_section(analysis),
        architecture_section(analysis),
        waterfall_section(analysis),
        controls_section(analysis),
        consistency_section(analysis),
        asr_section(analysis, results),
        calibration_section(analysis),
        verification_section(analysis, check, media),
        variance_section(analysis),
        routing_section(analysis),
        power_section(analysis),
        missing_section(analysis),
        latency_section(analysis),
    )
    return tuple(section for section in found if section is not None)
