"""The structure of a section of the report: heading, introduction, charts and tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.report import select, tables
from omnigap_orchestrator.report.charts import Chart
from omnigap_orchestrator.report.statements import random_mark
from omnigap_orchestrator.report.tables import Column, Table


@dataclass(frozen=True, slots=True)
class Section:
    """One section.

    Attributes:
        nav: its label in the navigation bar.
        lead: introduction below the heading.
        folded: tables that are collapsed at first, each under its caption.
        after: for a section of an extra, the key of the section that it follows; last if there is no such key.
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
    """The column of model names, marked where weights were random; none if the run has a single model without mark."""
    if len(select.models_of(analysis)) < 2 and not analysis.random_weights:
        return []
    return [tables.text("model", "Model", write=lambda name: marked(analysis, name))]


def marked(analysis: Analysis, model: str) -> str:
    """The name of a model, with a short mark if its figures depend on random weights."""
    # The column is narrow in wide tables.
    mark = random_mark(analysis.random_weights.get(model, ())).removesuffix(" weights")
    return f"{model} ({mark})" if mark else model
