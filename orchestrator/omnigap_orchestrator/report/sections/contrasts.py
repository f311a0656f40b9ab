"""The columns that gaps and effects share: difference, interval, n, discordant pairs, tests, what is lacking."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.rows import ContrastColumns
from omnigap_orchestrator.report import slices, tables, words
from omnigap_orchestrator.report.tables import Cell, Column


def contrast_columns(analysis: Analysis, frame: pl.DataFrame) -> list[Column[ContrastColumns]]:
    alpha = slices.alpha(analysis)
    test = replace(tables.method("p_method", "Test"), definition="mcnemar")
    one_method = bool((frame["method"] == frame["p_method"]).fill_null(True).all())
    return [
        Column("Difference", lambda r: _difference(r, alpha), "gap", numeric=True),
        tables.interval("low", "high", f"{slices.level_words(analysis)} interval"),
        tables.count("n", "n", definition="n"),
        Column("b / c", _discordant, "bc", numeric=True, optional=True),
        tables.p_value("p", "p", definition="mcnemar"),
        tables.p_value("p_adjusted", "p adjusted", definition="holm"),
        *([tables.method(label="Interval and test by")] if one_method else [test, tables.method()]),
        Column("Lacking", _lacking, "missing", numeric=True, optional=True),
    ]


def _difference(row: ContrastColumns, alpha: float) -> Cell:
    """In points; bold and coloured where it holds after adjustment, `refused` with the reason where there is none."""
    if row.estimate is None:
        return Cell("refused" if row.planned else words.NOTHING, "", css="soft", title=row.reason or "")
    sure = row.p_adjusted is not None and row.p_adjusted < alpha
    tone = "loss" if row.estimate < 0 else "gain"
    exact = f"{100 * row.estimate:.10g}"
    return Cell(words.points(row.estimate), exact, css=f"strong {tone}" if sure else "", title=row.reason or "")


def _lacking(row: ContrastColumns) -> Cell:
    if not row.lacking:
        return Cell("", "0")
    return Cell(f"{row.lacking:,} of {row.planned:,}", str(row.lacking), css="soft", title=row.reason or "")


def _discordant(row: ContrastColumns) -> Cell:
    return Cell(words.NOTHING if row.b is None else f"{row.b} / {row.c}")


def families(frame: pl.DataFrame) -> str:
    named = frame.select("adjustment", "family").drop_nulls().unique(maintain_order=True)
    if named.is_empty():
        return ""
    parts = [f"{words.method(a)} over {f} tests".replace(") tests", " tests)") for a, f in named.iter_rows()]
    return f"Families: {'; '.join(parts)}."
