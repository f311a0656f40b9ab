"""The table of two ASR scorers on the same answers: what each makes of them, and how far they lie apart."""

from __future__ import annotations

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.instrument.calibrated import CALIBRATED, CalibratedRow
from omnigap_orchestrator.report import tables
from omnigap_orchestrator.report.sections.section import model_column
from omnigap_orchestrator.report.tables import Table, make_table


def second_scorer_table(analysis: Analysis, level: str) -> Table:
    """One row a spoken condition that the second scorer has heard; no rows without one."""
    return make_table(
        analysis.frame(CALIBRATED).filter(pl.col("second_n") > 0),
        CalibratedRow,
        "second-scorer",
        "Two scorers on the same answers",
        [
            *model_column(analysis),
            tables.condition(),
            tables.percent("second_first", "First scorer, raw, %", definition="second_scorer"),
            tables.percent("second_scorer", "Second scorer, raw, %", definition="second_scorer"),
            tables.points("second_difference", "Second minus first", definition="second_scorer"),
            tables.interval("second_low", "second_high", f"{level} interval"),
            tables.count("second_n", "n", definition="n"),
            tables.count("second_cells", "Answers both heard"),
            tables.optional(tables.points("second_first_gap", "Gap by the first", definition="gap")),
            tables.optional(tables.points("second_gap", "Gap by the second", definition="gap")),
            tables.optional(tables.count("second_gap_n", "Pairs", definition="n")),
            tables.method("second_method"),
        ],
        small="both on the answers that both have heard, paired by item; differences and gaps in points",
    )
