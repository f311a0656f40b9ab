"""The sections of the report, in the order of the page."""

from __future__ import annotations

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.extension import extras
from omnigap_orchestrator.report.media import CollectMedia
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


def all_sections(analysis: Analysis, results: pl.DataFrame, collect: CollectMedia) -> tuple[Section, ...]:
    """Every section that has something to show, in the order of the page.

    Args:
        collect: embeds or links the media that a section of an extra shows.
    """
    # Sections without content keep their key in this list: extras refer to it with `Section.after`.
    found: list[tuple[str, Section | None]] = [
        ("gaps", gap_section(analysis)),
        ("effects", effect_section(analysis)),
        ("tasks", task_section(analysis)),
        ("metrics", metrics_section(analysis)),
        ("types", architecture_section(analysis)),
        ("waterfall", waterfall_section(analysis)),
        ("controls", controls_section(analysis)),
        ("consistency", consistency_section(analysis)),
        ("asr", asr_section(analysis, results)),
        ("variance", variance_section(analysis)),
        ("power", power_section(analysis)),
        ("missing", missing_section(analysis)),
        ("latency", latency_section(analysis)),
    ]
    for extra in extras():
        for section in extra.report_sections(analysis, results, collect):
            # After the section it names, and after sections of other extras that name the same one.
            preceding = [
                at
                for at, (key, other) in enumerate(found)
                if section.after == key or (other is not None and section.after == other.after)
            ]
            found.insert(preceding[-1] + 1 if preceding else len(found), (section.key, section))
    return tuple(section for _, section in found if section is not None)
