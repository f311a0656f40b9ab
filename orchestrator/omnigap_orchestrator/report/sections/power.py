"""The section of power and equivalence: what this run could have seen, and what it takes to claim no gap."""

from __future__ import annotations

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.equivalence import EQUIVALENCE, EquivalenceRow
from omnigap_orchestrator.analysis.power import POWER, PowerRow
from omnigap_orchestrator.report import formatting, tables
from omnigap_orchestrator.report.sections.section import Section, model_column
from omnigap_orchestrator.report.tables import make_table


def power_section(analysis: Analysis) -> Section | None:
    """q = n / needed at the declared target gap, the gap these items can show, and TOST at the declared margin."""
    if analysis.frame(POWER).is_empty():
        return None
    target = formatting.points(analysis.options.target_gap, signed=False)
    margin = formatting.points(analysis.options.margin, signed=False)
    power = make_table(
        analysis.frame(POWER),
        PowerRow,
        "power",
        f"Power for a gap of {target} points",
        [
            *model_column(analysis),
            tables.condition(),
            tables.count("n", "n", definition="n"),
            tables.number("phi", "Phi", definition="agreement"),
            tables.count("needed", "Items needed", definition="power"),
            tables.number("q", "q", definition="power"),
            tables.points("detectable_gap", "Gap that n can show", signed=False),
            tables.number("design_effect", "Design effect"),
        ],
        small="from this run's own phi; never from its observed gap",
    )
    equivalence = make_table(
        analysis.frame(EQUIVALENCE),
        EquivalenceRow,
        "equivalence",
        f"Is the gap within {margin} points?",
        [
            *model_column(analysis),
            tables.condition(),
            tables.text("verdict", "Verdict", definition="equivalence"),
            tables.points("estimate", "Gap"),
            tables.interval("low", "high", "Interval of the two tests"),
            tables.optional(tables.p_value("p", "p")),
            tables.count("n", "n", definition="n"),
            tables.count("needed", "Items needed to show it", definition="equivalence"),
            tables.method(),
        ],
        small="two one-sided tests",
    )
    refused = analysis.frame(EQUIVALENCE).filter(pl.col("verdict") == "refused")
    given = analysis.frame(POWER).join(refused, on=["model", "condition"], how="anti")
    enough = int((given["q"] >= 1).sum())
    return Section(
        "power",
        "What this run could have seen",
        "Power",
        f"{enough} of {given.height} contrasts have the items that a gap of {target} points takes. A gap "
        "below what n can show may be there unseen; no gap is claimed only where both one-sided tests against the "
        f"margin of {margin} points hold.",
        tables=tuple(table for table in (power, equivalence) if table.rows),
    )
