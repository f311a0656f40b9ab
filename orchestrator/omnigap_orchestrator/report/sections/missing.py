"""The section of denominators: what became of every planned cell, errors with an example, flags."""

from __future__ import annotations

import polars as pl

from omnigap.vocabulary import Outcome
from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.diagnostics.counts import ERRORS, FLAGS, ErrorRow, FlagRow
from omnigap_orchestrator.analysis.scores.denominators import CONDITION_COUNTS, ConditionRow
from omnigap_orchestrator.report import tables, words
from omnigap_orchestrator.report.sections.section import Section, model_column
from omnigap_orchestrator.report.tables import make_table


def missing_section(analysis: Analysis) -> Section:
    """What became of every planned cell, and why some have no answer."""
    counts = make_table(
        analysis.frame(CONDITION_COUNTS),
        ConditionRow,
        "denominators",
        "Denominators",
        [
            *model_column(analysis),
            tables.condition(),
            tables.text("support", "Support", css="soft", definition="outcomes"),
            tables.count("items", "Items"),
            tables.count("planned", "Planned", definition="outcomes"),
            tables.count("answered", "Answered"),
            tables.count("scored", "Scored"),
            tables.count("failed", "Failed", zero_soft=True),
            tables.count("pending", "Pending", zero_soft=True),
            tables.count("unsupported", "Unsupported", zero_soft=True),
        ],
        small="cells: items times replicates",
    )
    errors = make_table(
        analysis.frame(ERRORS),
        ErrorRow,
        "errors",
        "Cells without an answer",
        [
            *model_column(analysis),
            tables.condition(),
            tables.text("outcome", "Outcome"),
            tables.text("error_reason", "Reason"),
            tables.count("cells", "Cells"),
            tables.text("example", "Example message", css="soft long"),
        ],
    )
    flags = make_table(
        analysis.frame(FLAGS),
        FlagRow,
        "flags",
        "Flagged answers",
        [
            *model_column(analysis),
            tables.condition(),
            tables.text("flag", "Flag", write=lambda s: s.replace("_", " "), definition="flags"),
            tables.count("cells", "Cells"),
            tables.count("answered", "Of answered"),
            tables.percent("share", "Share, %"),
        ],
    )
    lost = int(analysis.frame(ERRORS).filter(pl.col("outcome") != Outcome.UNSUPPORTED.value)["cells"].sum())
    planned = int(analysis.frame(CONDITION_COUNTS)["planned"].sum())
    lead = f"All {words.plural(planned, 'planned cell')} were answered."
    if lost:
        lead = (
            f"{words.plural(lost, 'cell')} of {planned:,} planned lack an answer. "
            "They are missing: not wrong, and not dropped silently."
        )
    return Section(
        "missing",
        "What was asked, and what came back",
        "Missing",
        lead,
        tables=(counts, *(t for t in (errors, flags) if t.rows)),
    )
