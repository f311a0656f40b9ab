"""One section of the report: a heading, a sentence that leads in, charts and tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.report import select, tables
from omnigap_orchestrator.report.charts import Chart
from omnigap_orchestrator.report.tables import Column, Table


@dataclass(frozen=True, slots=True)
class Section:
    """One section.

    Attributes:
        nav: its word in the navigation of the page.
        folded: tables that are closed at first, each under a line that says what it holds.
        after: of a section of an extra, the key of the section that it follows; last where there is none of that key.
    """

    key: str
    title: str
    nav: str
    lead: str
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    folded: tuple[Table, ...] = ()
    after: str = ""


def model_column(analysis: Analysis) -> list[Column[Any]]:
    """The column of the model's name, where there is more than one model to tell apart."""
    return [tables.text("model", "Model")] if len(select.models_of(analysis)) > 1 else []
