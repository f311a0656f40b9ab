"""The section of fonts and voices as random factors: is a gap the modality's, or one font's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.levels import LEVELS, SPREADS, LevelRow, SpreadRow
from omnigap_orchestrator.analysis.table import rows_of
from omnigap_orchestrator.analysis.variance import VARIANCE, VarianceRow
from omnigap_orchestrator.report import formatting, select, tables
from omnigap_orchestrator.report.charts import Chart, Span, in_points, interval_plot, modality_of
from omnigap_orchestrator.report.sections.section import Section, model_column
from omnigap_orchestrator.report.tables import Cell, Column, Table, make_table

FACTORS = {
    "voice": ("voice", "voices"),
    "words_per_minute": ("speaking rate", "speaking rates"),
    "font": ("font", "fonts"),
    "font_size": ("font size", "font sizes"),
    "colour": ("colour", "colours"),
    "background": ("background", "backgrounds"),
    "image_width": ("image width", "image widths"),
    "replicate": ("replicate", "replicates"),
}


def variance_section(analysis: Analysis) -> Section | None:
    """Nothing where no cell was asked more than once."""
    if analysis.frame(VARIANCE).is_empty() and analysis.frame(SPREADS).is_empty():
        return None
    charts = tuple(
        chart
        for number, model in enumerate(select.models_of(analysis))
        if (chart := _chart(analysis, model, number)) is not None
    )
    found = (_spreads(analysis), _levels(analysis), _components(analysis))
    return Section(
        "variance",
        "Fonts and voices: whose gap is it?",
        "Variance",
        _lead(analysis),
        charts=charts,
        tables=tuple(table for table in found[:1] if table.rows) or tuple(t for t in found[2:] if t.rows),
        folded=tuple(table for table in (found[1:] if found[0].rows else found[1:2]) if table.rows),
    )


def _lead(analysis: Analysis) -> str:
    if analysis.frame(SPREADS).is_empty() and not analysis.frame(LEVELS).is_empty():
        return (
            "Every question was shown or spoken in several ways, but at one of them too many answers lack to say whose "
            "gap it is. How scores vary between items and between these ways:"
        )
    if analysis.frame(SPREADS).is_empty():
        return (
            "Each cell was asked several times with the same carrier. How scores vary between items, and when the "
            "same is asked again."
        )
    meaning = (
        "Every question was shown or spoken in several ways, and the gap taken for each. A gap belongs to the modality "
        "where it would hold for other fonts or voices of the kind too, to a font or voice where it hangs on that."
    )
    sentences = [meaning]
    several = len(select.models_of(analysis)) > 1
    for row in analysis.rows(SPREADS):
        sentences.append(_sentence(row, analysis, several))
    return " ".join(sentences[:7])


def _sentence(row: SpreadRow, analysis: Analysis, several: bool) -> str:
    one, many = FACTORS[row.factor]
    whose = f"{row.model}, {row.condition}" if several else row.condition
    gap, span = formatting.points(row.estimate), f"{formatting.points(row.lowest)} to {formatting.points(row.highest)}"
    over = f"{gap} points over {row.levels} {many} ({span})"
    kind = formatting.plural(row.levels, one, many)
    return {
        "no_gap": f"{whose}: no gap is shown over {kind} ({gap}, {span}).",
        "modality": f"{whose}: {over}; it holds beyond these {many}.",
        "these_levels": f"{whose}: {over}; a gap with these {many}, which are too few or too different to speak for "
        "others.",
        "no_interval": f"{whose}: {over}; all items alike, so that nothing tells how sure that is.",
        "level": f"{whose}: {over}; the {many} differ, and at some no gap is shown: it hangs on the {one}.",
    }[row.finding]


FINDINGS = {
    "no_gap": "no gap shown",
    "modality": "of the modality",
    "these_levels": "with these, others unknown",
    "level": "hangs on the level",
    "no_interval": "no interval possible",
}


def _factor() -> Column[Any]:
    return tables.text("factor", "Factor", write=lambda name: FACTORS[name][0], definition="levels")


def _spreads(analysis: Analysis) -> Table:
    level = select.level_words(analysis)
    return make_table(
        analysis.frame(SPREADS),
        SpreadRow,
        "spreads",
        "Whose gap is it?",
        [
            *model_column(analysis),
            tables.condition(),
            _factor(),
            tables.count("levels", "Levels"),
            tables.points("estimate", "Gap", definition="gap"),
            tables.text("finding", "It is", write=lambda name: FINDINGS[name], definition="levels"),
            tables.interval("low", "high", f"{level}, these"),
            tables.interval("low_beyond", "high_beyond", f"{level}, as a sample", definition="levels"),
            tables.interval("lowest", "highest", "From, to", definition=""),
            Column("SD", _sd, numeric=True),
            tables.p_value("p_levels", "p of levels"),
            tables.optional(tables.text("mixed_with", "Mixed with", write=_factors, css="soft")),
            tables.count("items", "Items", definition="n"),
            *_left_out(analysis.frame(SPREADS)),
        ],
        small="points of accuracy; items with a score at every level",
    )


def _left_out(frame: pl.DataFrame) -> list[Column[Any]]:
    """Items that lack a level, where there are any."""
    return [tables.count("left_out", "Left out")] if frame["left_out"].sum() else []


def _sd(row: SpreadRow) -> Cell:
    return Cell(formatting.points(row.level_sd, signed=False), f"{100 * row.level_sd:.10g}")


def _factors(names: str) -> str:
    return ", ".join(FACTORS[name][0] for name in names.split(", ")) if names else formatting.NOTHING


def _levels(analysis: Analysis) -> Table:
    return make_table(
        analysis.frame(LEVELS),
        LevelRow,
        "levels",
        "Gaps by font, voice and the like",
        [
            *model_column(analysis),
            tables.condition(),
            _factor(),
            tables.text("level", "Level", write=_level),
            tables.points("estimate", "Gap", definition="gap"),
            tables.interval("low", "high", f"{select.level_words(analysis)} interval"),
            tables.p_value("p_adjusted", "p (Holm)", definition="p"),
            tables.count("n", "n", definition="n"),
            tables.optional(tables.count("lacking", "Lacking", definition="missing", zero_soft=True)),
            tables.method(),
        ],
        small="points of accuracy, with the carriers of one level alone",
    )


def _level(name: str) -> str:
    """A font's file by its name."""
    return Path(name).name if "/" in name else name


