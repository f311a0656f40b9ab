"""The section of the gaps: every gap with its pairs, test and family, then otherwise pooled and bounded."""

from __future__ import annotations

from typing import Any

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.gaps.accuracy import AccuracyRow
from omnigap_orchestrator.analysis.gaps.gap import GAPS, GapRow
from omnigap_orchestrator.report import slices, tables, words
from omnigap_orchestrator.report.sections.contrasts import contrast_columns, families
from omnigap_orchestrator.report.sections.section import Section, model_column
from omnigap_orchestrator.report.tables import Column, make_table


def _meaning() -> Column[Any]:
    return tables.text("condition", "Question, answer", css="soft nowrap", write=_short, definition="condition")


def _short(condition: str) -> str:
    return (
        words.condition_words(condition)
        .replace(" question", "")
        .replace(" answer", "")
        .replace("question as image", "shown")
    )


def gap_section(analysis: Analysis) -> Section:
    """Every gap with its pairs, test and family; pooled otherwise and bounded, folded."""
    model = model_column(analysis)
    gaps = slices.headline_gaps(analysis)
    bounds = [tables.interval("bound_low", "bound_high", "Bounds", definition="missing")]
    main = make_table(
        gaps,
        GapRow,
        "gaps",
        f"Gaps against {analysis.options.reference}",
        [*model, tables.condition(), _meaning(), *contrast_columns(analysis, gaps)],
        small="points of accuracy; item-weighted, on answered pairs",
        note=families(gaps),
    )
    other = make_table(
        analysis.frame(GAPS).filter((pl.col("pooling") != "item_weighted") | (pl.col("missing") != "answered_pairs")),
        GapRow,
        "gaps-other",
        "Gaps pooled otherwise, and with missing answers as wrong",
        [
            *model,
            tables.condition(),
            _spelled("pooling", "Pooling", "pooling"),
            _spelled("missing", "Missing answers", "missing"),
            *_estimate_columns(analysis),
            tables.count("lacking", "Lacking", definition="missing", zero_soft=True),
            *bounds,
            tables.method(),
        ],
    )
    accuracy = make_table(
        slices.headline_accuracy(analysis),
        AccuracyRow,
        "accuracy",
        "Accuracy",
        [
            *model,
            tables.condition(),
            tables.percent("estimate", "Accuracy, %", definition="accuracy"),
            tables.interval("low", "high", f"{slices.level_words(analysis)} interval", difference=False),
            tables.count("n", "n", definition="n"),
            tables.count("clusters", "Clusters"),
            tables.count("lacking", "Lacking", definition="missing", zero_soft=True),
            tables.method(),
        ],
        small="item-weighted, on answered items",
    )
    return Section(
        "gaps",
        "The gaps, one by one",
        "Gaps",
        "What each form of question and answer costs against the typed question with a text answer, item by item. "
        "Bold: holds after correction for the other gaps of the model.",
        tables=(main, accuracy),
        folded=(other,),
    )


def _spelled(key: str, label: str, definition: str) -> Column[Any]:
    return tables.text(key, label, write=lambda s: s.replace("_", " "), definition=definition)


def _estimate_columns(analysis: Analysis) -> list[Column[Any]]:
    return [
        tables.points("estimate", "Gap", definition="gap"),
        tables.interval("low", "high", f"{slices.level_words(analysis)} interval"),
        tables.count("n", "n", definition="n"),
    ]
