"""Tables of the report: error rates of the scorer on known texts, and two scorers on the same answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.extras.asr_correction.corrected import CALIBRATED, CalibratedRow
from omnigap_orchestrator.extras.asr_correction.rates import CALIBRATION, CONFUSABLE, DISTRACTOR, GOLD, RateRow
from omnigap_orchestrator.report import formatting, tables
from omnigap_orchestrator.report.sections.section import model_column
from omnigap_orchestrator.report.tables import Cell, Column, Table, make_table

KIND_NAMES = {
    "gold": "gold answers",
    "distractor": "distractors",
    "confusable": "confusables",
    "all_wrong": "all wrong answers",
}


@dataclass(frozen=True, slots=True)
class _TypeRow:
    answer_type: str
    metric: str | None


def rates_table(analysis: Analysis, level: str) -> Table:
    """q1 and q0 of each kind of clip; one row per answer type, and per metric of a type with several."""
    rates = {(row.answer_type, row.metric, row.clip_kind): row for row in analysis.rows(CALIBRATION)}

    def rate(clip_kind: str, name: str) -> Column[_TypeRow]:
        def cell(row: _TypeRow) -> Cell:
            of = rates.get((row.answer_type, row.metric, clip_kind))
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
        found = (rates.get((row.answer_type, row.metric, clip_kind)) for clip_kind in (GOLD, DISTRACTOR, CONFUSABLE))
        return Cell(" / ".join(f"{of.n:,}" for of in found if of is not None), css="soft")

    return make_table(
        analysis.frame(CALIBRATION).unique(["answer_type", "metric"], keep="first", maintain_order=True),
        _TypeRow,
        "rates",
        "Correct verdicts of the scorer on known texts",
        [
            tables.text("answer_type", "Answer type"),
            _metric(),
            rate(GOLD, "q1, gold answers, %"),
            rate(DISTRACTOR, "q0, distractors, %"),
            rate(CONFUSABLE, "q0, confusables, %"),
            Column("Clips", clips, numeric=True),
        ],
        small=f"with {level} intervals, clips of one text as one cluster; optimistic, because the speech is synthetic",
    )


def _metric() -> Column[Any]:
    return tables.optional(tables.text("metric", "By", write=lambda name: name.replace("_", " "), definition="metric"))


def rate_details(analysis: Analysis, level: str) -> Table:
    return make_table(
        analysis.frame(CALIBRATION),
        RateRow,
        "rate-details",
        "The same by texts and voices, with methods",
        [
            tables.text("answer_type", "Answer type"),
            _metric(),
            tables.text("quantity", "Rate", definition="q"),
            tables.text("clip_kind", "Clips of", write=lambda clip_kind: KIND_NAMES.get(clip_kind, clip_kind)),
            tables.percent("estimate", "Correctly scored, %", definition="q"),
            tables.interval("low", "high", f"{level} interval", difference=False),
            tables.count("n", "Clips"),
            tables.count("texts", "Different texts", definition="q"),
            tables.count("voices", "Voices"),
            tables.method(),
        ],
    )


def second_scorer_table(analysis: Analysis, level: str) -> Table:
    """One row per spoken condition that the second scorer has transcribed; empty without a second scorer."""
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
            tables.count("second_cells", "Answers"),
            tables.optional(tables.points("second_first_gap", "Gap, first scorer", definition="gap")),
            tables.optional(tables.points("second_gap", "Gap, second scorer", definition="gap")),
            tables.optional(tables.count("second_gap_n", "Pairs", definition="n")),
            tables.method("second_method"),
        ],
        small="on the answers that both have transcribed, paired by item; differences and gaps in points",
    )
