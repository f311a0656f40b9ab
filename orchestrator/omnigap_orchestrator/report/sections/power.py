"""Section on power and equivalence: which gaps this run can detect, and whether it shows the absence of a gap."""

from __future__ import annotations

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.equivalence import EQUIVALENCE, EquivalenceRow
from omnigap_orchestrator.analysis.power import POWER, PowerRow
from omnigap_orchestrator.report import formatting, tables
from omnigap_orchestrator.report.sections.section import Section, model_column
from omnigap_orchestrator.report.tables import make_table


def power_section(analysis: Analysis) -> Section | None:
    """Power for the target gap, the smallest detectable gap, and TOST (two one-sided tests) for the margin."""
    # Of random weights, no sample size and no equivalence is stated.
    real = ~pl.col("model").is_in(list(analysis.random_weights))
    planned, tested = analysis.frame(POWER).filter(real), analysis.frame(EQUIVALENCE).filter(real)
    if planned.is_empty():
        return None
    target = formatting.points(analysis.options.target_gap, signed=False)
    margin = formatting.points(analysis.options.margin, signed=False)
    power = make_table(
        planned,
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
            tables.points("detectable_gap", "Detectable gap", signed=False),
            tables.number("design_effect", "Design effect"),
        ],
        small="from the phi of this run, not from its observed gap",
    )
    equivalence = make_table(
        tested,
        EquivalenceRow,
        "equivalence",
        f"Is the gap within {margin} points?",
        [
            *model_column(analysis),
            tables.condition(),
            tables.text("verdict", "Verdict", definition="equivalence"),
            tables.points("estimate", "Gap"),
            tables.interval("low", "high", "Interval of the two tests"),
            tables.interval("wrong_low", "wrong_high", "With missing as wrong"),
            tables.interval("bound_low", "bound_high", "Worst cases of missing answers"),
            tables.optional(tables.text("reason", "Why it is not claimed", css="soft")),
            tables.optional(tables.p_value("p", "p")),
            tables.count("n", "n", definition="n"),
            tables.count("needed", "Items needed", definition="equivalence"),
            tables.method(),
        ],
        small="two one-sided tests",
    )
    # A refused gap has no estimate, so it can't count as one that the run can detect.
    refused = tested.filter(pl.col("verdict") == "refused")
    given = planned.join(refused, on=["model", "condition"], how="anti")
    enough = int((given["q"] >= 1).sum())
    return Section(
        "power",
        "Power and equivalence",
        "Power",
        f"{enough} of {given.height} contrasts have enough items to detect a gap of {target} points. A gap smaller "
        "than the detectable gap can go unnoticed. Absence of a gap is claimed only if both one-sided tests against "
        f"the margin of {margin} points are significant, also with missing answers as wrong and in the worst case.",
        tables=tuple(table for table in (power, equivalence) if table.rows),
    )
