"""Section on fonts and voices as random factors: does a gap belong to the modality or to one font or voice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.factor_levels import LEVELS, SPREADS, LevelRow, SpreadRow
from omnigap_orchestrator.analysis.table import rows_of
from omnigap_orchestrator.analysis.variance import VARIANCE, VarianceRow
from omnigap_orchestrator.report import formatting, select, tables
from omnigap_orchestrator.report.charts import Chart, Span, in_points, interval_plot, modality_of
from omnigap_orchestrator.report.sections.section import Section, marked, model_column
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
FINDINGS = {
    "no_gap": "not significant",
    "modality": "modality",
    "these_levels": "these levels only",
    "level": "depends on the level",
    "no_interval": "no interval possible",
}


def variance_section(analysis: Analysis) -> Section | None:
    """Gaps by level of each factor, and variance components; None if every cell has one replicate."""
    if analysis.frame(VARIANCE).is_empty() and analysis.frame(SPREADS).is_empty():
        return None
    charts = tuple(
        chart
        for number, model in enumerate(select.models_of(analysis))
        if (chart := _chart(analysis, model, number)) is not None
    )
    spreads, levels, components = _spreads(analysis), _levels(analysis), _components(analysis)
    # Without a spread (one level, or a refused gap) the variance components are all there is to show.
    shown, folded = ([spreads], [levels, components]) if spreads.rows else ([components], [levels])
    return Section(
        "variance",
        "Gaps by font and voice",
        "Variance",
        _lead(analysis),
        charts=charts,
        tables=tuple(table for table in shown if table.rows),
        folded=tuple(table for table in folded if table.rows),
    )


def _lead(analysis: Analysis) -> str:
    if analysis.frame(SPREADS).is_empty() and not analysis.frame(LEVELS).is_empty():
        return (
            "Every question was rendered in several fonts or voices, but too many answers of one of them are missing "
            "to compare the gaps. The tables show how scores vary between items and between these levels."
        )
    if analysis.frame(SPREADS).is_empty():
        return (
            "Each cell has several replicates with the same carrier. The table shows how scores vary between items and "
            "between replicates."
        )
    meaning = (
        "Every question was rendered in several fonts or voices, and the gap computed for each. A gap is attributed to "
        "the modality if it generalises to other fonts or voices, and to a font or voice if it depends on it."
    )
    sentences = [meaning]
    several = len(select.models_of(analysis)) > 1
    for row in (row for row in analysis.rows(SPREADS) if row.model not in analysis.random_weights):
        sentences.append(_sentence(row, several))
    # The first six findings; the table below has all of them.
    return " ".join(sentences[:7])


def _sentence(row: SpreadRow, several: bool) -> str:
    """The finding of one condition and factor; `several`: name the model too."""
    one, many = FACTORS[row.factor]
    where = f"{row.model}, {row.condition}" if several else row.condition
    gap, span = formatting.points(row.estimate), f"{formatting.points(row.lowest)} to {formatting.points(row.highest)}"
    over = f"{gap} points over {row.levels} {many} ({span})"
    kind = formatting.plural(row.levels, one, many)
    return {
        "no_gap": f"{where}: no significant gap over {kind} ({gap}, {span}).",
        "modality": f"{where}: {over}; it generalises to other {many}.",
        "these_levels": f"{where}: {over}; a gap for these {many}, which are too few or too different to generalise.",
        "no_interval": f"{where}: {over}; all items have the same gap, so no interval can be computed.",
        "level": f"{where}: {over}; the {many} differ, and some show no significant gap: it depends on the {one}.",
    }[row.finding]


def _factor() -> Column[Any]:
    return tables.text("factor", "Factor", write=lambda name: FACTORS[name][0], definition="levels")


def _spreads(analysis: Analysis) -> Table:
    level = select.level_words(analysis)
    return make_table(
        analysis.frame(SPREADS),
        SpreadRow,
        "spreads",
        "Gaps over all levels",
        [
            *model_column(analysis),
            tables.condition(),
            _factor(),
            tables.count("levels", "Levels"),
            tables.points("estimate", "Gap", definition="gap"),
            tables.text("finding", "Finding", write=lambda name: FINDINGS[name], definition="levels"),
            tables.interval("low", "high", f"{level}, these levels"),
            tables.interval("low_beyond", "high_beyond", f"{level}, as a sample", definition="levels"),
            tables.interval("lowest", "highest", "Lowest, highest", definition=""),
            Column("SD", _sd, numeric=True),
            tables.p_value("p_levels", "p of levels"),
            tables.optional(tables.text("mixed_with", "Confounded with", write=_factors, css="soft")),
            tables.count("items", "Items", definition="n"),
            *_left_out(analysis.frame(SPREADS)),
        ],
        small="points of accuracy; items with a score at every level",
    )


def _left_out(frame: pl.DataFrame) -> list[Column[Any]]:
    """The column of items that lack a level; none if there are no such items."""
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
        "Gaps by level",
        [
            *model_column(analysis),
            tables.condition(),
            _factor(),
            tables.text("level", "Level", write=_level),
            tables.points("estimate", "Gap", definition="gap"),
            tables.interval("low", "high", f"{select.level_words(analysis)} interval"),
            tables.p_value("p_adjusted", "p (Holm)", definition="p"),
            tables.count("n", "n", definition="n"),
            tables.optional(tables.count("lacking", "Missing", definition="missing", zero_soft=True)),
            tables.method(),
        ],
        small="points of accuracy, with the carriers of one level only",
    )


def _level(name: str) -> str:
    """A font given by its path is shown by its file name."""
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
    """The gap at each level and over all levels, for each condition and factor."""
    # For each condition and factor: one row per level, then all levels, then the levels as a sample of others. The
    # last interval is the one that decides whether the gap generalises.
    spans: list[Span] = []
    for row in rows_of(analysis.frame(SPREADS).filter(pl.col("model") == model), SpreadRow):
        modality = modality_of(row.condition)
        spans.append(Span(f"{row.condition} by {FACTORS[row.factor][0]}", heading=True))
        here = (pl.col("model") == model) & (pl.col("condition") == row.condition) & (pl.col("factor") == row.factor)
        for level in rows_of(analysis.frame(LEVELS).filter(here), LevelRow):
            spans.append(_span(_level(level.level), level.estimate, (level.low, level.high), modality, hollow=True))
        spans.append(_span("all levels", row.estimate, (row.low, row.high), modality))
        spans.append(_span("as a sample", row.estimate, (row.low_beyond, row.high_beyond), modality))
    if not spans:
        return None
    title = f"{marked(analysis, model)}: gap by level, over all levels, and with the levels as a sample of others"
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
