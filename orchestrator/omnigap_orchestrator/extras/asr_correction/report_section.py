"""The section of corrected scores: raw, corrected for the scorer's errors, by a second scorer, and by human labels."""

from __future__ import annotations

from typing import Any

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.table import rows_of
from omnigap_orchestrator.extras.asr_correction.corrected import CALIBRATED, CalibratedRow
from omnigap_orchestrator.extras.asr_correction.hearing import HEARING, HearingRow
from omnigap_orchestrator.extras.asr_correction.human import HUMAN, HumanRow
from omnigap_orchestrator.extras.asr_correction.rates import CALIBRATION, evidence_of
from omnigap_orchestrator.extras.asr_correction.report_tables import (
    rate_details,
    rates_table,
    second_scorer_table,
)
from omnigap_orchestrator.report import formatting, select, tables
from omnigap_orchestrator.report.charts import Chart, Span, interval_plot
from omnigap_orchestrator.report.sections.section import Section, model_column
from omnigap_orchestrator.report.tables import Cell, Column, Table, make_table

OPTIMISTIC = (
    "The calibration's speech is synthetic and cleaner than a model's own, so q1 and q0 are optimistic, and a "
    "correction is likely too small where answers are lost. Wrong answers are other items' answers and sound-alikes; "
    "what each kind alone would give is shown."
)


def calibration_section(analysis: Analysis) -> Section | None:
    """Nothing where there is no calibration, no second scorer, and no label; words and answers are then in no table.

    Where nothing could be corrected, the lead says why, and the raw scores stay in the tables of scores and gaps.
    """
    if analysis.frame(CALIBRATED).is_empty() and analysis.frame(HUMAN).is_empty():
        return None
    level = select.level_words(analysis)
    return Section(
        "calibration",
        "Spoken answers, corrected for the scorer",
        "Corrected",
        _lead(analysis),
        after="asr",
        charts=tuple(
            chart
            for number, model in enumerate(select.models_of(analysis))
            if (chart := _chart(analysis, model, number)) is not None
        ),
        tables=tuple(
            table
            for table in (
                *((_scores(analysis, level), _gaps(analysis, level)) if _corrects(analysis) else ()),
                second_scorer_table(analysis, level),
                _human(analysis, level),
                rates_table(analysis, level),
            )
            if table.rows
        ),
        folded=tuple(table for table in (rate_details(analysis, level), _hearing(analysis)) if table.rows),
    )


def _corrects(analysis: Analysis) -> bool:
    return bool(
        analysis.frame(CALIBRATED).select(pl.any_horizontal(pl.col("corrected", "corrected_gap").is_not_null()).any())[
            0, 0
        ]
    )


def _lead(analysis: Analysis) -> str:
    sentences = []
    if not analysis.frame(CALIBRATION).is_empty():
        every = analysis.frame(CALIBRATION).filter(
            pl.col("foil").is_in(["gold", "all_foils"]) & pl.col("metric").is_null()
        )
        sentences.append(
            f"{formatting.plural(int(every['n'].sum()), 'clip')} of gold answers and wrong ones were said by the voice, "
            "heard by the same scorer, and scored by the same rules: how often it is right about them, by answer type, "
            "corrects the raw scores. The raw scores stay; the interval carries what the calibration does not know."
        )
        sentences.append(OPTIMISTIC)
    elif not analysis.frame(CALIBRATED).is_empty():
        refusals = analysis.frame(CALIBRATED)["reason"].drop_nulls().unique(maintain_order=True).to_list()
        reason = "; ".join(refusals)
        sentences.append(f"No score is corrected: {reason}.")
        if analysis.frame(CALIBRATED)["second_n"].sum():
            sentences.append(
                "What a second scorer makes of the same answers shows how much hangs on the choice of one."
            )
    if not analysis.frame(HUMAN).is_empty():
        sentences.append(
            "Human labels are few and right, scores are many and biased: PPI++ takes both, and its interval is that of "
            "the labels, select_verified by the scores as far as they agree."
        )
    if note := evidence_of(analysis).note:
        sentences.append(note)
    return " ".join(sentences)


