"""The section of consistency: whether single items, and not only their mean, fare alike in all conditions."""

from __future__ import annotations

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.report import slices, tables
from omnigap_orchestrator.report.sections.section import Section, model_column
from omnigap_orchestrator.report.tables import Cell, Column, Row, make_table

MEASURES = {
    "RER": "same answer everywhere (RER)",
    "CFR": "right somewhere, not everywhere (CFR)",
    "MMC": "right somewhere (MMC)",
    "all_right": "right everywhere",
    "all_wrong": "wrong everywhere",
}


def consistency_section(analysis: Analysis) -> Section | None:
    """RER, CFR and MMC beside what independence would give; agreement of pairs and set-level figures folded."""
    if analysis.consistency.is_empty():
        return None
    model = model_column(analysis)
    level = f"{slices.level_words(analysis)} interval"
    measures = make_table(
        analysis.consistency,
        "consistency",
        "Consistency over all conditions",
        [
            *model,
            tables.text("measure", "Items that are", write=lambda m: MEASURES.get(m, m), definition="consistency"),
            tables.percent("estimate", "Share, %"),
            tables.interval("low", "high", level, difference=False),
            tables.percent("if_independent", "If independent, %", definition="independence"),
            tables.optional(tables.percent("if_guessing", "If guessing, %", definition="independence")),
            tables.count("conditions", "Conditions"),
            tables.count("n", "n", definition="n"),
            tables.method(),
        ],
    )
    pairs = make_table(
        analysis.agreement,
        "agreement",
        "Agreement of each two conditions",
        [
            *model,
            Column("Pair", lambda r: Cell(f"{r['first']}, {r['second']}"), "condition"),
            tables.count("both_right", "Both right"),
            tables.count("first_only", "First only"),
            tables.count("second_only", "Second only"),
            tables.count("both_wrong", "Both wrong"),
            tables.number("kappa", "Kappa", definition="agreement"),
            _coefficients("kappa", level),
            tables.number("phi", "Phi", definition="agreement"),
            _coefficients("phi", level),
            tables.count("n", "n", definition="n"),
            tables.method(),
        ],
    )
    sets = make_table(
        analysis.set_level,
        "set-level",
        "Set-level figures, for comparison with other work",
        [
            *model,
            tables.text("measure", "Measure", write=lambda m: m.replace("_", " "), definition="set_level"),
            tables.text("formula", "Formula", css="soft formula"),
            tables.points("value", "Points"),
            tables.count("n", "n"),
        ],
        note="A disparity is the sum of two gaps, not one gap.",
    )
    return Section(
        "consistency",
        "Consistency of single items",
        "Consistency",
        "Two conditions can score the same and still fail on different questions. Right somewhere is the ceiling of "
        "any routing that chooses a form for each item; guessing alone lifts it.",
        tables=(measures,),
        folded=tuple(table for table in (pairs, sets) if table.rows),
    )


def _coefficients(name: str, label: str) -> Column:
    def cell(row: Row) -> Cell:
        low, high = row[f"{name}_low"], row[f"{name}_high"]
        if low is None or high is None:
            return Cell("\u2013", low="", high="")
        return Cell(
            f"[{low:.2f}, {high:.2f}]".replace("-", "\u2212"), low=f"{low:.10g}", high=f"{high:.10g}", css="soft"
        )

    return Column(f"{name.capitalize()} {label}", cell, numeric=True)
