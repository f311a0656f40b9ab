"""The tables of a calibration itself: how often the scorer is right about gold answers and about wrong ones."""

from __future__ import annotations

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.report import tables, words
from omnigap_orchestrator.report.tables import Cell, Column, Row, Table, make_table

FOILS = {
    "gold": "gold answers",
    "plain": "other answers",
    "sound_alike": "sound-alikes",
    "all_foils": "all wrong answers",
}


def rates_table(analysis: Analysis, level: str) -> Table:
    """One row an answer type, and each of its metrics where it has several: q1 and q0 of each kind of foil."""
    pivoted = analysis.calibration.group_by("answer_type", "metric", maintain_order=True).agg(
        pl.struct("foil", "estimate", "low", "high", "n", "texts").alias("kinds")
    )

    def rate(foil: str, name: str) -> Column:
        def cell(row: Row) -> Cell:
            of = next((kind for kind in row["kinds"] if kind["foil"] == foil), None)
            if of is None:
                return Cell(words.NOTHING, "", low="", high="")
            shown = f"{words.percent(of['estimate'])} {words.interval(of['low'], of['high'], difference=False)}"
            told = f"{words.plural(of['n'], 'clip')} of {words.plural(of['texts'], 'text')}"
            return Cell(
                shown,
                tables.hundred(of["estimate"]),
                title=told,
                low=tables.hundred(of["low"]),
                high=tables.hundred(of["high"]),
            )

        return Column(name, cell, "q", numeric=True)

    def clips(row: Row) -> Cell:
        said = [kind for kind in row["kinds"] if kind["foil"] != "all_foils"]
        return Cell(" / ".join(f"{kind['n']:,}" for kind in said), css="soft")

    return make_table(
        pivoted,
        "rates",
        "How often the scorer is right about known texts",
        [
            tables.text("answer_type", "Answer type"),
            _metric(),
            rate("gold", "q1, gold answers, %"),
            rate("plain", "q0, other answers, %"),
            rate("sound_alike", "q0, sound-alikes, %"),
            Column("Clips", clips, numeric=True),
        ],
        small=f"with {level} intervals, clips of one text as one cluster; synthetic speech, so optimistic",
    )


def _metric() -> Column:
    return tables.optional(tables.text("metric", "By", write=lambda name: name.replace("_", " "), definition="metric"))


def rate_details(analysis: Analysis, level: str) -> Table:
    return make_table(
        analysis.calibration,
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