def _chart(analysis: Analysis, model: str, number: int) -> Chart | None:
    """For each spoken condition its gap: raw, corrected, by the second scorer, by people."""
    corrected = select.by_condition(rows_of(analysis.frame(CALIBRATED).filter(model=model), CalibratedRow))
    people = select.by_condition(rows_of(analysis.frame(HUMAN).filter(model=model, quantity="gap"), HumanRow))
    spans: list[Span] = []
    for condition in dict.fromkeys([*corrected, *people]):
        row, by_people = corrected.get(condition), people.get(condition)
        lines: list[Span | None] = []
        if row is not None:
            lines.append(_span("raw", row.raw_gap, None, None, True))
            lines.append(_span("corrected", row.corrected_gap, row.gap_low, row.gap_high, False))
            lines.append(_span(_by_second(row), row.second_gap, None, None, True))
        if by_people is not None:
            lines += [_span("raw", by_people.raw, None, None, True)] if row is None else []
            lines.append(_span("people", by_people.estimate, by_people.low, by_people.high, False))
        told = [line for line in lines if line is not None]
        if len(told) > 1:
            spans += [Span(condition, heading=True), *told]
    if not spans:
        return None
    name = f" of {model}" if len(select.models_of(analysis)) > 1 else ""
    return interval_plot(spans, f"corrected-{number}", f"Gaps{name} by how they were heard", "gap, points", row=26)


def _by_second(row: CalibratedRow) -> str:
    """Its label, with the number of its pairs where they are not those of the raw gap."""
    pairs = row.second_gap_n
    return "second scorer" if pairs == row.gap_n else f"second scorer, n {formatting.count(pairs)}"


def _span(label: str, estimate: float | None, low: float | None, high: float | None, hollow: bool) -> Span | None:
    if estimate is None or not formatting.known(estimate):
        return None
    note = formatting.points(estimate)
    if low is None or high is None:
        return Span(label, 100 * estimate, note=note, modality="speech", hollow=hollow)
    shown = f"{note} {formatting.interval(low, high, difference=True)}"
    return Span(label, 100 * estimate, 100 * low, 100 * high, shown, "speech", hollow)


def _scores(analysis: Analysis, level: str) -> Table:
    return make_table(
        analysis.frame(CALIBRATED).filter(pl.col("heard") != "reference"),
        CalibratedRow,
        "corrected",
        "Score, raw and corrected",
        [
            *model_column(analysis),
            tables.condition(),
            tables.percent("raw", "Raw, %", definition="accuracy"),
            Column("Corrected, %", _corrected, "corrected", numeric=True),
            tables.interval("low", "high", f"{level} interval", difference=False, definition="corrected"),
            tables.method(),
            tables.optional(_band("corrected_plain", "corrected_sound_alike", "By plain / sound-alike foils, %")),
            tables.optional(_se("calibration_se", "SE by calibration", "corrected")),
            tables.count("n", "n", definition="n"),
            tables.optional(tables.text("reason", "Not corrected since", css="soft")),
        ],
        small="not clipped where a gap or a simulation needs it; shown between 0 and 100",
        note=_borrowed(analysis),
    )


def _gaps(analysis: Analysis, level: str) -> Table:
    return make_table(
        analysis.frame(CALIBRATED).filter(pl.col("raw_gap").is_not_null()),
        CalibratedRow,
        "corrected-gaps",
        f"Gap to {analysis.options.reference}, raw and corrected",
        [
            *model_column(analysis),
            tables.condition(),
            tables.points("raw_gap", "Raw", definition="gap"),
            tables.points("corrected_gap", "Corrected", definition="corrected"),
            tables.interval("gap_low", "gap_high", f"{level} interval", definition="corrected"),
            tables.method("gap_method"),
            tables.optional(_band("gap_plain", "gap_sound_alike", "By plain / sound-alike foils", difference=True)),
            tables.optional(_se("gap_calibration_se", "SE by calibration", "corrected")),
            tables.optional(Column("Corrected ends", _ends, "corrected")),
            tables.count("gap_n", "n", definition="n"),
            tables.optional(tables.text("reason", "Not corrected since", css="soft")),
        ],
        small="points; text answers need no correction; the covariance of both ends is in the interval",
    )


def _borrowed(analysis: Analysis) -> str:
    """Which metrics were corrected with rates that are not their own."""
    notes = analysis.frame(CALIBRATED)["note"].drop_nulls().unique(maintain_order=True).to_list()
    parts = sorted({part for note in notes for part in note.split("; ")})
    if not parts:
        return ""
    return f"Too few clips of a metric of its own: {'; '.join(part.replace('_', ' ') for part in parts)}."