def _components(analysis: Analysis) -> Table:
    return make_table(
        analysis.frame(VARIANCE),
        VarianceRow,
        "variance-components",
        "Variance components of the scores",
        [
            *model_column(analysis),
            tables.condition(),
            _factor(),
            tables.count("levels", "Levels"),
            tables.count("items", "Items"),
            *_left_out(analysis.frame(VARIANCE)),
            tables.number("item_variance", "Item", digits=4, definition="variance"),
            tables.optional(tables.number("level_variance", "Factor", digits=4)),
            tables.number("residual_variance", "Residual", digits=4),
            tables.optional(tables.percent("share_level", "Factor's share, %")),
        ],
    )


def _chart(analysis: Analysis, model: str, number: int) -> Chart | None:
    """The gap at each level, and over all of them, for each condition and factor."""
    spans: list[Span] = []
    for row in rows_of(analysis.frame(SPREADS).filter(pl.col("model") == model), SpreadRow):
        modality = modality_of(row.condition)
        spans.append(Span(f"{row.condition} by {FACTORS[row.factor][0]}", heading=True))
        here = (pl.col("model") == model) & (pl.col("condition") == row.condition) & (pl.col("factor") == row.factor)
        for level in rows_of(analysis.frame(LEVELS).filter(here), LevelRow):
            spans.append(_span(_level(level.level), level.estimate, (level.low, level.high), modality, hollow=True))
        spans.append(_span("all of them", row.estimate, (row.low, row.high), modality))
        spans.append(_span("and others", row.estimate, (row.low_beyond, row.high_beyond), modality))
    if not spans:
        return None
    title = f"{model}: gap by level, over these levels, and with them as a sample of others"
    return interval_plot(spans, f"levels{number + 1}", title, "gap, points of accuracy", row=28, left=150)


def _span(
    label: str,
    estimate: float | None,
    limits: tuple[float | None, float | None],
    modality: str,
    hollow: bool = False,
) -> Span:
    if estimate is None:
        return Span(label, note="refused")
    low, high = limits
    note = f"{formatting.points(estimate)}  {formatting.interval(low, high, difference=True)}"
    return Span(label, in_points(estimate), in_points(low), in_points(high), note, modality, hollow)
