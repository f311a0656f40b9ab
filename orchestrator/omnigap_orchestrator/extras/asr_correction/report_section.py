"""The report section on ASR errors: raw scores, corrected ones, a second scorer, and human labels."""

from __future__ import annotations

from typing import Any

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.table import rows_of
from omnigap_orchestrator.extras.asr_correction.corrected import CALIBRATED, CalibratedRow
from omnigap_orchestrator.extras.asr_correction.human import HUMAN, HumanRow
from omnigap_orchestrator.extras.asr_correction.rates import CALIBRATION, evidence_of
from omnigap_orchestrator.extras.asr_correction.report_tables import (
    rate_details,
    rates_table,
    second_scorer_table,
)
from omnigap_orchestrator.extras.asr_correction.transcript_errors import TRANSCRIPT_ERRORS, TranscriptErrorRow
from omnigap_orchestrator.report import formatting, select, tables
from omnigap_orchestrator.report.charts import Chart, Span, interval_plot
from omnigap_orchestrator.report.sections.section import Section, marked, model_column
from omnigap_orchestrator.report.tables import Cell, Column, Table, make_table

OPTIMISTIC = (
    "The speech of the calibration is synthetic and cleaner than a model's own, so q1 and q0 are optimistic and the "
    "correction is probably too small if the clips are like the answers. If they are much shorter, it can be far too "
    "large. q0 is measured on distractors and confusables; the result with each kind only is shown too."
)


def calibration_section(analysis: Analysis) -> Section | None:
    """The section; None without calibration, second scorer and labels.

    If no score could be corrected, the lead gives the reason, and the tables of corrected scores are left out.
    """
    if analysis.frame(CALIBRATED).is_empty() and analysis.frame(HUMAN).is_empty():
        return None
    level = select.level_words(analysis)
    return Section(
        "calibration",
        "Spoken answers, corrected for ASR errors",
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
        folded=tuple(table for table in (rate_details(analysis, level), _transcript_errors(analysis)) if table.rows),
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
            pl.col("clip_kind").is_in(["gold", "all_wrong"]) & pl.col("metric").is_null()
        )
        sentences.append(
            f"{formatting.plural(int(every['n'].sum()), 'clip')} of gold and wrong answers were synthesised, "
            "transcribed "
            "by the same scorer and scored by the same rules. The resulting error rates, by answer type, correct the "
            "raw "
            "scores, which remain as they are; the interval includes the uncertainty of the calibration."
        )
        sentences.append(OPTIMISTIC)
    elif not analysis.frame(CALIBRATED).is_empty():
        refusals = analysis.frame(CALIBRATED)["reason"].drop_nulls().unique(maintain_order=True).to_list()
        reason = "; ".join(refusals)
        sentences.append(f"No score is corrected: {reason}.")
        if analysis.frame(CALIBRATED)["second_n"].sum():
            sentences.append(
                "The scores from a second scorer on the same answers show how much depends on the choice of scorer."
            )
    if not analysis.frame(HUMAN).is_empty():
        sentences.append(
            "Human labels are unbiased but few, scores are many but biased: PPI++ combines both, and its interval is "
            "as "
            "narrow as scores and labels agree."
        )
    if note := evidence_of(analysis).note:
        sentences.append(note)
    return " ".join(sentences)


def _chart(analysis: Analysis, model: str, number: int) -> Chart | None:
    """The gap of each spoken condition: raw, corrected, from the second scorer, from human labels."""
    corrected = select.by_condition(rows_of(analysis.frame(CALIBRATED).filter(model=model), CalibratedRow))
    human = select.by_condition(rows_of(analysis.frame(HUMAN).filter(model=model, quantity="gap"), HumanRow))
    spans: list[Span] = []
    for condition in dict.fromkeys([*corrected, *human]):
        row, labelled = corrected.get(condition), human.get(condition)
        lines: list[Span | None] = []
        if row is not None:
            lines.append(_span("raw", row.raw_gap, None, None, True))
            lines.append(_span("corrected", row.corrected_gap, row.gap_low, row.gap_high, False))
            lines.append(_span(_second_label(row), row.second_gap, None, None, True))
        if labelled is not None:
            lines += [_span("raw", labelled.raw, None, None, True)] if row is None else []
            lines.append(_span("human labels", labelled.estimate, labelled.low, labelled.high, False))
        present = [line for line in lines if line is not None]
        # The raw gap is already in the chart of gaps.
        if len(present) > 1:
            spans += [Span(condition, heading=True), *present]
    if not spans:
        return None
    name = f" of {marked(analysis, model)}" if len(select.models_of(analysis)) > 1 else ""
    return interval_plot(
        spans, f"corrected-{number}", f"Gaps{name}, raw and corrected for ASR errors", "gap, points", row=26
    )


