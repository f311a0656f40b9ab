"""The tables of a calibration itself: how often the scorer is right about gold answers and about wrong ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.instrument.rates import CALIBRATION, GOLD, PLAIN, SOUND_ALIKE, RateRow
from omnigap_orchestrator.report import tables, words
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
                return Cell(words.NOTHING, "", low="", high="")
            return Cell(
                f"{words.percent(of.estimate)} {words.interval(of.low, of.high, difference=False)}",
                tables.hundred(of.estimate),
                title=f"{words.plural(of.n, 'clip')} of {words.plural(of.texts, 'text')}",
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
