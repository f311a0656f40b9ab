"""Tables of the report: how often the scorer is right about known texts, and two scorers on the same answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.extras.asr_correction.corrected import CALIBRATED, CalibratedRow
from omnigap_orchestrator.extras.asr_correction.rates import CALIBRATION, GOLD, PLAIN, SOUND_ALIKE, RateRow
from omnigap_orchestrator.report import formatting, tables
from omnigap_orchestrator.report.sections.section import model_column
from omnigap_orchestrator.report.tables import Cell, Column, Table, make_table

FOILS = {
    "gold": "gold answers",
    "plain": "other answers",
    "sound_alike": "sound-alikes",
    "all_foils": "all wrong answers",
}


@dataclass(frozen=True, slots=True)
class _TypeRow:
    answer_type: str
    metric: str | None


def rates_table(analysis: Analysis, level: str) -> Table:
    """One row an answer type, and each of its metrics where it has several: q1 and q0 of each kind of foil."""
    rates = {(row.answer_type, row.metric, row.foil): row for row in analysis.rows(CALIBRATION)}

    def rate(foil: str, name: str) -> Column[_TypeRow]:
        def cell(row: _TypeRow) -> Cell:
            of = rates.get((row.answer_type, row.metric, foil))
            if of is None:
                return Cell(formatting.NOTHING, "", low="", high="")
            return Cell(
                f"{formatting.percent(of.estimate)} {formatting.interval(of.low, of.high, difference=False)}",
                tables.hundred(of.estimate),
                title=f"{formatting.plural(of.n, 'clip')} of {formatting.plural(of.texts, 'text')}",
                low=tables.hundred(of.low),
                high=tables.hundred(of.high),
            )

        return Column(name, cell, "q", numeric=True)

    def clips(row: _TypeRow) -> Cell:
        found = (rates.get((row.answer_type, row.metric, foil)) for foil in (GOLD, PLAIN, SOUND_ALIKE))
        return Cell(" / ".join(f"{of.n:,}" for of in found if of is not None), css="soft")

    return make_table(
        analysis.frame(CALIBRATION).unique(["answer_type", "metric"], keep="first", maintain_order=True),
        _TypeRow,
        "rates",
        "How often the scorer is right about known texts",
        [
            tables.text("answer_type", "Answer type"),
            _metric(),
            rate(GOLD, "q1, gold answers, %"),
            rate(PLAIN, "q0, other answers, %"),
            rate(SOUND_ALIKE, "q0, sound-alikes, %"),
            Column("Clips", clips, numeric=True),
        ],
        small=f"with {level} intervals, clips of one text as one cluster; synthetic speech, so optimistic",
    )


def _metric() -> Column[Any]:
    return tables.optional(tables.text("metric", "By", write=lambda name: name.replace("_", " "), definition="metric"))


def rate_details(analysis: Analysis, level: str) -> Table:
    return make_table(
        analysis.frame(CALIBRATION),
        RateRow,
        "rate-details",
        "The same with texts, voices and methods",
        [
            tables.text("answer_type", "Answer type"),
            _metric(),
            tables.text("quantity", "Rate", definition="q"),
            tables.text("foil", "Said", write=lambda foil: FOILS.get(foil, foil)),
            tables.percent("estimate", "Scored as it must be, %", definition="q"),
            tables.interval("low", "high", f"{level} interval", difference=False),
            tables.count("n", "Clips"),
            tables.count("texts", "Different texts", definition="q"),
            tables.count("voices", "Voices"),
            tables.method(),
        ],
    )


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
