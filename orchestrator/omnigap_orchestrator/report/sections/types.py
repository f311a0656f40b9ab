"""Section on architecture types: gaps of all models, means by type, tests if there are enough models."""

from __future__ import annotations

import polars as pl

from omnigap.vocabulary import CONDITIONS
from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.architecture import (
    ARCHITECTURE_MODELS,
    ARCHITECTURE_TESTS,
    ARCHITECTURES,
    ArchitectureModelRow,
    ArchitectureRow,
    ArchitectureTestRow,
)
from omnigap_orchestrator.analysis.table import rows_of
from omnigap_orchestrator.report import tables
from omnigap_orchestrator.report.charts import TypeDot, architecture_plot
from omnigap_orchestrator.report.sections.section import Section, marked
from omnigap_orchestrator.report.tables import make_table


def architecture_section(analysis: Analysis) -> Section | None:
    """Comparison of architecture types; None for a run with one model."""
    # Imported tables have no architecture types.
    models = analysis.frame(ARCHITECTURE_MODELS).drop_nulls("architecture")
    if models["model"].n_unique() < 2:
        return None
    dots = [
        TypeDot(r.architecture or "", r.model, r.condition, 100 * r.gap)
        for condition in CONDITIONS
        for r in rows_of(models.filter(pl.col("condition") == condition.name), ArchitectureModelRow)
    ]
    kind = tables.text("architecture", "Type", write=lambda s: s.replace("_", " "), definition="architecture")
    means = make_table(
        analysis.frame(ARCHITECTURES).drop_nulls("architecture"),
        ArchitectureRow,
        "architectures",
        "Mean gap by type",
        [
            kind,
            tables.condition(),
            tables.count("models", "Models"),
            tables.points("mean_gap", "Mean gap", definition="gap"),
            tables.interval("min_gap", "max_gap", "Range over models", definition=""),
            tables.interval(
                "leave_one_out_low", "leave_one_out_high", "Range, leave one out", definition="architecture"
            ),
            tables.text("most_influential", "Most influential", css="soft", write=lambda name: marked(analysis, name)),
        ],
        small="points; the unit is the model",
    )
    tests = make_table(
        analysis.frame(ARCHITECTURE_TESTS),
        ArchitectureTestRow,
        "architecture-tests",
        "Tests between types",
        [
            tables.text("first", "First"),
            tables.text("second", "Second"),
            tables.condition(),
            tables.count("first_models", "Models of first"),
            tables.count("second_models", "Models of second"),
            tables.points("difference", "Difference"),
            tables.p_value("p", "p"),
            tables.text("reason", "Remark", css="soft long"),
        ],
    )
    return Section(
        "types",
        "Architecture types",
        "Types",
        "Each dot is a model; the bar is the mean of the type. With few models per type the comparison is descriptive.",
        charts=(architecture_plot(dots, "types", "Gap by type and condition, points"),) if dots else (),
        tables=(means,),
        folded=(tests,) if analysis.frame(ARCHITECTURE_TESTS).height else (),
    )
