"""Section on architecture types: gaps of all models, means by type, tests if there are enough models."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial

import polars as pl

from omnigap.vocabulary import CONDITIONS
from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.architecture import (
    ARCHITECTURE_MODELS,
    ARCHITECTURE_TESTS,
    ARCHITECTURES,
    MIN_MODELS,
    ArchitectureModelRow,
    ArchitectureRow,
    ArchitectureTestRow,
)
from omnigap_orchestrator.analysis.denominators import CONDITION_COUNTS, ConditionRow
from omnigap_orchestrator.analysis.pairs import ordered_conditions
from omnigap_orchestrator.analysis.table import rows_of
from omnigap_orchestrator.report import formatting, tables
from omnigap_orchestrator.report.charts import TypeDot, architecture_plot
from omnigap_orchestrator.report.sections.section import Section, marked
from omnigap_orchestrator.report.tables import Cell, Column, Table, make_table

LEAD = "Each dot is a model; the bar is the mean of the type. With few models per type the comparison is descriptive."


def architecture_section(analysis: Analysis) -> Section | None:
    """Comparison of architecture types; None for a run with one model."""
    # Imported tables have no architecture types.
    planned = rows_of(analysis.frame(CONDITION_COUNTS).drop_nulls("architecture"), ConditionRow)
    models = analysis.frame(ARCHITECTURE_MODELS).drop_nulls("architecture")
    if len({row.model for row in planned}) < 2:
        return None
    # Of every type, also of one without a gap: its row then says why.
    types = sorted({row.architecture or "" for row in planned})
    gaps = rows_of(models, ArchitectureModelRow)
    # The reference has no gap to itself.
    shown = [name for name in ordered_conditions([r.condition for r in planned]) if name != analysis.options.reference]
    six = [condition.name for condition in CONDITIONS]
    dots = [
        TypeDot(r.architecture or "", r.model, r.condition, 100 * r.gap)
        for name in shown
        for r in gaps
        if r.condition == name and name in six
    ]
    absent = {
        (kind, name): why
        for kind in types
        for name in shown
        if (why := _why_absent(planned, gaps, kind, name, analysis.random_weights))
    }
    return Section(
        "types",
        "Architecture types",
        "Types",
        f"{LEAD} {_random_note(analysis, planned)}".strip(),
        charts=(architecture_plot(dots, "types", "Gap by type and condition, points", types, absent),) if dots else (),
        tables=(_means(analysis, planned, types, shown, absent),),
        folded=(_ranges(analysis), *_tests(analysis)) if dots else (),
    )


def _random_note(analysis: Analysis, planned: Sequence[ConditionRow]) -> str:
    """Which models do not represent their type; empty if there are none."""
    named = list(dict.fromkeys(row.model for row in planned))
    random = [name for name in named if name in analysis.random_weights]
    if not random:
        return ""
    if len(random) == len(named):
        return "All of these models have random weights: their gaps say nothing about a type."
    return f"Left out, because of random weights: {formatting.listed(random)}."


def _why_absent(
    planned: Sequence[ConditionRow],
    gaps: Sequence[ArchitectureModelRow],
    kind: str,
    name: str,
    random: Collection[str],
) -> str:
    """Why a type has no mean gap in a condition; empty if it has one."""
    if any((row.architecture, row.condition) == (kind, name) for row in gaps):
        return ""
    cells = [row for row in planned if (row.architecture, row.condition) == (kind, name)]
    if not cells:
        return "not planned"
    if all(row.unsupported == row.cells for row in cells):
        return "unsupported"
    return "random weights" if all(row.model in random for row in cells) else "no gap"


@dataclass(frozen=True, slots=True)
class _TypeRow:
    architecture: str


def _means(
    analysis: Analysis,
    planned: Sequence[ConditionRow],
    types: Sequence[str],
    shown: Sequence[str],
    absent: dict[tuple[str, str], str],
) -> Table:
    """A row per type: its models, and their mean gap in every condition."""
    found = {(r.architecture, r.condition): r for r in analysis.rows(ARCHITECTURES)}

    def models(row: _TypeRow) -> Cell:
        names = dict.fromkeys(each.model for each in planned if each.architecture == row.architecture)
        return Cell(", ".join(marked(analysis, name) for name in names), css="plain long")

    def mean(name: str, row: _TypeRow) -> Cell:
        of, why = found.get((row.architecture, name)), absent.get((row.architecture, name))
        if of is None or of.mean_gap is None or why:
            return Cell(why or formatting.NOTHING, "", css="soft", title="no gap could be computed" * (why == "no gap"))
        tone, strength = tables.tint(of.mean_gap)
        limits = formatting.interval(of.min_gap, of.max_gap, difference=True)
        count = formatting.plural(of.models, "model")
        title = f"{formatting.condition_words(name)}: mean over {count}, range {limits}"
        return Cell(
            formatting.points(of.mean_gap),
            tables.hundred(of.mean_gap),
            title=title,
            tone=tone,
            strength=strength,
            fine=f"{limits}, {count}",
        )

    columns: list[Column[_TypeRow]] = [
        tables.text("architecture", "Type", write=formatting.type_words, definition="architecture"),
        *(Column(name, partial(mean, name), numeric=True) for name in shown),
        # Last: on a narrow screen, the gaps are then visible without scrolling.
        Column("Models", models),
    ]
    table = make_table(
        pl.DataFrame({"architecture": types}, schema={"architecture": pl.String}),
        _TypeRow,
        "architectures",
        "Mean gap by type",
        columns,
        small="points; the unit is the model; tinted by the gap",
        note="" if _tests(analysis) else f"No test between types: it needs {MIN_MODELS} models of each of two types.",
        heat=True,
    )
    return replace(table, more="range and number of models")


def _ranges(analysis: Analysis) -> Table:
    return make_table(
        analysis.frame(ARCHITECTURES).drop_nulls("architecture"),
        ArchitectureRow,
        "architecture-ranges",
        "Range of the gaps of each type",
        [
            tables.text("architecture", "Type", write=formatting.type_words, definition="architecture"),
            tables.condition(),
            tables.count("models", "Models"),
            tables.points("mean_gap", "Mean gap", definition="gap"),
            tables.interval("min_gap", "max_gap", "Range over models", definition=""),
            tables.optional(
                tables.interval(
                    "leave_one_out_low", "leave_one_out_high", "Range, leave one out", definition="architecture"
                )
            ),
            tables.optional(
                tables.text(
                    "most_influential", "Most influential", css="soft", write=lambda name: marked(analysis, name)
                )
            ),
        ],
        small="points; the unit is the model",
    )


def _tests(analysis: Analysis) -> tuple[Table, ...]:
    """The tests between types; none if no two types have enough models for one."""
    tests = analysis.frame(ARCHITECTURE_TESTS)
    if tests["p"].drop_nulls().is_empty():
        return ()
    columns = [
        tables.text("first", "First", write=formatting.type_words),
        tables.text("second", "Second", write=formatting.type_words),
        tables.condition(),
        tables.count("first_models", "Models of first"),
        tables.count("second_models", "Models of second"),
        tables.points("difference", "Difference"),
        tables.p_value("p", "p"),
        tables.text("reason", "Remark", css="soft long"),
    ]
    return (make_table(tests, ArchitectureTestRow, "architecture-tests", "Tests between types", columns),)