def _second_label(row: CalibratedRow) -> str:
    """The label of the second scorer, with its number of pairs if it differs from that of the raw gap."""
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
        analysis.frame(CALIBRATED).filter(pl.col("corrected_ends") != "reference"),
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
            tables.optional(_band("corrected_distractor", "corrected_confusable", "By distractors / confusables, %")),
            tables.optional(_se("calibration_se", "SE of the calibration", "corrected")),
            tables.count("n", "n", definition="n"),
            tables.optional(tables.text("reason", "Reason without correction", css="soft")),
        ],
        small="shown between 0 and 100; not clipped in gaps and in the exported table",
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
            tables.optional(_band("gap_distractor", "gap_confusable", "By distractors / confusables", difference=True)),
            tables.optional(_se("gap_calibration_se", "SE of the calibration", "corrected")),
            tables.optional(Column("Corrected conditions", _ends, "corrected")),
            tables.count("gap_n", "n", definition="n"),
            tables.optional(tables.text("reason", "Reason without correction", css="soft")),
        ],
        small="points; text answers need no correction; the interval includes the covariance of both conditions",
    )


def _borrowed(analysis: Analysis) -> str:
    """Names the metrics that were corrected with the rates of their whole answer type."""
    notes = analysis.frame(CALIBRATED)["note"].drop_nulls().unique(maintain_order=True).to_list()
    parts = sorted({part for note in notes for part in note.split("; ")})
    if not parts:
        return ""
    return f"Metrics with too few clips for separate rates: {'; '.join(part.replace('_', ' ') for part in parts)}."


def _ends(row: CalibratedRow) -> Cell:
    """Empty in the usual case, in which only the condition is transcribed speech."""
    return Cell({"both": "both", "reference": "reference"}.get(row.corrected_ends, ""), css="soft")


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
            tables.text("quantity", "Quantity"),
            Column("Raw", raw, "accuracy", numeric=True),
            Column("PPI++", estimate, "ppi", numeric=True),
            Column(f"{level} interval", between, "ppi", numeric=True),
            tables.optional(tables.number("lam", "Lambda", definition="ppi")),
            _se("se", "SE", "ppi"),
            tables.percent("agreement", "Scorer agrees, %", definition="ppi"),
            tables.count("labelled", "Labels"),
            tables.count("undecided", "Unsure", zero_soft=True),
            tables.count("n", "Answers", definition="n"),
            tables.optional(tables.text("reason", "Reason without estimate", css="soft")),
        ],
        small="percent; gaps in points. Labels are weighted by the inverse of their inclusion probability",
    )


def _transcript_errors(analysis: Analysis) -> Table:
    against = {"calibration": "the synthesised text", "own_text": "the model's own text"}
    return make_table(
        analysis.frame(TRANSCRIPT_ERRORS),
        TranscriptErrorRow,
        "transcript-errors",
        "Word and entity errors of the transcripts",
        [
            tables.text("against", "Against", write=lambda name: against[name]),
            tables.optional(tables.text("model", "Model", write=lambda name: marked(analysis, name))),
            tables.optional(tables.text("condition", "Condition", definition="condition")),
            Column("Answer type", _type),
            tables.percent("wer", "WER, %", definition="wer", digits=2),
            tables.percent("wer_whisper", "WER (Whisper), %", definition="wer", digits=2),
            tables.percent("coverage", "Coverage, %", definition="coverage"),
            tables.percent("ne_wer", "NE-WER, %", definition="entities", digits=2),
            tables.percent("ne_fnr", "NE-FNR, %", definition="entities", digits=2),
            tables.count("wer_words", "Words"),
            tables.count("entities", "Entities", definition="entities"),
            tables.count("clips", "Clips"),
        ],
        small="errors are summed before they are divided",
    )


def _type(row: TranscriptErrorRow) -> Cell:
    return Cell(row.answer_type or ("all" if row.against == "calibration" else formatting.NOTHING))


def _corrected(row: CalibratedRow) -> Cell:
    """A corrected share, shown clipped to 0 to 100; the exported value is not clipped."""
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

    return Column(label, cell, "confusables", numeric=True, keys=(low, high))
