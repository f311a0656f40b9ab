"""Section on consistency: whether individual items, and not only their mean, agree over conditions."""

from __future__ import annotations

from typing import Any

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.agreement import AGREEMENT, AgreementRow
from omnigap_orchestrator.analysis.consistency import CONSISTENCY, ConsistencyRow
from omnigap_orchestrator.analysis.cross_modal import CROSS_MODAL, CrossModalRow
from omnigap_orchestrator.analysis.set_level import SET_LEVEL, SetLevelRow
from omnigap_orchestrator.report import formatting, select, tables
from omnigap_orchestrator.report.sections.section import Section, model_column
from omnigap_orchestrator.report.tables import Cell, Column, make_table

MEASURES = {
    "RER": "same answer in all conditions (RER)",
    "CFR": "not right in all, of those right in any (CFR)",
    "MMC": "right in any condition (MMC)",
    "all_right": "right in all conditions",
    "all_wrong": "wrong in all conditions",
}


def consistency_section(analysis: Analysis) -> Section | None:
    """RER, CFR and MMC with their values under independence; pairwise agreement and set-level measures, collapsed."""
    if analysis.frame(CONSISTENCY).is_empty():
        return None
    model = model_column(analysis)
    level = f"{select.level_words(analysis)} interval"
    measures = make_table(
        analysis.frame(CONSISTENCY),
        ConsistencyRow,
        "consistency",
        "Consistency over all conditions",
        [
            *model,
            tables.text("measure", "Items", write=lambda m: MEASURES.get(m, m), definition="consistency"),
            tables.percent("estimate", "Share, %"),
            tables.interval("low", "high", level, difference=False),
            tables.percent("if_independent", "If independent, %", definition="independence"),
            tables.percent("if_guessing", "If guessing, %", definition="independence"),
            tables.count("conditions", "Conditions"),
            tables.count("n", "n", definition="n"),
            tables.method(),
        ],
        note=_unknown_chance(analysis),
    )
    across = make_table(
        analysis.frame(CROSS_MODAL),
        CrossModalRow,
        "cross-modal",
        "Same answer to the same question in another modality",
        [
            *model,
            Column("Pair", _pair, "condition"),
            tables.percent("estimate", "Same answer, %", definition="cross_modal"),
            tables.interval("low", "high", level, difference=False),
            tables.percent("same_right", "Same and right, %"),
            tables.percent("same_wrong", "Same and wrong, %"),
            tables.percent("one_right", "Different, one right, %"),
            tables.percent("both_wrong", "Different, both wrong, %"),
            tables.count("n", "n", definition="n"),
            tables.method(),
        ],
        small="cross-modal consistency; only the input modality differs within a pair",
    )
    pairs = make_table(
        analysis.frame(AGREEMENT),
        AgreementRow,
        "agreement",
        "Agreement of pairs of conditions",
        [
            *model,
            Column("Pair", _pair, "condition"),
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
        analysis.frame(SET_LEVEL),
        SetLevelRow,
        "set-level",
        "Set-level measures, for comparison with other work",
        [
            *model,
            tables.text("measure", "Measure", write=lambda m: m.replace("_", " "), definition="set_level"),
            tables.text("formula", "Formula", css="soft formula"),
            tables.points("value", "Points"),
            tables.count("n", "n"),
        ],
        note="A disparity is the sum of two gaps.",
    )
    return Section(
        "consistency",
        "Consistency of items over conditions",
        "Consistency",
        "Two conditions can have the same score and still fail on different items. Right in any condition (MMC) is the "
        "upper bound of routing each item separately; guessing increases it.",
        tables=tuple(table for table in (measures, across) if table.rows),
        folded=tuple(table for table in (pairs, sets) if table.rows),
    )


def _unknown_chance(analysis: Analysis) -> str:
    """A remark on items whose chance is unknown; empty without any."""
    unknown = max(row.chance_unknown for row in analysis.rows(CONSISTENCY))
    if not unknown:
        return ""
    return (
        f"The chance of {formatting.plural(unknown, 'item')} is unknown and counts as 0: set [analysis] chance, or "
        "give a column chance."
    )


def _pair(row: AgreementRow | CrossModalRow) -> Cell:
    return Cell(f"{row.first}, {row.second}")


def _coefficients(name: str, label: str) -> Column[Any]:
    limits = (f"{name}_low", f"{name}_high")

    def cell(row: AgreementRow) -> Cell:
        # Coefficients are not shares, so they are neither in percent nor in points.
        low, high = (getattr(row, limit) for limit in limits)
        if low is None or high is None:
            return Cell("\u2013", low="", high="")
        return Cell(
            f"[{low:.2f}, {high:.2f}]".replace("-", "\u2212"), low=f"{low:.10g}", high=f"{high:.10g}", css="soft"
        )

    return Column(f"{name.capitalize()} {label}", cell, numeric=True, keys=limits)