def _ends(row: CalibratedRow) -> Cell:
    """Said where it is not the condition's end alone."""
    return Cell({"both": "both", "reference": "the reference's"}.get(row.heard, ""), css="soft")


def _human(analysis: Analysis, level: str) -> Table:
    def estimate(row: HumanRow) -> Cell:
        write = formatting.points if row.quantity == "gap" else formatting.percent
        return Cell(write(row.estimate), tables.hundred(row.estimate), title=row.reason or "")

    def raw(row: HumanRow) -> Cell:
        write = formatting.points if row.quantity == "gap" else formatting.percent
        return Cell(write(row.raw), tables.hundred(row.raw))

    def between(row: HumanRow) -> Cell:
        shown = formatting.interval(row.low, row.high, difference=row.quantity == "gap")
        return Cell(shown, low=tables.hundred(row.low), high=tables.hundred(row.high), css="soft")

    return make_table(
        analysis.frame(HUMAN),
        HumanRow,
        "human",
        "Scores and gaps with human labels",
        [
            *model_column(analysis),
            tables.condition(),
            tables.text("quantity", "Of"),
            Column("Raw", raw, "accuracy", numeric=True),
            Column("PPI++", estimate, "ppi", numeric=True),
            Column(f"{level} interval", between, "ppi", numeric=True),
            tables.optional(tables.number("lam", "Lambda", definition="ppi")),
            _se("se", "SE", "ppi"),
            tables.percent("agreement", "Scorer agrees, %", definition="ppi"),
            tables.count("labelled", "Labels"),
            tables.count("undecided", "Can't tell", zero_soft=True),
            tables.count("n", "Answers", definition="n"),
            tables.optional(tables.text("reason", "No estimate since", css="soft")),
        ],
        small="percent; gaps in points. Labels are weighted by the inverse of their probability of being drawn",
    )


def _hearing(analysis: Analysis) -> Table:
    against = {"calibration": "the text that was said", "own_text": "the model's own text"}
    return make_table(
        analysis.frame(HEARING),
        HearingRow,
        "hearing",
        "Errors of transcripts on words and on answers",
        [
            tables.text("against", "Against", write=lambda name: against[name]),
            tables.optional(tables.text("model", "Model")),
            tables.optional(tables.text("condition", "Condition", definition="condition")),
            Column("Answer type", _type),
            tables.percent("wer", "WER, %", definition="wer", digits=2),
            tables.percent("coverage", "Coverage, %", definition="coverage"),
            tables.percent("ne_wer", "NE-WER, %", definition="entities", digits=2),
            tables.percent("ne_fnr", "NE-FNR, %", definition="entities", digits=2),
            tables.count("wer_words", "Words"),
            tables.count("entities", "Answers in them", definition="entities"),
            tables.count("clips", "Clips"),
        ],
        small="errors are summed before they are divided",
    )


def _type(row: HearingRow) -> Cell:
    return Cell(row.answer_type or ("all" if row.against == "calibration" else formatting.NOTHING))


def _corrected(row: CalibratedRow) -> Cell:
    """A corrected share as a reader expects one, between 0 and 100; CSV has it as computed."""
    value = row.corrected
    shown = None if value is None else min(max(value, 0.0), 1.0)
    return Cell(formatting.percent(shown), tables.hundred(value), title=row.reason or "")


def _se(key: str, label: str, definition: str) -> Column[Any]:
    def cell(row: Any) -> Cell:
        value = getattr(row, key)
        return Cell(formatting.points(value, signed=False), tables.hundred(value), css="soft")

    return Column(label, cell, definition, numeric=True, keys=(key,))


def _band(low: str, high: str, label: str, difference: bool = False) -> Column[Any]:
    write = formatting.points if difference else formatting.percent

    def cell(row: Any) -> Cell:
        values = getattr(row, low), getattr(row, high)
        if all(value is None for value in values):
            return Cell(formatting.NOTHING, low="", high="")
        exact = [tables.hundred(value) for value in values]
        return Cell(" / ".join(write(value) for value in values), low=exact[0], high=exact[1], css="soft")

    return Column(label, cell, "wrong_answers", numeric=True, keys=(low, high))
